"""Tests of the classes of code points: those of the file, and that the file is what its script makes."""

from __future__ import annotations

import unicodedata

import pytest

from processors.adversarial.tables import read_table
from processors.adversarial.text.code_points import classes, letter_count, shapes, shown
from training.adversarial.code_points import class_of

UNICODE = "14.0.0"
"""What the file was made from."""


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Az09 _.\n", "aa00 .. "),
        ("\u00e9\u0131\u0105", "lll"),
        ("\u044f\u0401 \u03b1", "cc g"),
        ("\u304b\u30ab\u6f22\ud55c\u3005", "kkkkk"),
        ("\u0915\u093e\u0e01\u0627", "oooo"),
        ("\uff21\uff76\u2460\u1d41a"[:3], "fff"),
        ("\uff01\u3000\u00a0", "ppp"),
        ("\u200b\u00ad\u2060\ufeff", "zzzz"),
        ("\u200c\u200d\u202e", "jjb"),
        ("\ufe0f\U000e0100\U000e0041", "vwt"),
        ("\u0301\u3099", "mM"),
        ("\u1d00\U0001f150", "ss"),
        ("\U00020000\U0001f600", "k."),
        ("\U0010ffff\U000f0000\ud800", "..."),
    ],
)
def test_classes(text: str, kinds: str) -> None:
    assert classes(text) == kinds.encode()


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason="another Python's Unicode data")
def test_the_file_is_what_the_script_makes() -> None:
    always = frozenset(read_table("homoglyphs.yaml")["always"])
    points = [*range(0x3100), *range(0x3100, 0xE01F1, 61)]

    found = classes("x".join(map(chr, points)))[::2]

    assert found.decode() == "".join(class_of(point, always) for point in points)


def test_shapes_are_coarser() -> None:
    assert shapes("Az 09.") == b"aa.00."
    assert shapes("\u00e9\u6f22 1!") == b"uu.0."


def test_what_is_hidden_is_left_out() -> None:
    text = "a\u200bb\U000e0041\ud800c"

    assert shown(text, classes(text)) == ("ab\ud800c", b"aa.a")
    assert letter_count(b"alcgko0 .") == 6
