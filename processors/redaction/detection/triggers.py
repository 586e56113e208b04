"""What finds candidates: one pass over text, reporting where a trigger of a rule or a marker of an encoding ends.

Two engines report the same: Vectorscan (PyPI `hyperscan`), and Python's `re` where no wheel of it exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from processors.redaction.detection.encodings import MARKERS

SEPARATOR: Final = "\x1e"
"""Stands between texts that are scanned together; no trigger reaches over it."""

Hit = tuple[int, int]
"""(number of the trigger, end of its match in characters)."""

LONGEST_TRIGGER: Final = 512
"""No match of a trigger is longer (characters), so that windows over a large text need to overlap by no more."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One expression; `marker` says that its presence anywhere in a text matters, not its place."""

    expression: str
    caseless: bool = False
    marker: bool = False

    def compile(self, form: str = "%s") -> re.Pattern[bytes]:
        """The expression for `re`, on bytes as for Vectorscan; `form` has its place in a larger one."""
        return re.compile((form % self.expression).encode(), re.IGNORECASE if self.caseless else 0)


class TriggerEngine(Protocol):
    """Finds triggers in text. Safe to use from several threads."""

    def touched(self, texts: Sequence[str], joined: str) -> dict[int, list[Hit]]:
        """The hits of each text that has any, by its index, in order; `joined` has SEPARATOR between the texts."""

    def hits(self, text: str) -> list[Hit]:
        """All trigger hits in a text, and one hit (n, 0) for each marker in it."""


class RegexEngine:
    """The engine without Vectorscan: slower, same hits."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        """Compile an expression for each trigger that reports overlapping matches too."""
        self._markers = [(number, trigger.compile()) for number, trigger in enumerate(triggers) if trigger.marker]
        self._triggers = [
            (number, trigger.compile("(?=(%s))")) for number, trigger in enumerate(triggers) if not trigger.marker
        ]

    def touched(self, texts: Sequence[str], joined: str) -> dict[int, list[Hit]]:
        """The hits of each text that has any."""
        return {index: hits for index, text in enumerate(texts) if (hits := self.hits(text))}

    def hits(self, text: str) -> list[Hit]:
        """All hits, each once."""
        data = text.encode("utf-8", "surrogatepass")
        marks = [(number, 0) for number, pattern in self._markers if pattern.search(data)]
        found: list[Hit] = []
        for number, pattern in self._triggers:
            found += [(number, end) for end in {match.end(1) for match in pattern.finditer(data)}]
        return marks + (found if text.isascii() else list(dict.fromkeys(in_characters(data, found))))


def in_characters(data: bytes, hits: list[Hit]) -> list[Hit]:
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


def build_engine(expressions: Sequence[Trigger]) -> TriggerEngine:
    """The fastest engine that can be had here."""
    if not has_vectorscan():
        return RegexEngine(expressions)
    from processors.redaction.detection.vectorscan import VectorscanEngine  # noqa: PLC0415 - an optional dependency

    return VectorscanEngine(expressions)


def has_vectorscan() -> bool:
    """Whether the fast engine is there; where it is not, the start of the program should say so."""
    try:
        import processors.redaction.detection.vectorscan  # noqa: F401, PLC0415 - an optional dependency
    except ImportError:
        return False
    return True


MARKER_TRIGGERS: Final = tuple(Trigger(marker.expression, marker=True) for marker in MARKERS)
