"""Tests of classes of characters."""

from __future__ import annotations

import numpy as np
import pytest

from processors.adversarial.features.alphabet import (
    BREAK,
    CONTINUOUS,
    LINE,
    MARK,
    QUOTE,
    SEPARATOR,
    WORD,
    class_table,
    classes_of,
)

CLASSES = {
    "latin": ("abcxyzABC", WORD),
    "digits": ("0123456789", WORD),
    "accents": ("éüßøñğłı", WORD),
    "combining accent": ("\u0301", WORD),
    "cyrillic": ("абвгдяйё", WORD),
    "greek": ("αβγω", WORD),
    "hangul": ("한국어", WORD),
    "arabic with vowel signs": ("عربي\u064e\u0651", WORD),
    "hindi with vowel signs": ("हिन्दी\u094d\u093f", WORD),
    "bengali with vowel signs": ("বাংলা\u09cd", WORD),
    "han": ("漢字中文々〇", CONTINUOUS),
    "kana": ("ひらがなカタカナー", CONTINUOUS),
    "thai with tones": ("ไทย\u0e49\u0e31", CONTINUOUS),
    "lao": ("ລາວ", CONTINUOUS),
    "spaces": (" \t\u00a0\u3000\u200b", None),
    "breaks": (".!?:;。\uff01\uff1f-#>*|([{", BREAK),
    "quotes": ("\"'`“”„«»「」『』_", QUOTE),
    "marks": (",、%&+=/\\@€~^", MARK),
    "line feed": ("\n", LINE),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_class(kind: str) -> None:
    characters, wanted = CLASSES[kind]

    found = {int(class_table()[ord(character)]) for character in characters}

    assert found == ({SEPARATOR} if wanted is None else {wanted})


def test_control_characters_and_surrogates_keep_words_apart() -> None:
    assert {int(class_table()[code]) for code in (0, 7, 9, 13, 0x200D, 0xD800, 0xDFFF)} == {SEPARATOR}


def test_beyond_the_basic_plane_han_is_continuous_and_all_else_a_mark() -> None:
    codes = np.array([0x20000, 0x2A6D6, 0x1F600, 0x1D41A, 0xE0041, 0x10FFFF, ord("a"), ord("漢")], np.uint32)

    assert classes_of(codes, class_table()).tolist() == [CONTINUOUS] * 2 + [MARK] * 4 + [WORD, CONTINUOUS]


def test_bytes_have_the_classes_of_their_code_points() -> None:
    narrow = np.arange(128, dtype=np.uint8)

    assert classes_of(narrow, class_table()).tolist() == classes_of(narrow.astype(np.uint32), class_table()).tolist()
