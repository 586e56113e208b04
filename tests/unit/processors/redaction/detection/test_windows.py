"""Large texts in pieces: the same is found, wherever the cuts lie."""

from __future__ import annotations

# The parser of `re` has no public name.
from re import _parser  # type: ignore[attr-defined]

import pytest

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.detection.triggers import LONGEST_TRIGGER
from processors.redaction.detection.windows import WINDOW_CHARS, join, lots_of, windows_of
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder, Limits

FINDER = Finder(Detector(load_rules()), Limits(max_bytes=64 << 20))
ALL = Treatment(frozenset(load_types()))
MAIL = "jane.sample@example.com"


def test_pieces_overlap_and_leave_nothing_out() -> None:
    text = "".join(chr(33 + index % 90) for index in range(2 * WINDOW_CHARS + 5))
    pieces = list(windows_of(text, 7))
    assert [low for low, _ in pieces] == [0, WINDOW_CHARS - 7, 2 * WINDOW_CHARS - 7]
    assert all(text[low : low + len(piece)] == piece for low, piece in pieces)
    assert pieces[0][1] + "".join(piece[7:] for _, piece in pieces[1:]) == text


def test_very_many_pieces_are_joined_like_few() -> None:
    pieces = [str(number) for number in range(200_000)]
    assert join(pieces) == "".join(pieces)
    assert join([]) == ""


def test_an_empty_text_is_one_piece() -> None:
    assert list(windows_of("", 7)) == [(0, "")]


def test_a_lot_is_no_larger_than_a_window_unless_one_text_is() -> None:
    sizes = [10, WINDOW_CHARS * 3, 10, WINDOW_CHARS - 20, 30, WINDOW_CHARS]
    lots = list(lots_of(["x" * size for size in sizes]))
    assert [list(lot) for lot in lots] == [[0], [1], [2, 3], [4], [5]]


@pytest.mark.parametrize("cut", range(0, len(MAIL) + 8, 3))
def test_a_value_on_a_cut_is_found(cut: int) -> None:
    words = "words and more " * (WINDOW_CHARS // 15 + 1)
    text = f"{words[: WINDOW_CHARS - cut - 5]} to {MAIL} {words}"
    assert list(FINDER.touched(["small", text, words, MAIL])) == [1, 3]
    start = text.index(MAIL)
    assert [(found.start, found.end) for found in FINDER.find(text, ALL)] == [(start, start + len(MAIL))]


def test_wide_characters_and_placeholders_in_a_large_text() -> None:
    text = "日本語 <EMAIL> 😀 " * (WINDOW_CHARS // 16) + MAIL
    start = text.index(MAIL)
    assert [(found.start, found.end) for found in FINDER.find(text, ALL)] == [(start, len(text))]


def test_no_trigger_is_longer_than_what_windows_share() -> None:
    lengths = {trigger: _parser.parse(trigger).getwidth()[1] for rule in load_rules() for trigger in rule.triggers}
    assert {name: length for name, length in lengths.items() if length > LONGEST_TRIGGER} == {}


def test_a_small_text_beside_a_large_one_is_told_by_its_index() -> None:
    large = "x y " * WINDOW_CHARS
    assert list(FINDER.touched([MAIL, large, "clean", f"{large}{MAIL}", MAIL])) == [0, 3, 4]
