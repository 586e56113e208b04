"""The trigger engine on Vectorscan (PyPI `hyperscan`): all expressions in one pass over UTF-8 bytes."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import hyperscan

if TYPE_CHECKING:
    from processors.redaction.triggers import Hit, Trigger


def _collect(number: int, _start: int, end: int, _flags: int, hits: Any) -> None:
    hits.append((number, end))


class VectorscanEngine:
    """One database; a scratch for each thread."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        """Compile the database (milliseconds)."""
        self._markers = {number for number, trigger in enumerate(triggers) if trigger.marker}
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[trigger.expression.encode() for trigger in triggers],
            ids=list(range(len(triggers))),
            elements=len(triggers),
            flags=[_flags(trigger) for trigger in triggers],
        )
        self._local = threading.local()

    def _scan(self, data: bytes) -> list[Hit]:
        hits: list[Hit] = []
        scratch: Any = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, _collect, context=hits, scratch=scratch)
        return hits

    def touched(self, texts: Sequence[str], joined: str) -> Sequence[int]:
        """Indexes of the texts with any hit; one scan over all of them."""
        hits = self._scan(joined.encode("utf-8", "surrogatepass"))
        return self._owners(texts, joined, hits) if hits else ()

    def _owners(self, texts: Sequence[str], joined: str, hits: Sequence[Hit]) -> Sequence[int]:
        ascii_only = joined.isascii()
        sizes = [len(text if ascii_only else text.encode("utf-8", "surrogatepass")) + 1 for text in texts]
        ends = list(accumulate(sizes))
        found = {bisect_right(ends, end - 1) for _, end in hits}
        marked = [bisect_right(ends, end - 1) for number, end in hits if number in self._markers]
        if marked:
            # A marker is reported once for the whole buffer: what lies behind the first is looked at text by text.
            for index in range(min(marked) + 1, len(texts)):
                if index not in found and self._scan(texts[index].encode("utf-8", "surrogatepass")):
                    found.add(index)
        return sorted(found)

    def hits(self, text: str) -> list[Hit]:
        """All hits of one text, offsets in characters."""
        data = text.encode("utf-8", "surrogatepass")
        hits = self._scan(data)
        if not hits or text.isascii():
            return [(number, 0 if number in self._markers else end) for number, end in hits]
        return _in_characters(data, hits, self._markers)


def _in_characters(data: bytes, hits: list[Hit], markers: set[int]) -> list[Hit]:
    """Turn byte offsets into character offsets, counting each stretch of the text once."""
    found = []
    characters = position = 0
    for number, end in sorted(hits, key=lambda hit: hit[1]):
        if number in markers:
            found.append((number, 0))
            continue
        characters += len(data[position:end].decode("utf-8", "surrogatepass"))
        position = end
        found.append((number, characters))
    return found


def _flags(trigger: Trigger) -> int:
    flags = hyperscan.HS_FLAG_CASELESS if trigger.caseless else 0
    return flags | (hyperscan.HS_FLAG_SINGLEMATCH if trigger.marker else 0)
