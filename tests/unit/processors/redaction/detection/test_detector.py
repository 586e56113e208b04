"""Finding values in every encoding, and putting placeholders at the right place."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.findings import splice
from processors.redaction.detection.loader import load_rules
from processors.redaction.detection.triggers import SEPARATOR, RegexEngine, build_engine
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder, Limits, TooMuch

RULES = load_rules()
ALL = Treatment(frozenset(load_types()))
DETECTOR = Detector(RULES)
FINDER = Finder(DETECTOR)
SLOW_FINDER = Finder(Detector(RULES, engine=RegexEngine(DETECTOR.triggers)))
MAIL = "jane.sample@example.com"
SAMPLES = [sample for rule in RULES for sample in (*rule.positive, *rule.negative)]


def redact(text: str) -> str:
    return splice(text, FINDER.find(text, ALL), ALL)


def test_values_of_several_types_are_replaced_in_place() -> None:
    text = f"call +1 415-555-0137 or mail {MAIL}. Card 4242 4242 4242 4242, SSN 078-05-1120, IP 203.0.113.42"
    assert redact(text) == "call <PHONE> or mail <EMAIL>. Card <CREDIT_CARD>, SSN <US_SSN>, IP <IP_ADDRESS>"


def test_a_password_in_a_url_leaves_the_url_readable() -> None:
    text = "DB: postgres://svc_app:Tr0ub4dor%263@db.internal.example:5432/prod ."
    assert redact(text) == "DB: postgres://svc_app:<PASSWORD>@db.internal.example:5432/prod ."


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_json_inside_json_strings(levels: int) -> None:
    text = f"マイナンバー:123456789018、{MAIL}\nend"
    expected = "マイナンバー:<JP_MY_NUMBER>、<EMAIL>\nend"
    for _ in range(levels):
        text, expected = json.dumps(text), json.dumps(expected)
    assert redact(text) == expected


def test_every_character_escaped() -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in MAIL)
    assert redact(f'{{"mail": "{escaped}"}}') == '{"mail": "<EMAIL>"}'


def test_escaped_slashes_in_a_url() -> None:
    assert redact(r"redis:\/\/:Falconx3840@cache:6379\/0") == r"redis:\/\/:<PASSWORD>@cache:6379\/0"


def test_characters_beyond_the_basic_plane_keep_their_place() -> None:
    text = json.dumps(f"😀 {MAIL} 😀")
    assert redact(text) == json.dumps("😀 <EMAIL> 😀")


def test_python_repr_and_line_breaks_in_a_key() -> None:
    pem = "\x2d----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n-----END PRIVATE KEY-----"
    assert redact(repr({"key": pem})) == "{'key': '<SECRET>'}"


def test_a_key_that_is_cut_off_is_replaced_to_its_end() -> None:
    assert redact("\x2d----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF") == "<SECRET>"


def test_percent_encoding_once_and_twice() -> None:
    once = quote(f"to={MAIL}", safe="")
    assert redact(f"https://x.example/?{once}&a=1") == "https://x.example/?to%3D<EMAIL>&a=1"
    assert redact(f"q={quote(once, safe='')}") == "q=to%253D<EMAIL>"


def test_base64_is_encoded_again() -> None:
    blob = base64.b64encode(f"the mail is {MAIL}, ok".encode()).decode()
    redacted = redact(f"data:text/plain;base64,{blob} end")
    inner = redacted.removeprefix("data:text/plain;base64,").removesuffix(" end")
    assert base64.b64decode(inner) == b"the mail is <EMAIL>, ok"


def test_full_width_digits() -> None:
    wide = str.maketrans("0123456789-", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\u2212")
    assert redact(f"電話{'090-1234-5678'.translate(wide)}です") == "電話<PHONE>です"


def test_placeholders_are_no_context() -> None:
    assert (
        redact("<PHONE> 0123456789, <CREDIT_CARD> 4901234567894") == "<PHONE> 0123456789, <CREDIT_CARD> 4901234567894"
    )


def test_values_touch_japanese_text() -> None:
    assert redact(f"メールは{MAIL}です") == "メールは<EMAIL>です"


@pytest.mark.parametrize(
    "text",
    [
        "chatcmpl-ARm8zfDNUmbm1HlR3a6IrhJsO2ErB",
        "call_9f8E7d6C5b4A3z2Y1x0W9v8U",
        "toolu_01A09q90qw90lq917835lq9x",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "550e8400-e29b-41d4-a716-446655440000",
        "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "1795159688182170186 1700000000000 1700000000",
        "[0.0123456789012345, -0.4242424242424242, 1.378282246310005e-05]",
        "gpt-4o-mini-2024-07-18 claude-3-5-sonnet-20241022",
        "ISBN 978-3-16-148410-0, pip install torch==2.1.0.post1",
        "10:30:59 2024-05-06T07:08:09.123456Z",
        "std::vector<int> a::b::c @decorator x @ y",
        "cus_NffrFeUfNV2Hib pi_3MtwBwLkdIwHu7ix28a3tqPa",
    ],
)
def test_identifiers_and_numbers_of_machines_stay(text: str) -> None:
    assert redact(text) == text


def test_more_hits_than_the_limit_is_an_error() -> None:
    finder = Finder(DETECTOR, Limits(max_hits=10))
    with pytest.raises(TooMuch):
        finder.find("a@b " * 11, ALL)


def test_a_text_over_the_size_limit_is_an_error() -> None:
    with pytest.raises(TooMuch):
        Finder(DETECTOR, Limits(max_bytes=10)).find("x" * 11, ALL)


def test_escapes_nested_without_end_are_an_error() -> None:
    text = MAIL
    for _ in range(14):
        text = json.dumps(text)[1:-1].replace("@", "\\u0040", 1) if "@" in text else text.replace("\\", "\\\\")
    with pytest.raises(TooMuch):
        FINDER.find(text, ALL)


def test_vectors_of_floats_have_no_candidates() -> None:
    vector = [0.0123456789012345, -0.4242424242424242, 1.378282246310005e-05] * 500
    assert not FINDER.touched([json.dumps(vector), str(vector)])


def test_key_headers_without_end_cost_linear_time() -> None:
    """Each header takes what follows with it, so that the next one is not looked at again."""
    text = "\x2d----BEGIN PRIVATE KEY-----abcdefghijklmnopqrstuvwxyz\n" * 2000
    assert len(FINDER.find(text, ALL)) < 10


def test_touched_names_the_texts_with_candidates() -> None:
    texts = ["nothing", f"mail {MAIL}", "日本語", "\\u65e5", "plain", "\\u672c", "4242424242424242"]
    assert list(FINDER.touched(texts)) == [1, 6]
    assert list(SLOW_FINDER.touched(texts)) == [1, 6]


def test_a_context_word_without_a_value_beside_it_is_told_from_one_with_it() -> None:
    texts = ["the voter was told", "voter id ABC1234566", "the voter\\n was told", "the voter, see <EMAIL>"]
    assert list(FINDER.touched(texts)) == [1, 2]
    assert [FINDER.find(text, ALL) != [] for text in texts] == [False, True, False, False]


@given(
    st.lists(st.tuples(st.sampled_from(SAMPLES), st.sampled_from(["<X>", "", "*" * 3000]), st.booleans()), max_size=6),
    st.integers(0, 700),
)
@settings(max_examples=60, deadline=None)
def test_hits_after_replacing_are_those_of_a_new_scan(pieces: list[tuple[str, str, bool]], gap: int) -> None:
    before, after = "é " * 2500, "é " * 2500
    replaced, places = [], []
    for sample, shown, is_replaced in pieces:
        start, place = len(before), len(after)
        before, after = before + sample, after + (shown if is_replaced else sample)
        if is_replaced:
            replaced.append((start, len(before)))
            places.append((place, len(after)))
        before, after = before + " x" * gap, after + " x" * gap
    before, after = before + " ." * 2500, after + " ." * 2500
    found = DETECTOR.hits_after(DETECTOR.scan(before).hits, replaced, after, places)
    # A sign of an encoding that is gone may be told still.
    assert {hit for hit in found if hit[1]} == {hit for hit in DETECTOR.scan(after).hits if hit[1]}


def test_no_trigger_reaches_over_the_end_of_a_text() -> None:
    texts = [*SAMPLES, "key", "12345678", "api", "password", ": 4111", "é", "separator \x1e inside", "日本 name"]
    engine = build_engine(DETECTOR.triggers)
    found = engine.touched(texts, SEPARATOR.join(texts))
    assert {index: sorted(hits) for index, hits in found.items()} == {
        index: sorted(hits) for index, text in enumerate(texts) if (hits := engine.hits(text))
    }


@pytest.mark.parametrize("before", ["\n", "\t", '"', "\\"])
@pytest.mark.parametrize("value", ["\x41KIAIOSFODNN7EXAMPLE", "078-05-1120", "DE89370400440532013000", MAIL])
def test_a_value_behind_an_escape_is_seen(before: str, value: str) -> None:
    text = json.dumps(f"line{before}{value}")
    for _ in range(2):
        assert list(FINDER.touched([text])) == [0]
        assert value not in redact(text)
        text = json.dumps(text)


@given(st.lists(st.one_of(st.sampled_from(SAMPLES), st.text()), max_size=4).map(" ".join))
def test_engines_agree(text: str) -> None:
    assert FINDER.find(text, ALL) == SLOW_FINDER.find(text, ALL)


@given(st.lists(st.sampled_from([*SAMPLES, "é\\", '\\"', "\\u", "%4", "\\\\n"]), max_size=3).map("".join))
def test_escaped_text_is_redacted_as_the_plain_text_is(text: str) -> None:
    # Among words: some rules want the whole text for themselves.
    text = f"so it is {text} as we said"
    plain, escaped = redact(text), redact(json.dumps(text))
    assert ("<" in escaped) >= ("<" in plain and "\\" not in text and "%" not in text)
    json.loads(escaped)
