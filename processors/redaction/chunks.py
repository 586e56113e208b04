"""Values split across the events of a stream: which texts go on from event to event."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from pipeline.signals import Event, Span, Value
from processors.redaction.keys import place_pattern
from processors.redaction.tables import read_table

_DIGITS: Final = "0123456789"
_SERVER_SENT: Final = re.compile(r"\s*(?:data:\s*)?(?=[\[{])")

Place = tuple[Any, ...]
"""Where in the chunks of a stream a text stands: what is equal in all of them."""


class Piece(Protocol):
    """One event's part of a text."""

    @property
    def text(self) -> str:
        """The part."""

    def write(self, text: str) -> None:
        """Replace the part."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One text over the chunk events of a span, in order of their time.

    Attributes:
        key: the attribute in which the events carry it.
    """

    key: str
    parts: tuple[Piece, ...]

    @property
    def pieces(self) -> list[str]:
        """The text of each event."""
        return [part.text for part in self.parts]

    def write(self, pieces: Sequence[str]) -> None:
        """Set the text of each event."""
        for part, piece in zip(self.parts, pieces, strict=True):
            if part.text != piece:
                part.write(piece)


@dataclass(slots=True)
class _Plain:
    """An attribute that is a part."""

    event: Event
    key: str
    text: str

    def write(self, text: str) -> None:
        self.text = self.event.attributes[self.key] = text


@dataclass(slots=True)
class _Document:
    """An attribute that is JSON or a map, in which a part stands."""

    event: Event
    key: str
    tree: Any
    before: str
    source: str

    def store(self) -> None:
        self.event.attributes[self.key] = self._written() if self.source else self.tree

    def _written(self) -> str:
        spaced = '": ' in self.source or '", ' in self.source
        separators = (", ", ": ") if spaced else (",", ":")
        tail = self.source[len(self.source.rstrip()) :]
        return self.before + json.dumps(self.tree, ensure_ascii=self.source.isascii(), separators=separators) + tail


@dataclass(slots=True)
class _Leaf:
    """A part inside a document."""

    document: _Document
    container: Any
    slot: str | int
    text: str

    def write(self, text: str) -> None:
        self.text = self.container[self.slot] = text
        self.document.store()


def streams_of(span: Span) -> list[Stream]:
    """The streams of a span: texts that several chunk events of one name carry on.

    Events may stand in any order: their times say which piece comes first, of equal times their order.
    """
    found: defaultdict[Place, list[Piece]] = defaultdict(list)
    is_chunk = place_pattern("stream_chunks").search
    chunks = [event for event in span.events if event.pb.attributes and is_chunk(event.pb.name)]
    if len(chunks) > 1:
        for event in sorted(chunks, key=_time):
            name = event.pb.name.rstrip(_DIGITS)
            for key, value in event.attributes.items():
                for place, piece in _parts(event, key, value):
                    found[(key, name, *place)].append(piece)
    return [Stream(place[0], tuple(parts)) for place, parts in found.items() if len(parts) > 1]


def _time(event: Event) -> int:
    return event.pb.time_unix_nano  # type: ignore[no-any-return]  # protobuf


def _parts(event: Event, key: str, value: Value) -> Iterator[tuple[Place, Piece]]:
    if isinstance(value, dict):
        yield from _leaves(_Document(event, key, value, "", ""))
    elif isinstance(value, str):
        document = _document(event, key, value)
        if document is None:
            yield (), _Plain(event, key, value)
        else:
            yield from _leaves(document)


def _document(event: Event, key: str, text: str) -> _Document | None:
    """A text that is JSON, or one server-sent event with JSON in it."""
    start = _SERVER_SENT.match(text)
    if start is None:
        return None
    try:
        tree = json.loads(text[start.end() :])
    except (ValueError, RecursionError):
        return None
    return _Document(event, key, tree, start.group(), text)


def _leaves(document: _Document) -> Iterator[tuple[Place, Piece]]:
    """The texts of a chunk that the next chunk goes on with, and where they stand."""
    fields, marks = _stream_words()
    stack: list[tuple[Any, Place]] = [(document.tree, ())]
    while stack:
        container, place = stack.pop()
        if isinstance(container, dict):
            place += tuple((mark, container[mark]) for mark in marks if isinstance(container.get(mark), str | int))
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for slot, item in items:
            if isinstance(item, dict | list):
                stack.append((item, (*place, slot)))
            elif isinstance(item, str) and slot in fields:
                yield (*place, slot), _Leaf(document, container, slot, item)


@cache
def _stream_words() -> tuple[frozenset[str], tuple[str, ...]]:
    table = read_table("places.yaml")
    return frozenset(table["stream_fields"]), tuple(table["stream_marks"])
