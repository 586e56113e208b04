"""The trigger engine on Vectorscan (PyPI `hyperscan`): all expressions in a few passes over UTF-8 bytes."""

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, Final

import hyperscan

from processors.redaction.triggers import Hit, Trigger

# What an expression needs of a text, from the most to the least selective; the first that is true of it names its
# database. Expressions of one kind share what Vectorscan skips text by (a literal, a first character), so that three
# databases together take less than half of the time of one with everything in it.
_NOT_LITERAL: Final = re.compile(r"\[(?:\\.|[^\]\\])*\]|\{[0-9,]+\}|\\[A-Za-z]|\(\?[:i]")
_LITERAL: Final = re.compile(r"[0-9A-Za-z]{3}|[^\x00-\x7f]{2}")
_GUARD: Final = re.compile(r"\(\?:\^\|(?:\n|\\n|.*?\[\^(?:\\.|[^\]\\])*\])\)")
_DIGIT_LED: Final = re.compile(r"(?:\\?\((?:\?:)?)*(?:\[[0-9][^A-Za-z\]]*\]|[0-9])")
_CAPITAL_LED: Final = re.compile(r"(?:\\?\((?:\?:)?)*\[[^a-z\]]*A-Z[^a-z\]]*\]")


def _kind(expression: str) -> str:
    body = _GUARD.sub("", expression, count=1)
    if _LITERAL.search(_NOT_LITERAL.sub(" ", body)):
        return "literal"
    if _DIGIT_LED.match(body):
        return "digit"
    return "capital" if _CAPITAL_LED.match(body) else "sign"


def _collect(number: int, _start: int, end: int, _flags: int, hits: Any) -> None:
    hits.append((number, end))


def _stop(_number: int, _start: int, end: int, _flags: int, ends: Any) -> bool:
    ends.append(end)
    return True


class VectorscanEngine:
    """A few databases; a scratch of each for each thread."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        """Compile the databases (milliseconds)."""
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for number, trigger in enumerate(triggers):
            groups["marker" if trigger.marker else _kind(trigger.expression)].append(number)
        markers = groups.pop("marker", [])
        self._marker_database = _compile(triggers, markers) if markers else None
        self._databases = [_compile(triggers, numbers) for numbers in groups.values()]
        self._local = threading.local()

    def _scratches(self) -> tuple[list[tuple[Any, Any]], tuple[Any, Any] | None]:
        """Each database with the scratch of this thread, and that of the markers."""
        try:
            return self._local.scratches  # type: ignore[no-any-return]  # `local` has no types
        except AttributeError:
            pairs = [(database, hyperscan.Scratch(database)) for database in self._databases]
            marker = self._marker_database
            self._local.scratches = pairs, marker and (marker, hyperscan.Scratch(marker))
            return self._local.scratches  # type: ignore[no-any-return]  # as above

    def touched(self, texts: Sequence[str], joined: str) -> Sequence[int]:
        """Indexes of the texts with any hit, in order."""
        data = joined.encode("utf-8", "surrogatepass")
        pairs, marker = self._scratches()
        hits: list[Hit] = []
        for database, scratch in pairs:
            database.scan(data, _collect, 0, hits, scratch)
        ends: list[int] = []
        if marker is not None:
            with suppress(hyperscan.ScanTerminated):
                marker[0].scan(data, _stop, 0, ends, marker[1])
        if not hits and not ends:
            return ()
        places = _places(texts, joined)
        found = {bisect_right(places, end - 1) for _, end in hits}
        if marker is not None and ends:
            found |= _marked(data, places, ends[0], *marker)
        return sorted(found)

    def owners(self, texts: Sequence[str], joined: str) -> set[tuple[int, int]]:
        """(index of a text, number of a trigger) for all hits; markers are not among them."""
        data = joined.encode("utf-8", "surrogatepass")
        hits: list[Hit] = []
        for database, scratch in self._scratches()[0]:
            database.scan(data, _collect, 0, hits, scratch)
        if not hits:
            return set()
        places = _places(texts, joined)
        return {(bisect_right(places, end - 1), number) for number, end in hits}

    def hits(self, text: str) -> list[Hit]:
        """All hits of one text, offsets in characters."""
        data = text.encode("utf-8", "surrogatepass")
        pairs, marker = self._scratches()
        hits: list[Hit] = []
        for database, scratch in pairs:
            database.scan(data, _collect, 0, hits, scratch)
        if hits and not text.isascii():
            hits = _in_characters(data, hits)
        if marker is not None:
            marks: list[Hit] = []
            marker[0].scan(data, _collect, 0, marks, marker[1])
            hits += [(number, 0) for number, _ in marks]
        return hits


def count_in(expression: str, sample: str) -> float:
    """How many hits an expression has in a text; infinite where Vectorscan cannot look for it."""
    try:
        database = _compile([Trigger(expression)], [0])
    except hyperscan.HyperscanError:
        return math.inf
    hits: list[Hit] = []
    database.scan(sample.encode(), _collect, 0, hits, hyperscan.Scratch(database))
    return len(hits)


def _places(texts: Sequence[str], joined: str) -> list[int]:
    """Where each text ends in the joined bytes, its separator included."""
    if joined.isascii():
        return list(accumulate([len(text) + 1 for text in texts]))
    return list(accumulate([len(text.encode("utf-8", "surrogatepass")) + 1 for text in texts]))


def _marked(data: bytes, places: Sequence[int], end: int, database: Any, scratch: Any) -> set[int]:
    """Indexes of the texts with a marker: a scan stops at the first one and goes on with the next text."""
    found = set()
    view = memoryview(data)
    while True:
        index = bisect_right(places, end - 1)
        found.add(index)
        start = places[index]
        ends: list[int] = []
        try:
            database.scan(view[start:], _stop, 0, ends, scratch)
        except hyperscan.ScanTerminated:
            end = start + ends[0]
        else:
            return found


def _in_characters(data: bytes, hits: list[Hit]) -> list[Hit]:
    """Turn byte offsets into character offsets, counting each stretch of the text once."""
    found = []
    characters = position = 0
    for number, offset in sorted(hits, key=_end_of):
        end = offset
        # `[^a]` matches the first byte of a character as well.
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end += 1
        if end != position:
            characters += len(data[position:end].decode("utf-8", "surrogatepass"))
            position = end
        found.append((number, characters))
    return found


def _end_of(hit: Hit) -> int:
    return hit[1]


def _compile(triggers: Sequence[Trigger], numbers: Sequence[int]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[triggers[number].expression.encode() for number in numbers],
        ids=list(numbers),
        elements=len(numbers),
        flags=[_flags(triggers[number]) for number in numbers],
    )
    return database


def _flags(trigger: Trigger) -> int:
    flags = hyperscan.HS_FLAG_CASELESS if trigger.caseless else 0
    return flags | (hyperscan.HS_FLAG_SINGLEMATCH if trigger.marker else 0)
