"""Every encoding leads back to exactly the characters that it was written with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.detection import encodings
from processors.redaction.detection.encodings import Decoded, Encoding
from processors.redaction.detection.windows import WINDOW_CHARS

ENCODINGS = {
    "escapes": encodings.ESCAPES,
    "percent": encodings.PERCENT_ENCODING,
    "form": encodings.FORM_ENCODING,
    "html": encodings.ENTITIES,
    "invisible": encodings.INVISIBLE_CHARACTERS,
}
PIECES = [
    "a",
    "é",
    "\U0001f600",
    "\\",
    "\\\\",
    '\\"',
    "\\n",
    "\\u0041",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\x41",
    "\\xe3\\x81\\x82",
    "\\xe3",
    "\\U0001f600",
    "\\'",
    "%",
    "%41",
    "%E3%81%82",
    "%E3",
    "%ff",
    "+",
    "&amp;",
    "&#64;",
    "&",
    "\u200b",
    "\u00ad",
]
texts = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(st.lists(st.sampled_from([*PIECES, '"', "\x7f", "\\u007f", "\\/", "\n", "\ud83d"]), max_size=12).map("".join))
def test_escapes_are_decoded_alike_with_and_without_a_way_back(text: str) -> None:
    assert encodings.unescaped(text) == Decoded(text, encodings.ESCAPES).text


@given(st.sampled_from(sorted(ENCODINGS)), texts)
def test_each_character_comes_from_what_decodes_to_it(name: str, text: str) -> None:
    encoding = ENCODINGS[name]
    decoded = Decoded(text, encoding)
    end = 0
    for offset, character in enumerate(decoded.text):
        start, behind = decoded.original(offset, offset + 1)
        assert start >= end
        assert decoded.offset(start) == offset
        assert text[start:behind] == character or character in _decoded(text[start:behind], encoding)
        end = behind


def _decoded(piece: str, encoding: Encoding) -> str:
    # A part of a run of bytes that are no UTF-8 by themselves is read byte by byte.
    return Decoded(piece, encoding).text + Decoded(piece, encodings.FORM_ENCODING).text + " "


@given(st.text())
def test_escaping_is_undone_by_decoding(text: str) -> None:
    assert Decoded(encodings.escape(text), encodings.ESCAPES).text == text


@pytest.mark.parametrize("name", ["percent", "form", "html"])
@given(text=st.text())
def test_a_stand_in_is_read_as_it_was_meant(name: str, text: str) -> None:
    encode = ENCODINGS[name].encode
    assert encode is not None
    assert Decoded(encode(text), ENCODINGS[name]).text == text


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(encodings.fold_full_width(text)) == len(text)


@pytest.mark.parametrize("text", ["C:\\dir\\go", "a\\dz", "\\q", "\\u12", "no escapes"])
def test_other_backslashes_are_no_escapes(text: str) -> None:
    assert not encodings.has_escapes(text)
    assert Decoded(text, encodings.ESCAPES).text == text


short = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)


@given(st.sampled_from(sorted(ENCODINGS)), st.lists(short, max_size=30).map("q".join), st.integers(100, 150))
def test_large_texts_decode_the_same_in_windows(name: str, text: str, window: int) -> None:
    encoding = ENCODINGS[name]
    whole = Decoded(text, encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encodings, "WINDOW_CHARS", window)
        cut = Decoded(text, encoding)
    spans = [whole.original(offset, offset + 1) for offset in range(len(whole.text))]
    assert cut.text == whole.text
    assert [cut.original(offset, offset + 1) for offset in range(len(cut.text))] == spans


@pytest.mark.parametrize("shift", range(4))
def test_a_large_text_is_folded_as_a_small_one(shift: int) -> None:
    pattern = "\uff11\u2010\uff12\uff41\u30103\u2010\uff14"
    size = WINDOW_CHARS // len(pattern) + 1
    large = "-" * shift + pattern * size * 2
    assert encodings.fold_full_width(large) == "-" * shift + encodings.fold_full_width(pattern) * size * 2
