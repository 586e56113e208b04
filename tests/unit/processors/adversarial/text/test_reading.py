"""Tests of reading: every way to hide a text is undone, harmless texts stay as they are, nothing raises or stalls."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.adversarial.text.locating import locate
from processors.adversarial.text.plain import fold
from processors.adversarial.text.reading import read
from processors.adversarial.text.view import PLAIN, SIGN_COUNT, Sign
from tests.unit.processors.adversarial.text.ways import ASCII_DECODED, ASCII_FOLDED, DECODED, FOLDED, HARMLESS, TEXTS

HOST = "Please have a look at my homework, thanks for all of it.\n{}\nThe rest of it can wait until Monday."
FLAGS = (Sign.TAG_CHARACTERS, Sign.VARIATION_BYTES, Sign.INVISIBLE, Sign.BIDI_OVERRIDE, Sign.HOMOGLYPH, Sign.ZALGO)


def words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", fold(text)).strip()


def views_that_say(text: str, said: str) -> list[str]:
    return [view.name for view in read(text).views if words(said) in re.sub(r"[\W_]+", " ", view.text)]


@pytest.mark.parametrize("host", ["{}", HOST], ids=["alone", "within"])
@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("way", DECODED)
def test_what_is_encoded_is_read(way: str, language: str, host: str) -> None:
    text = TEXTS[language]

    names = views_that_say(host.format(DECODED[way](text)), text)

    assert any(name.startswith(way.partition(" ")[0]) or way.startswith("hex") for name in names), names


@pytest.mark.parametrize("host", ["{}", HOST], ids=["alone", "within"])
@pytest.mark.parametrize("way", ASCII_DECODED)
def test_what_is_encoded_from_ascii_is_read(way: str, host: str) -> None:
    text = TEXTS["en"]

    assert way.partition(" ")[0] in views_that_say(host.format(ASCII_DECODED[way](text)), text)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("way", FOLDED)
def test_what_is_disguised_is_read_plainly(way: str, language: str) -> None:
    text = TEXTS[language]

    assert PLAIN in views_that_say(FOLDED[way](text), text)


@pytest.mark.parametrize("way", ASCII_FOLDED)
def test_latin_letters_in_disguise_are_read_plainly(way: str) -> None:
    text = TEXTS["en"].rstrip(".")

    assert PLAIN in views_that_say(ASCII_FOLDED[way](text), text)


@pytest.mark.parametrize("language", HARMLESS)
def test_a_harmless_text_has_one_view_and_no_signs_of_hiding(language: str) -> None:
    reading = read(HARMLESS[language])

    assert [view.name for view in reading.views] == [PLAIN]
    assert [sign.name for sign in FLAGS if reading.signs[sign]] == []


@pytest.mark.parametrize("language", ["ru", "el", "th", "vi"])
def test_a_sentence_of_another_script_stays(language: str) -> None:
    text = HARMLESS[language]

    assert read(text).views[0].text == unicodedata.normalize("NFKC", text).casefold()


def test_the_plain_view_of_ascii_is_the_text_in_small_letters() -> None:
    view = read("Hello, World\n").views[0]

    assert (view.name, view.text, view.start, view.end) == (PLAIN, "hello, world\n", 0, 13)


def test_views_are_limited() -> None:
    text = "\n\n".join(f"{DECODED['base64'](TEXTS['en'] + str(number))} and then:" for number in range(40))

    reading = read(text)

    assert 2 <= len(reading.views) <= 9
    assert sum(len(view.text) for view in reading.views[1:]) <= 8192


def test_what_is_hidden_twice_is_read_and_thrice_is_not() -> None:
    once = DECODED["base64"](TEXTS["en"])
    twice = DECODED["base64"](once)

    assert views_that_say(twice, TEXTS["en"]) == ["base64+base64"]
    assert views_that_say(DECODED["base64"](twice), TEXTS["en"]) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=400))
def test_any_text_is_read(text: str) -> None:
    reading = read(text)

    assert reading.views[0].name == PLAIN
    assert len(reading.signs) == SIGN_COUNT
    assert min(reading.signs) >= 0
    size = len(text.encode("utf-8", "surrogatepass"))
    for view in reading.views:
        assert 0 <= view.start <= view.end <= len(text)
        offset, length = locate(reading, view, 0, len(view.text))
        assert 0 <= offset <= offset + length <= size


PIECES = st.sampled_from(
    [
        *(way(text) for text in TEXTS.values() for way in DECODED.values()),
        *HARMLESS.values(),
        "\ud800", "\u202e", "%41%zz", "\\u{110000}", "&#99999999;", "&#x110000;", "=" * 30, "0x", "\U000e0041",
        ". - " * 9, "<|im_start|>", "://" * 5, "a.b.c.d.e.f.g.h", "\u0301" * 9, "\ufe0f", "\u200d" * 60, "7h3 y0u",
    ]
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES | st.text(max_size=30), max_size=6), st.sampled_from(["", " ", "\n"]))
def test_any_mixture_of_ways_is_read(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    reading = read(text)

    assert len(reading.views) <= 9
    assert all(0 <= view.start <= view.end <= len(text) for view in reading.views)


JOINERS = st.sampled_from(["\u200d", "\u200c"])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                "\u06a9\u062a\u0627\u0628\u0646\u0627\u0645\u0647\u0939\u093f\u0928\u094d\u0926\u0940\u0915\u094d\u0937\u0ba4\u0bae\u0bbf\u0bb4\u0bcd\U0001f468\U0001f469\U0001f467\u2764\U0001f3f3\U0001f308"
            ),
            JOINERS,
        ),
        min_size=1,
        max_size=60,
    )
)
def test_joiners_of_persian_indic_and_emoji_are_no_sign(pairs: list[tuple[str, str]]) -> None:
    text = "".join(letter + joiner for letter, joiner in pairs)

    assert read(text).signs[Sign.INVISIBLE] == 0


HOSTILE = {
    "letters": "a",
    "base64": "QUJD",
    "capitals and digits": "AB2",
    "hex pairs": "4a ",
    "0x": "0x41, ",
    "percent": "%41",
    "percent broken": "%4",
    "escapes": "\\u0041",
    "backslashes": "\\",
    "entities": "&#65;",
    "ampersands": "&",
    "bits": "01",
    "octets": "01000001 ",
    "decimals": "105 ",
    "morse": ".- ",
    "dots": ".",
    "single letters": "a ",
    "single dotted": "i.",
    "leet": "7h3 y0u ",
    "rotated": "gur naq lbh ner ",
    "reversed": "erongi snoitcurtsni eht ",
    "tags": "\U000e0041",
    "selectors": "\U000e0141",
    "letters and selectors": "a\U000e0141",
    "zero width": "a\u200b",
    "joiners": "\u200d\u200c",
    "marks": "\u0301",
    "letters and marks": "q\u0334",
    "ligature": "\ufdfa",
    "half width": "\uff76\uff9e",
    "mixed scripts": "\u0440\u0430y ",
    "look-alikes": "\u0430 a ",
    "colons": "user: a\nassistant: b\n",
    "newlines and colons": "\n:",
    "open comments": "<!-- a b c",
    "closing tags": "</user>",
    "open tags": "<",
    "tokens": "<|im_start|>",
    "links": "https://1.2.3.4/?a={b} ",
    "addresses": "@a.b.c.d",
    "headers": "### system ",
    "role": "role: ",
    "surrogates": "\ud800",
    "regional": "\U0001f1e6",
    "accents": "\u00e4",
    "wide": "\U0001d41a",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_of_anything_is_read(kind: str) -> None:
    piece = HOSTILE[kind]
    text = piece * (1_000_000 // len(piece.encode("utf-8", "surrogatepass")))

    reading = read(text)

    assert len(reading.views) <= 9
    assert sum(len(view.text) for view in reading.views[1:]) < 700_000
