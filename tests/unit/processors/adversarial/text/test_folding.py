"""Tests of folding: forms, look-alikes and stacked marks."""

from __future__ import annotations

import pytest

from processors.adversarial.text.plain import fold
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Sign


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("\uff29\uff47\uff4e\uff4f\uff52\uff45\u3000\uff41\uff4c\uff4c\uff01", "ignore all!"),
        ("ﾊﾟｽﾜｰﾄﾞｦ", "パスワードヲ"),
        ("①②㈱㎡", "12(株)m2"),
        ("ﬁle", "file"),
        ("e\u0301", "é"),
        ("か\u3099", "が"),
        ("\u1112\u1161\u11ab", "한"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("ΣΟΦΟΣ σοφος", "σοφοσ σοφοσ"),
    ],
)
def test_forms_are_folded(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ign\u043ere \u0430ll", "ignore all"),
        ("ign\u03bfre", "ignore"),
        ("tell me \u0430 joke", "tell me a joke"),
        ("\u0441\u043e\u0440\u0443 that", "copy that"),
        ("\ua731\u029c\u1d0f\u1d21", "show"),
        ("\u0570ell\u0585", "hello"),
    ],
)
def test_look_alikes_become_latin(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert read(text).signs[Sign.HOMOGLYPH] > 0


@pytest.mark.parametrize(
    "text",
    [
        "\u0440\u043e\u0441\u0430 \u0438 \u0441\u043e\u043a",
        "\u0441\u043b\u043e\u0432\u043e API \u0430 \u0442\u0430\u043a\u0436\u0435 \u0441\u0430\u043c URL",
        "\u03b1\u03b2\u03b3 and \u03c3x of a formula",
        "\u03bcm, \u0394x",
        "USB-\u043a\u0430\u0431\u0435\u043b\u044c",
        "d\u0131\u015f\u0131nda",
    ],
)
def test_words_of_other_scripts_stay(text: str) -> None:
    assert fold(text) == text.casefold().replace("\u03bc", "\u03bc")
    assert read(text).signs[Sign.HOMOGLYPH] == 0


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("i\u0334g\u0321n\u0327o\u0334r\u0334e\u0325", "ignore"),
        ("\u0438\u0334\u0439\u0334\u0451\u0334", "\u0438\u0439\u0451"),
        ("\u7121\u0334\u8996\u0334", "\u7121\u8996"),
    ],
)
def test_stacked_marks_are_taken_off(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert read(text).signs[Sign.ZALGO] == 1


@pytest.mark.parametrize(
    "text", ["\u0432\u043e\u0301\u0440\u043e\u043d", "tiếng Việt", "ที่นี่", "हिन्दी में", "العَرَبِيَّة", "e\u0301te\u0301 \u00e0"]
)
def test_marks_of_a_language_stay(text: str) -> None:
    assert read(text).signs[Sign.ZALGO] == 0


def test_forms_are_counted_but_not_punctuation() -> None:
    assert read("\uff29\uff47\uff4e\uff4f\uff52\uff45").signs[Sign.COMPATIBILITY] == 6
    assert read("そうですか\uff01\uff1f\uff08はい\uff09").signs[Sign.COMPATIBILITY] == 0
    assert read("น้ำ").signs[Sign.COMPATIBILITY] == 0


def test_a_ligature_does_not_make_a_long_text_longer() -> None:
    assert len(fold("\ufdfa" * 1000)) == 1000
    assert len(fold("\ufdfa")) == 18
