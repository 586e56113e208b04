"""What finds candidates: one pass over text, reporting where a trigger of a rule or a marker of an encoding ends.

Two engines report the same: Vectorscan (PyPI `hyperscan`), and Python's `re` where no wheel of it exists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from processors.redaction.texts.encodings import MARKERS

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

    def compile(self) -> re.Pattern[str]:
        """The expression for `re`, with the meaning that Vectorscan gives it on bytes."""
        return re.compile(self.expression, re.ASCII | (re.IGNORECASE if self.caseless else 0))


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
            (number, re.compile(f"(?=({trigger.expression}))", trigger.compile().flags))
            for number, trigger in enumerate(triggers)
            if not trigger.marker
        ]

    def touched(self, texts: Sequence[str], joined: str) -> dict[int, list[Hit]]:
        """The hits of each text that has any."""
        return {index: hits for index, text in enumerate(texts) if (hits := self.hits(text))}

    def hits(self, text: str) -> list[Hit]:
        """All hits, each once."""
        found = [(number, 0) for number, pattern in self._markers if pattern.search(text)]
        for number, pattern in self._triggers:
            found += [(number, end) for end in {match.end(1) for match in pattern.finditer(text)}]
        return found


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
