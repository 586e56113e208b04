"""No text makes a rule slow: the work grows with the text, however densely candidates stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.rule import Rule

ALL = frozenset(load_types())
SMALL, LARGE = 1 << 11, 1 << 13
MOST_PER_CHARACTER = 64


class CountingPattern:
    """A pattern that counts the searches made with it and the characters they went over."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.searches = self.characters = 0

    def search(self, text: str, start: int = 0, end: int = 1 << 40) -> re.Match[str] | None:
        match = self._pattern.search(text, start, end)
        self.searches += 1
        self.characters += (match.end() if match else min(end, len(text))) - start
        return match

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self.searches += 1
        self.characters += len(text)
        return self._pattern.finditer(text)


def counting(rule: Rule) -> tuple[Rule, CountingPattern]:
    pattern = CountingPattern(rule.pattern)
    return replace(rule, pattern=cast("re.Pattern[str]", pattern)), pattern


COUNTED = [counting(rule) for rule in load_rules()]
PATTERNS = [pattern for _, pattern in COUNTED]
DETECTOR = Detector([rule for rule, _ in COUNTED])


def work(text: str) -> tuple[int, int]:
    """The most searches and the most characters of any rule."""
    for pattern in PATTERNS:
        pattern.searches = pattern.characters = 0
    DETECTOR.verify(text, DETECTOR.scan(text).hits, ALL)
    return max(pattern.searches for pattern in PATTERNS), max(pattern.characters for pattern in PATTERNS)


def hostile_texts(rule: Rule) -> Iterator[str]:
    for sample in (rule.positive[0], rule.negative[0]):
        yield sample
        yield sample[: max(1, len(sample) * 2 // 3)]
        yield re.sub(r"\s+", "", sample) or "x"


@pytest.mark.parametrize("rule", load_rules()[::3], ids=lambda rule: rule.id)
def test_work_grows_with_the_text(rule: Rule) -> None:
    for piece in hostile_texts(rule):
        text = piece * (LARGE // len(piece) + 1)
        searches, characters = work(text[:LARGE])
        assert searches <= LARGE
        assert characters <= MOST_PER_CHARACTER * LARGE
        fewer, shorter = work(text[:SMALL])
        assert searches <= 6 * fewer + 32
        assert characters <= 6 * shorter + SMALL


@pytest.mark.parametrize(
    "piece", ["1", "12 ", "0-", "a@", "A1", "(0", "+1", "::", "key=", "sk-", "eyJ", "\u5b57", "<EMAIL>"]
)
def test_work_grows_with_walls_of_one_kind(piece: str) -> None:
    text = piece * LARGE
    searches, characters = work(text[:LARGE])
    assert searches <= LARGE
    assert characters <= MOST_PER_CHARACTER * LARGE
