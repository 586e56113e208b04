"""The scoring itself: which span is which call, what counts as eligible and right, and what is left."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.evaluation.calls import Call, match
from tests.evaluation.captures import Score
from tests.evaluation.fields import FIELDS
from tests.evaluation.planted import forms
from tests.evaluation.records import Record
from tests.unit.processors.demo.spans import CALL, request_of

_BY_NAME = {entry.name: entry for entry in FIELDS}
RECEIVED = 10_000_000_000


def request(seq: int = 0, received: int = RECEIVED, **truth: Any) -> dict[str, Any]:
    timing = {"received_unix_ns": received, "end_s": 0.5}
    base = {
        "seq": seq,
        "provider": "openai",
        "api": "chat.completions",
        "path": "/v1/chat/completions",
        "request_model": "gpt-4o",
    }
    usage = {"input_tokens": 53, "output_tokens": 48, "cached_input_tokens": 0}
    return {**base, "stream": False, "status": 200, "error": None, "timing": timing, "usage": usage, **truth}


def span(span_id: bytes, start: int = RECEIVED - 10, end: int = RECEIVED + 10, **attributes: Any) -> Record:
    said = {key.replace("__", "."): value for key, value in attributes.items()}
    return Record("traces", "scope", "chat", b"t", span_id, b"", start, end, said)


def leaf(span_id: bytes, start: int = RECEIVED - 10, end: int = RECEIVED + 10, **attributes: Any) -> Record:
    return span(span_id, start, end, penstock__gen_ai__role="leaf", **attributes)


def call(raw: dict[str, Any], said: dict[str, Any], **truth: Any) -> Call:
    out = leaf(b"1", **said)
    return Call(request(**truth), out, (out,), (span(b"1", **raw),))


def test_a_call_is_found_by_its_response_id_before_its_time() -> None:
    first, second = leaf(b"1", gen_ai__response__id="b"), leaf(b"2", gen_ai__response__id="a")
    found = match([request(0, response_id="a"), request(1, response_id="b")], [first, second], [])
    assert [(entry.request["seq"], entry.leaf.span_id) for entry in found.calls] == [(0, b"2"), (1, b"1")]


def test_a_call_that_nobody_counts_is_missing_and_a_leaf_for_none_is_extra() -> None:
    far = leaf(b"9", RECEIVED + 10**12, RECEIVED + 10**12 + 5)
    found = match([request()], [far], [])
    assert (len(found.calls), len(found.missing), len(found.extra)) == (0, 1, 1)


def test_a_refused_attempt_within_a_call_is_not_missing() -> None:
    found = match([request(0, status=429, usage=None), request(1)], [leaf(b"1", gen_ai__usage__output_tokens=48)], [])
    assert [entry.request["seq"] for entry in found.calls] == [1]
    assert not found.missing


def test_raw_records_of_a_call_are_those_of_its_leaf_and_of_its_duplicates() -> None:
    twin = span(b"2", penstock__gen_ai__role="duplicate")
    other = span(b"3")
    log = Record("logs", "scope", "", b"t", b"2", b"", RECEIVED, RECEIVED, {})
    found = match([request()], [leaf(b"1"), twin, other], [span(b"1"), span(b"2"), other, log])
    assert [record.span_id for record in found.calls[0].raw] == [b"1", b"2", b"2"]


@pytest.mark.parametrize(
    ("name", "raw", "said", "verdict"),
    [
        ("input tokens", {"a__tokens": 53}, {"gen_ai__usage__input_tokens": 53}, "right"),
        ("input tokens", {"a": json.dumps({"usage": {"in": "53"}})}, {"gen_ai__usage__input_tokens": 54}, "wrong"),
        ("input tokens", {"a__tokens": 53}, {}, "absent"),
        ("input tokens", {"length": 53}, {}, ""),
        ("input tokens", {"a__tokens": 7}, {"gen_ai__usage__input_tokens": 7}, "stated"),
        ("input tokens", {"a__tokens": 7}, {"gen_ai__usage__input_tokens": 8}, "unfounded"),
        ("cache read", {"a__tokens": 0}, {"gen_ai__usage__cache_read__input_tokens": 0}, ""),
        ("request model", {"m": "openai/gpt-4o"}, {"gen_ai__request__model": "gpt-4o"}, "right"),
        ("request model", {"m": "gpt-4o-mini"}, {}, ""),
        ("provider", {"p": "OpenAI"}, {"gen_ai__provider__name": "openai"}, "right"),
        ("provider", {"p": "none"}, {"gen_ai__provider__name": "openai"}, "unfounded"),
        ("stream", {}, {"gen_ai__request__stream": True}, "wrong"),
        ("stream", {}, {}, "right"),
    ],
)
def test_verdicts(name: str, raw: dict[str, Any], said: dict[str, Any], verdict: str) -> None:
    assert _BY_NAME[name].verdict(call(raw, said)) == verdict


def test_texts_are_compared_with_the_parts_of_messages() -> None:
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi there"}]}])
    found = call(
        {"x": json.dumps([["Hi there"]])}, {"gen_ai__input__messages": messages}, request={"last_user_text": "Hi there"}
    )
    assert _BY_NAME["prompt text"].verdict(found) == "right"
    assert _BY_NAME["completion text"].verdict(found) == ""


def test_tokens_of_a_leaf_that_counts_nothing_weigh_in_the_ratio() -> None:
    counts = {"gen_ai__usage__input_tokens": 53, "gen_ai__usage__output_tokens": 48}
    spans = [leaf(b"1", **counts), leaf(b"2", RECEIVED + 10**12, RECEIVED + 10**12 + 5, **counts)]
    score = Score()
    score.add_calls("s", match([request()], spans, spans))
    assert (score.calls, score.extra, score.ratio()) == (1, 1, "2.000")


def test_planted_values_that_are_left_are_counted_once_by_type() -> None:
    planted = [{"type": "email", "value": "a@example.org"}] * 2 + [{"type": "person_name", "value": "山田太郎"}]
    score = Score()
    score.add_planted(
        planted, [("traces", request_of({**CALL, "text": json.dumps(json.dumps("山田太郎")), "m": "<EMAIL>"}))]
    )
    assert (score.planted, dict(score.left), dict(score.left_later)) == (2, {}, {"person_name": 1})


@pytest.mark.parametrize("nesting", [0, 1, 2])
def test_values_are_found_inside_json_inside_json(nesting: int) -> None:
    text = 'line\n"東京"'
    for _ in range(nesting):
        text = json.dumps(text)
    assert any(form in text.encode() for form in forms('line\n"東京"'))
