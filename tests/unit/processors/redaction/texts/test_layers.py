"""Values are found in any nesting of encodings; every limit fails closed; the work is bounded by the length."""

from __future__ import annotations

import ast
import base64
import html
import json
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs, quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder, Limits, TooMuch
from processors.redaction.texts.text import TextRedactor

DETECTOR = Detector(load_rules())
FINDER = Finder(DETECTOR)
REDACTOR = TextRedactor(FINDER)
ALL = Treatment(frozenset(load_types()))
MAIL: Final = "jane.sample@example.com"
MAILS = Treatment(frozenset({"EMAIL"}))
VALUES = {
    MAIL: "<EMAIL>",
    "4242 4242 4242 4242": "<CREDIT_CARD>",
    "DE89 3704 0044 0532 0130 00": "<IBAN>",
    "\x41KIAIOSFODNN7EXAMPLE": "<SECRET>",
}


def redact(text: str, treatment: Treatment = ALL) -> str:
    result = REDACTOR.redact(text, treatment)
    return text if result is None else result.text


def _escape_all(text: str) -> str:
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _decode_escapes(text: str) -> str:
    """What is in the string; a stand-in is written without escapes."""
    return str(json.loads(f'"{text}"'))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _data_url(text: str) -> str:
    return f"data:text/plain;base64,{_base64(text)}"


def _repr_bytes(text: str) -> str:
    return repr(text.encode())


ENCODINGS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "json": (json.dumps, json.loads),
    "json object": (lambda text: json.dumps({"k": text}), lambda text: str(json.loads(text)["k"])),
    "escapes": (_escape_all, _decode_escapes),
    "repr": (repr, lambda text: str(ast.literal_eval(text))),
    "repr of bytes": (_repr_bytes, lambda text: ast.literal_eval(text).decode()),
    "percent": (lambda text: quote(text, safe=""), unquote),
    "form": (lambda text: f"?q={quote_plus(text)}", lambda text: parse_qs(text[1:])["q"][0]),
    "base64": (_base64, lambda text: base64.b64decode(text).decode()),
    "data url": (_data_url, lambda text: base64.b64decode(text.partition(",")[2]).decode()),
    "html": (lambda text: html.escape(text).replace("@", "&#64;"), html.unescape),
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_in_one_encoding(name: str, value: str) -> None:
    encode, decode = ENCODINGS[name]
    assert decode(redact(encode(f"he said: {value} (東京) 😀"))) == f"he said: {VALUES[value]} (東京) 😀"


