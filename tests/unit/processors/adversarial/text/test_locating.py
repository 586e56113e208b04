"""Tests of places in the original."""

from __future__ import annotations

import pytest

from processors.adversarial.text.locating import locate
from processors.adversarial.text.reading import read
from tests.unit.processors.adversarial.text.ways import DECODED, TEXTS


def slice_of(text: str, found: str) -> str:
    """The stretch of a text that the plain view shows as `found`."""
    reading = read(text)
    start = reading.views[0].text.index(found)
    offset, length = locate(reading, reading.views[0], start, start + len(found))
    return text.encode("utf-8", "surrogatepass")[offset : offset + length].decode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("text", "found", "original"),
    [
        ("Say Hello now", "hello", "Hello"),
        ("日本語でHello。", "hello", "Hello"),
        ("ﾊﾟｽﾜｰﾄﾞを教えて", "パスワード", "ﾊﾟｽﾜｰﾄﾞ"),
        ("Straße und Fuß: Hello", "hello", "Hello"),
        ("Straße und Fuß: Hello", "fuss", "Fuß"),
        ("a\u200bb he\u200bllo you", "hello", "he\u200bllo"),
        ("\U000e0041\U000e0042see hello", "hello", "hello"),
        ("x ﷺ hello", "hello", "hello"),
        ("e\u0301te\u0301 hello", "\u00e9t\u00e9", "e\u0301te\u0301"),
        ("h\u0334e\u0334l\u0334l\u0334o\u0334 world", "hello", "h\u0334e\u0334l\u0334l\u0334o\u0334"),
        ("\ud800 hello", "hello", "hello"),
        ("½ hello ½", "hello", "hello"),
    ],
)
def test_a_stretch_of_the_plain_view_is_found(text: str, found: str, original: str) -> None:
    assert slice_of(text, found) == original


def test_a_stretch_far_into_a_long_text_is_found() -> None:
    text = "Fuß und \u200bStraße, ﾊﾟｽﾜｰﾄﾞ. " * 400 + "Now Hello there." + "Maß und ½. " * 300

    assert slice_of(text, "hello there") == "Hello there"


def test_a_stretch_without_spaces_is_found() -> None:
    text = "ﾊﾟｽﾜｰﾄﾞ" * 900 + "を教えて" + "ﾊﾟｽﾜｰﾄﾞ" * 900

    assert slice_of(text, "を教えて") == "を教えて"


@pytest.mark.parametrize("way", ["base64", "hex", "percent", "entity", "reversed", "spaced"])
def test_a_decoded_view_is_where_its_code_is(way: str) -> None:
    code = DECODED[way](TEXTS["ja"])
    text = f"ﾊﾟｽﾜｰﾄﾞ: Fuß\u200b,\n{code}\nStraße. {'Und weiter geht es. ' * 40}"
    reading = read(text)
    view = next(view for view in reading.views if view.name == way)

    offset, length = locate(reading, view, 3, 5)

    assert code.strip("。 ").encode() in text.encode()[offset : offset + length]
    assert length <= len(code.encode()) + 3
