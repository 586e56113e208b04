"""Tests of what is not seen in a text: counted, read, and taken out."""

from __future__ import annotations

import pytest

from processors.adversarial.text.reading import read
from processors.adversarial.text.view import Sign
from tests.unit.processors.adversarial.text.ways import TEXTS, selectors, tags

FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


def signs_of(text: str) -> dict[str, int]:
    return {sign.name: count for sign, count in zip(Sign, read(text).signs, strict=True) if count}


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("a flag " + FLAG, {}),
        ("two flags " + FLAG + FLAG, {}),
        ("a flag without end \U0001f3f4\U000e0067\U000e0062", {"TAG_CHARACTERS": 2}),
        ("tags without flag \U000e0067\U000e0062\U000e007f", {"TAG_CHARACTERS": 3}),
        ("hi" + tags("see you"), {"TAG_CHARACTERS": 7, "TAG_TEXT": 1}),
        ("".join("visible"[number % 7] + tag for number, tag in enumerate(tags("hidden in between"))),
         {"TAG_CHARACTERS": 17, "TAG_TEXT": 1}),
        ("\u2764\ufe0f and \u263a\ufe0e", {}),
        ("\u8fbb\U000e0100\u8fbb\U000e0101 of Japanese names", {}),
        ("\ufe0f\ufe0f\ufe0f\ufe0f\ufe0f", {}),
        ("x" + selectors("\x00\x01\x80\xff"), {"VARIATION_BYTES": 6}),
        ("x" + selectors("see you at noon"), {"VARIATION_BYTES": 15, "VARIATION_TEXT": 1}),
        ("\ufeffwith a byte order mark", {}),
        ("ig\u200bno\u2060re", {"INVISIBLE": 2}),
        ("ig\u200dnore \u0438\u200c\u0433 \u306a\u200d\u306b", {"INVISIBLE": 3}),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", {}),
        ("\u0915\u094d\u200d\u0937", {}),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", {}),
        ("abc \u202eerongi\u202c", {"INVISIBLE": 1, "BIDI_OVERRIDE": 1}),
        ("\u05e9\u05dc\u05d5\u05dd \u202d\u200f123\u202c", {}),
        ("in\u00advisible hyphen", {"INVISIBLE": 1}),
    ],
)  # fmt: skip
def test_what_is_not_seen_is_counted(text: str, signs: dict[str, int]) -> None:
    assert signs_of(text) == signs


def test_what_is_not_seen_is_not_in_the_plain_view() -> None:
    assert read("a\u200bb\u2060c" + tags("hidden") + "d" + selectors("hidden") + "\u202ee").views[0].text == "abcde"


@pytest.mark.parametrize(("name", "way"), [("tag", tags), ("variation_selector", selectors)])
def test_hidden_text_has_its_place(name: str, way: object) -> None:
    assert callable(way)
    hidden = way(TEXTS["en"])

    view = read(f"Hello!{hidden} Bye.").views[1]

    assert (view.name, view.text, view.start, view.end) == (name, TEXTS["en"].lower(), 6, 6 + len(hidden))


def test_bits_of_invisible_characters_are_read() -> None:
    bits = "".join(f"{byte:08b}" for byte in b"see you at noon")
    text = "Hello!" + bits.replace("0", "\u200b").replace("1", "\u200c")

    assert [(view.name, view.text) for view in read(text).views[1:]] == [("zero_width", "see you at noon")]


def test_words_that_something_invisible_keeps_apart_are_words() -> None:
    text = TEXTS["en"].replace(" ", "\u200b")

    assert ("invisible_space", TEXTS["en"].lower().rstrip(".")) in [(view.name, view.text) for view in read(text).views]