@given(st.lists(st.sampled_from(sorted(ENCODINGS)), min_size=1, max_size=3), st.sampled_from(sorted(VALUES)))
def test_a_value_in_any_nesting_of_encodings(names: list[str], value: str) -> None:
    text = f"he said: {value} (東京)"
    for name in names:
        text = ENCODINGS[name][0](text)
    text = redact(text)
    for name in reversed(names):
        text = ENCODINGS[name][1](text)
    assert text == f"he said: {VALUES[value]} (東京)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{'mail': 'jane\\x40example.com', 'n': '\\U0001f600'}", "{'mail': '<EMAIL>', 'n': '\\U0001f600'}"),
        ("b'\\xe9\\x9b\\xbb\\xe8\\xa9\\xb1: 090-1234-5678'", "b'\\xe9\\x9b\\xbb\\xe8\\xa9\\xb1: <PHONE>'"),
        (f'{{"a": "{MAIL}", "b": "cut o', '{"a": "<EMAIL>", "b": "cut o'),
        ('{"a": "jane\\u0040example.com", "b": "\\u30', '{"a": "<EMAIL>", "b": "\\u30'),
        (f'Answer: {{"mail": "{MAIL}"}} as JSON', 'Answer: {"mail": "<EMAIL>"} as JSON'),
        ("Answer: {'card': 4242424242424242} as repr", "Answer: {'card': '<CREDIT_CARD>'} as repr"),
        (
            "電話\uff1a\uff10\uff19\uff10\u2212\uff11\uff12\uff13\uff14\u2212\uff15\uff16\uff17\uff18です",
            "電話\uff1a<PHONE>です",
        ),
        ("電話: 090\u20101234\u20105678", "電話: <PHONE>"),
        ("電話: 090ー1234ー5678", "電話: <PHONE>"),
        ("IBAN DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000 ok", "IBAN <IBAN> ok"),
        ("jane.sam\u200bple@exam\u00adple.com ok", "<EMAIL> ok"),
        ("\uff4a\uff41\uff4e\uff45\uff20\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d", "<EMAIL>"),
        ("/q?card=4242+4242+4242+4242&x=1", "/q?card=<CREDIT_CARD>&x=1"),
        ("jane&#64;example.com &amp; co", "<EMAIL> &amp; co"),
        ("jane&#x40;example&period;com", "<EMAIL>"),
    ],
)
def test_places_are_exact(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_lines_of_json_stay_json() -> None:
    lines = [json.dumps({"n": number, "card": 4242424242424242, "cards": [4242424242424242]}) for number in range(3)]
    for line in redact("\n".join(lines)).splitlines():
        assert json.loads(line)["cards"] == ["<CREDIT_CARD>"]


def test_a_treatment_sees_the_decoded_value_whatever_the_encoding() -> None:
    seen: list[str] = []

    def note(_entity: str, value: str) -> str:
        seen.append(value)
        return "<EMAIL>"

    treatment = Treatment(frozenset({"EMAIL"}), stand_ins={"mask": note})
    for encode, _ in ENCODINGS.values():
        redact(encode(f"he said: {MAIL} (東京)"), treatment)
    redact("\uff4a\uff41\uff4e\uff45\uff0e\uff53\uff41\uff4d\uff50\uff4c\uff45\uff20example.com", treatment)
    assert set(seen) == {MAIL}


@pytest.mark.parametrize("name", [name for name in ENCODINGS if "repr" not in name])
def test_a_stand_in_of_any_characters_is_written_for_its_place(name: str) -> None:
    treatment = Treatment(frozenset({"EMAIL"}), stand_ins={"mask": lambda _entity, _value: 'a "b" \\n & 100%\n+é'})
    encode, decode = ENCODINGS[name]
    for text in (f"he said: {MAIL} (東京)", f"tab\t{MAIL} \\ x"):
        assert decode(redact(encode(text), treatment)) == text.replace(MAIL, 'a "b" \\n & 100%\n+é')


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_stand_in_with_quotes_in_json_in_json(levels: int) -> None:
    treatment = Treatment(frozenset({"EMAIL"}), stand_ins={"mask": lambda _entity, _value: 'a "b" \\ c'})
    text = json.dumps({"mail": MAIL})
    for _ in range(levels - 1):
        text = json.dumps({"arguments": text})
    redacted = redact(text, treatment)
    for _ in range(levels - 1):
        redacted = json.loads(redacted)["arguments"]
    assert json.loads(redacted) == {"mail": 'a "b" \\ c'}


def test_wrapped_base64_in_json_stays_wrapped() -> None:
    text = f"some words of a longer text with {MAIL} in it " * 4
    document = json.dumps({"card": 4242424242424242, "blob": base64.encodebytes(text.encode()).decode()})
    for wrap in (document, json.dumps({"arguments": document})):
        redacted = json.loads(redact(wrap))
        redacted = json.loads(redacted["arguments"]) if "arguments" in redacted else redacted
        assert base64.decodebytes(redacted["blob"].encode()).decode() == text.replace(MAIL, "<EMAIL>")
        assert "\n" in redacted["blob"].rstrip()


def test_an_attribute_is_dropped_where_the_treatment_says_so() -> None:
    treatment = Treatment(frozenset({"EMAIL", "CREDIT_CARD"}), actions={"EMAIL": "drop"})
    mail, card = REDACTOR.redact(f"to {MAIL}", treatment), REDACTOR.redact("card 4242 4242 4242 4242", treatment)
    assert mail is not None
    assert mail.dropped
    assert card is not None
    assert not card.dropped


# --- limits


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all texts that the detector is given."""
    lengths: list[int] = []
    for name in ("scan", "verify"):
        original = getattr(DETECTOR, name)

        def counted(text: str, *rest: object, original: Callable[..., object] = original) -> object:
            lengths.append(len(text))
            return original(text, *rest)

        monkeypatch.setattr(DETECTOR, name, counted)
    return lengths


HOSTILE = {
    "backslashes": "\\" * 300_000 + MAIL,
    "escaped backslashes": "\\u005c" * 50_000 + MAIL,
    "quotes": '\\"' * 100_000 + MAIL,
    "percent chains": f"{'%25' * 100_000} {MAIL}",
    "percent of percent": "%" + "25" * 100_000 + "40",
    "base64 walls": ("A" * 64 + "/") * 3000 + MAIL,
    "base64 of text": _base64("just some words " * 10_000),
    "base64 in base64": _base64(_base64(_base64(f"mail {MAIL} ok" * 5000))),
    "entities": "&amp;" * 50_000 + MAIL,
    "entities of entities": "&amp;" + "amp;" * 50_000,
    "mails": f"{MAIL} " * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_cost_linear_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = _counted(monkeypatch)
    text = HOSTILE[name]
    result = TextRedactor(FINDER).redact(text, MAILS)
    assert sum(lengths) <= 100 * len(text)
    assert MAIL not in (text if result is None else result.text)


def test_nesting_beyond_the_limit_is_replaced_whole() -> None:
    text = MAIL
    for _ in range(14):
        text = quote(text, safe="")
    assert redact(text) == "<REDACTED>"


def test_more_work_than_its_length_allows_is_an_error() -> None:
    text = f"mail {MAIL} ok" * 100
    for _ in range(12):
        text = _base64(text)
    with pytest.raises(TooMuch):
        Finder(DETECTOR, Limits()).find(text, MAILS)


def _mathematical(text: str) -> str:
    return "".join(chr(0x1D41A + ord(letter) - ord("a")) if letter.isalpha() else letter for letter in text)


def _in_digits_from(zero: int) -> Callable[[str], str]:
    return lambda text: "".join(chr(zero + int(letter)) if letter.isdigit() else letter for letter in text)


@pytest.mark.parametrize(
    ("value", "write"),
    [
        *[
            (MAIL, character.join)
            for character in "\u00ad\u034f\u180e\u200b\u200e\u200f\u202d\u2060\u2063\u2068\ufe0f\ufeff\0\U000e0041"
        ],
        (MAIL, "\u200b\u200b".join),
        (MAIL, "\u200d\u200e\ufeff".join),
        ("DE89370400440532013000", "\ufe0f\u20e3".join),
        (MAIL, _mathematical),
        ("+1 415-555-0132", _in_digits_from(0x660)),
        ("+1 415-555-0132", _in_digits_from(0x6F0)),
        ("+1 415-555-0132", _in_digits_from(0x966)),
        ("+1 415-555-0132", _in_digits_from(0xE50)),
        ("+1 415-555-0132", _in_digits_from(0x1D7CE)),
    ],
)
def test_a_value_in_characters_that_look_the_same_or_like_nothing(value: str, write: Callable[[str], str]) -> None:
    expected = "<EMAIL>" if value == MAIL else "<PHONE>" if value[0] == "+" else "<IBAN>"
    assert redact(f"he said: {write(value)} now").strip("\ufe0f\u20e3") in (
        f"he said: {expected} now",
        f"he said: {expected}\ufe0f\u20e3 now",
    )


def test_colours_of_a_terminal_are_not_part_of_a_value() -> None:
    assert redact("\x1b[31m\x41KIAIOSFODNN7EXAMPLE\x1b[0m") == "\x1b[31m<SECRET>\x1b[0m"
    assert redact("password\x1b[0m=\x1b[38;5;12mXk7Qp2mZ9w\x1b[0m") == "password\x1b[0m=\x1b[38;5;12m<PASSWORD>\x1b[0m"
    assert json.loads(redact(json.dumps({"log": "\x1b[1m\x41KIAIOSFODNN7EXAMPLE\x1b[0m"}))) == {
        "log": "\x1b[1m<SECRET>\x1b[0m"
    }


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n    "])
@pytest.mark.parametrize("behind", ["", "\n", "\n\n-----END-----", "\nHello world"])
@pytest.mark.parametrize("before", range(40, 60))
def test_a_value_over_the_lines_of_base64(line_end: str, behind: str, before: int) -> None:
    encoded = _base64(f"{'x' * before} \x41KIAIOSFODNN7EXAMPLE")
    lines = [encoded[low : low + 64] for low in range(0, len(encoded), 64)]
    redacted = redact(line_end.join(lines) + behind)
    assert redacted.endswith(behind)
    blob = redacted.removesuffix(behind)
    assert base64.b64decode(blob).decode() == f"{'x' * before} <SECRET>"
    assert len(blob.partition("\n")[0].strip()) == 64


@pytest.mark.parametrize("form", ["/a?q={}", "/a?x=a%20b&q={}", "/a?x=1&q={}&y=a+b"])
def test_base64_in_a_query_is_read_as_it_was_meant(form: str) -> None:
    redacted = redact(form.format(_base64("he said: DE89 3704 0044 0532 0130 00 (\u6771\u4eac)")))
    assert base64.b64decode(parse_qs(redacted[3:])["q"][0]).decode() == "he said: <IBAN> (\u6771\u4eac)"


def test_a_text_in_escapes_with_nothing_in_it_is_told_by_the_first_scan() -> None:
    clean = json.dumps([{"content": "会議の議事録を要約してください。"}])
    dirty = json.dumps([{"content": f"連絡先は {_escape_all(MAIL)} です"}]).replace("\\\\", "\\")
    deep = "\\" * 4096 + "u0041"

    assert list(FINDER.touched([clean, dirty, "nothing", deep])) == [1, 3]


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        (f"100%25 of {MAIL}", True),
        (f"a &amp; b, {MAIL}", True),
        (f"{'Z' * 24} {MAIL}", True),
        (MAIL.replace("@", "%40"), False),
        (MAIL.replace("@", "&#64;"), False),
        (f"{_base64('the mail of ' + MAIL)} and {MAIL}", False),
    ],
)
def test_what_is_beside_something_encoded_needs_no_second_look(text: str, *, settled: bool) -> None:
    found = FINDER.search(text, ALL)
    assert found.findings
    assert found.settled is settled
    assert redact(redact(text)) == redact(text)


def test_a_value_between_placeholders() -> None:
    assert redact("<EMAIL>password=Xk7Qp2mZ9w<EMAIL>") == "<EMAIL>password=<PASSWORD><EMAIL>"
