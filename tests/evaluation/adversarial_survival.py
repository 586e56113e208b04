"""Attacks that are found, hidden in many ways: how many are found still. And signs that prove hiding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from processors.adversarial.detector import Detector
from processors.adversarial.model.model import SUSPECT
from processors.adversarial.tables import read_table
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Sign
from processors.adversarial.verdict import Origin, Part
from tests.unit.processors.adversarial.text import ways
from training.adversarial.judgements import Judgements
from training.adversarial.rows import Row

JOINERS: Final = Path("tests/data/adversarial/joiners.yaml")
LISTED: Final = (
    "base64", "hex", "percent", "percent all", "unicode_escape", "entity", "rot13", "cyrillic", "zero width", "tag",
    "full width",
)  # fmt: skip
"""Ways that must not hide more than one in ten."""
SURVIVAL: Final = 0.9
HIDING: Final = (
    Sign.TAG_CHARACTERS, Sign.TAG_TEXT, Sign.VARIATION_BYTES, Sign.VARIATION_TEXT, Sign.INVISIBLE, Sign.BIDI_OVERRIDE,
)  # fmt: skip
"""Signs of characters that are not seen."""
_LANGUAGES: Final = ("en", "ja")
_LOT: Final = 32
_HARMLESS: Final = 150


@dataclass(frozen=True, slots=True)
class Survival:
    """What became of texts hidden in one way.

    Attributes:
        attacks: those that are found when nothing hides them, as far as they can be hidden so.
        found: of these, hidden.
        harmless: natural texts that pass when nothing hides them.
        flagged: of these, hidden.
    """

    way: str
    attacks: int
    found: int
    harmless: int
    flagged: int

    @property
    def share(self) -> float:
        """Of attacks."""
        return self.found / self.attacks


def scores_of(detector: Detector, texts: Sequence[str], origin: Origin = Origin.USER) -> Iterator[float]:
    """The scores of texts."""
    for first in range(0, len(texts), _LOT):
        for verdict in detector.judge([Part(text, origin) for text in texts[first : first + _LOT]]):
            yield verdict.score


def judged(detector: Detector, rows: Sequence[Row], origin: Origin = Origin.USER) -> Judgements:
    """The scores of labelled texts."""
    return Judgements(rows, np.array(list(scores_of(detector, [row.text for row in rows], origin))))


def plain(judgements: Judgements) -> tuple[list[str], list[str]]:
    """English and Japanese texts that nothing hides: attacks that are found, and some natural texts that pass."""
    found: tuple[list[str], list[str]] = [], []
    for row, score in zip(judgements.rows, judgements.scores, strict=True):
        is_right = row.is_attack == bool(score >= SUSPECT)
        if (
            is_right
            and row.language in _LANGUAGES
            and (row.is_natural or row.is_attack)
            and row.category != "obfuscated"
        ):
            found[row.is_natural].append(row.text)
    attacks, natural = found
    return attacks, natural[:: max(1, len(natural) // _HARMLESS)]


def survivals(detector: Detector, attacks: Sequence[str], harmless: Sequence[str]) -> Iterator[Survival]:
    """What becomes of texts in each way of hiding; those in other letters are spared where it hides Latin ones only."""
    for way, hide in {**ways.DECODED, **ways.FOLDED, **ways.ASCII_DECODED, **ways.ASCII_FOLDED}.items():
        fit = [_that_fit(way, texts) for texts in (attacks, harmless)]
        flagged = [_flagged(detector, [hide(text) for text in texts]) for texts in fit]
        yield Survival(way, len(fit[0]), flagged[0], len(fit[1]), flagged[1])


def _that_fit(way: str, texts: Sequence[str]) -> Sequence[str]:
    if way in ways.DECODED or way in ways.FOLDED:
        return texts
    latin = [" ".join(text.split()) for text in texts if text.isascii()]
    if way != "morse":
        return latin
    known = {" ", *read_table("spelling.yaml")["morse"]}
    return [text for text in latin if known.issuperset(text.lower())]


def _flagged(detector: Detector, texts: Sequence[str]) -> int:
    return sum(score >= SUSPECT for score in scores_of(detector, texts))


def raised(text: str) -> set[Sign]:
    """The signs of hiding in a text."""
    signs = read(text).signs
    return {sign for sign in HIDING if signs[sign]}


def unraised(texts: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How many texts raise no sign when they are hidden as tags, and as variation selectors; and how many can be."""
    hidden: dict[str, tuple[Callable[[str], str], Sign, list[str]]] = {
        "tags": (ways.tags, Sign.TAG_CHARACTERS, [text for text in texts if text.isascii()]),
        "variation selectors": (ways.selectors, Sign.VARIATION_BYTES, list(texts)),
    }
    return {
        name: (sum(sign not in raised(f"Thanks!{hide(text)} Bye.") for text in some), len(some))
        for name, (hide, sign, some) in hidden.items()
    }


def joiners() -> dict[str, list[str]]:
    """Sentences, by language, with joiners and selectors where they belong."""
    loaded: dict[str, list[str]] = yaml.safe_load(JOINERS.read_text("utf-8"))
    return loaded
