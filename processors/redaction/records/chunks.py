"""Values split across the events of a stream: which texts go on from event to event."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, Protocol

from pipeline.signals import Event, Span, Value
from processors.redaction.knowledge.tables import read_table
from processors.redaction.records.keys import place_pattern

_DIGITS: Final = "0123456789"
_SERVER_SENT: Final = re.compile(r"\s*(?:data:\s*)?(?=[\[{])")
# Other lines of server-sent events.
_BESIDE: Final = re.compile(r"\s*$|(?:event|id|retry)?:|data:\s*(?:\[DONE\])?\s*$")

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
        self.text = text
        _store(self.event, self.key, text)


@dataclass(slots=True)
class _Item:
    """An item of an array that is a part."""

    event: Event
    key: str
    index: int
    text: str

    def write(self, text: str) -> None:
        self.text = text
        items = self.event.attributes[self.key]
        assert isinstance(items, list)  # noqa: S101 - for the type checker: it is what the item was found in
        self.event.attributes[self.key] = [*items[: self.index], text, *items[self.index + 1 :]]


def _store(event: Event, key: str, text: str) -> None:
    event.attributes[key] = text.encode() if isinstance(event.attributes[key], bytes) else text


@dataclass(slots=True)
class _Document:
    """An attribute that is JSON or a map, in which a part stands; or a line of it that is JSON.

    Attributes:
        before: what stands in front of the JSON.
        source: the text; empty where the attribute is a map.
        lines: all lines of the attribute, shared by their documents; `index` is that of this one.
    """

    event: Event
    key: str
    tree: Any
    before: str = ""
    source: str = ""
    lines: list[str] = field(default_factory=list)
    index: int = 0

    def store(self) -> None:
        if not self.source:
            self.event.attributes[self.key] = self.tree
            return
        self.lines[self.index] = self._written()
        _store(self.event, self.key, "\n".join(self.lines))

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
    chunks = [(event, keys) for event in span.events if event.pb.attributes and (keys := _keys_of(event))]
    if len(chunks) > 1:
        for event, keys in sorted(chunks, key=_time):
            name = event.pb.name.rstrip(_DIGITS)
            for key in keys:
                for place, piece in _parts(event, key, event.attributes[key]):
                    found[(key, name, *place)].append(piece)
    return [Stream(place[0], tuple(parts)) for place, parts in found.items() if len(parts) > 1]


def _keys_of(event: Event) -> list[str]:
    """The attributes of an event that may carry a piece: all of a chunk, else those that are called so."""
    if _is_chunk("stream_chunks", event.pb.name):
        return list(event.attributes)
    return [key for key in event.attributes if _is_chunk("stream_keys", key)]


@lru_cache(maxsize=4096)
def _is_chunk(place: str, name: str) -> bool:
    return place_pattern(place).search(name) is not None


def _time(chunk: tuple[Event, list[str]]) -> int:
    return chunk[0].pb.time_unix_nano  # type: ignore[no-any-return]  # protobuf


def _parts(event: Event, key: str, value: Value) -> Iterator[tuple[Place, Piece]]:
    if isinstance(value, dict):
        yield from _leaves(_Document(event, key, value))
    elif isinstance(value, list):
        yield from [((), _Item(event, key, index, item)) for index, item in enumerate(value) if isinstance(item, str)]
    elif isinstance(value, bytes):
        try:
            yield from _parts(event, key, value.decode())
        except UnicodeDecodeError:
            return
    elif isinstance(value, str):
        documents = _documents(event, key, value)
        for document in documents:
            yield from _leaves(document)
        if not documents:
            yield (), _Plain(event, key, value)


def _documents(event: Event, key: str, text: str) -> list[_Document]:
    """The documents of a text that is JSON, or server-sent events with JSON in them; none of any other."""
    if (whole := _parsed(text)) is not None:
        return [_Document(event, key, whole[1], whole[0], text, [text])]
    lines = text.split("\n")
    found = [
        _Document(event, key, parsed[1], parsed[0], line, lines, index)
        for index, line in enumerate(lines)
        if (parsed := _parsed(line)) is not None
    ]
    known = {document.index for document in found}
    others = [line for index, line in enumerate(lines) if index not in known]
    return found if all(map(_BESIDE.match, others)) else []


def _parsed(text: str) -> tuple[str, Any] | None:
    """What stands in front of JSON, and the JSON; None where a text is none."""
    start = _SERVER_SENT.match(text)
    if start is None:
        return None
    try:
        return start.group(), json.loads(text[start.end() :])
    except (ValueError, RecursionError):
        return None


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
