"""Tests of what is read of long texts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.excerpts import MAX_CHARACTERS, MAX_LOT, excerpts, pieces
from processors.adversarial.features.windows import SCALES
from processors.adversarial.text.view import View


def test_what_may_be_read_is_read_as_a_whole() -> None:
    for length in (0, 1, 4096, MAX_CHARACTERS):
        assert excerpts("x" * length) == [("x" * length, 0)]


@settings(max_examples=80)
@given(st.integers(4096, 20_000), st.integers(1, 200_000))
def test_of_a_longer_text_no_more_than_allowed_is_read(most: int, beyond: int) -> None:
    text = "".join(map(chr, range(0x3400, 0x3400 + 97))) * ((most + beyond) // 97 + 1)
    text = text[: most + beyond]

    found = excerpts(text, most)

    assert all(text[start : start + len(piece)] == piece for piece, start in found)
    assert sum(len(piece) for piece, _ in found) <= most
    assert sum(len(piece) for piece, _ in found) > most - 64
    ends = [start + len(piece) for piece, start in found]
    assert all(end <= start for end, (_, start) in zip(ends, found[1:], strict=False))


def test_half_is_from_the_beginning_a_quarter_from_the_end_and_the_rest_from_places_between() -> None:
    text = "x" * 1_000_000

    found = excerpts(text, 64_000)

    assert (found[0].start, len(found[0].text)) == (0, 32_000)
    assert (found[-1].start, len(found[-1].text)) == (984_000, 16_000)
    between = found[1:-1]
    assert [len(piece) for piece, _ in between] == [2000] * 8
    gaps = [later.start - earlier.start for earlier, later in itertools.pairwise(between)]
    assert max(gaps) - min(gaps) <= 1
    assert between[0].start == 32_000
    assert between[-1].start + 2000 == pytest.approx(984_000, abs=8)


def view_of(text: str) -> View:
    return View("plain", text, 3, 900)


@pytest.mark.parametrize("length", [0, 1, 5000, MAX_LOT - 10])
def test_a_view_that_is_scored_at_once_is_one_piece(length: int) -> None:
    view = view_of("x" * length)

    assert [(piece is view, begin) for piece, begin in pieces(view)] == [(True, 0)]


@pytest.mark.parametrize("length", [MAX_LOT - 9, MAX_LOT, MAX_LOT + 700, 2 * MAX_LOT - 20, 400_000, 1_200_000])
def test_a_longer_view_is_cut_so_that_each_window_is_in_a_piece(length: int) -> None:
    text = "".join(map(chr, range(0x3400, 0x3400 + 97))) * (length // 97 + 1)
    view = view_of(text[:length])

    found = list(pieces(view))

    assert {(piece.name, piece.start, piece.end) for piece, _ in found} == {("plain", 3, 900)}
    assert max(len(piece.text) for piece, _ in found) < MAX_LOT
    assert all(view.text[begin : begin + len(piece.text)] == piece.text for piece, begin in found)
    assert found[-1][1] + len(found[-1][0].text) == length
    overlaps = [begin + len(piece.text) - later for (piece, begin), (_, later) in itertools.pairwise(found)]
    assert min(overlaps) >= SCALES[-1]
