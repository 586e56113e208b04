"""Plain text is cut between characters, and says what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.limits.marker import Marker
from processors.limits.texts import cut_text, prefix, size_bytes, whole

MARKER = Marker("…[cut {bytes} bytes]")


def test_a_text_that_fits_is_left_alone() -> None:
    text = "x" * 128
    assert cut_text(text, 128, MARKER) is text


def test_the_end_is_marked_with_what_is_missing() -> None:
    cut = cut_text("a" * 3000, 100, MARKER)
    kept = len(cut) - len(cut.lstrip("a"))
    assert cut == "a" * kept + f"…[cut {3000 - kept} bytes]"
    assert len(cut.encode()) == 100


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("日本語", "日"),  # 5 bytes hold one character of three
        ("ab\N{GRINNING FACE}", "ab"),  # four bytes
        ("abe\u0301\u0301", "ab"),  # a base and its combining marks
        ("ab\N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", "ab"),
        ("a\N{MAN}\u200d\N{WOMAN}", "a"),  # joined into one sign
        ("abcdef", "abcde"),
    ],
)
def test_no_character_is_taken_apart(text: str, kept: str) -> None:
    assert text[: prefix(text, 5)] == kept


def test_marks_without_end_are_taken_apart() -> None:
    assert whole("a" + "\u0301" * 1000, 500) == 500


def test_a_second_cut_counts_on() -> None:
    once = cut_text("a" * 3000, 500, MARKER)
    twice = cut_text(once, 128, MARKER)
    assert twice.endswith(" bytes]")
    assert twice.count("[cut") == 1
    kept, missing = MARKER.take_off(twice)
    assert len(kept) + missing == 3000


def test_where_no_mark_fits_there_is_none() -> None:
    assert cut_text("a" * 100, 5, MARKER) == "aaaaa"
    assert cut_text("a" * 100, 0, MARKER) == ""


def test_a_mark_without_a_number() -> None:
    assert cut_text("a" * 100, 10, Marker("...")) == "aaaaaaa..."
    assert cut_text("a" * 100, 10, Marker("")) == "a" * 10


@given(st.text(max_size=400), st.integers(0, 300), st.sampled_from(["…[cut {bytes} bytes]", "~", ""]))
def test_any_text_under_any_limit(text: str, limit: int, template: str) -> None:
    marker = Marker(template)
    cut = cut_text(text, limit, marker)
    assert size_bytes(cut) <= max(limit, 0)
    assert cut_text(cut, limit, marker) == cut
    assert size_bytes(cut) <= size_bytes(text)
    if cut != text:
        kept, missing = marker.take_off(cut)
        assert text.startswith(kept)
        assert not missing or size_bytes(kept) + missing >= size_bytes(text) - size_bytes(template) - 19
