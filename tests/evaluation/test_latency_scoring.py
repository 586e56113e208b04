"""The scoring of times: what counts as derivable, right, late and invented."""

from __future__ import annotations

from typing import Any

import pytest

from tests.evaluation.calls import Call, match
from tests.evaluation.latency import TPOT, TTFT, Score, verdict_of
from tests.evaluation.latency_truth import Truth, truth_of
from tests.evaluation.records import Record

RECEIVED = 1_700_000_000_000_000_000
START = RECEIVED - 10_000_000
TIMING: dict[str, Any] = {
    "received_unix_ns": RECEIVED,
    "first_byte_s": 0.2,
    "first_content_s": 0.215,
    "chunk_s": [0.215, 0.6, 1.0],
    "end_s": 1.01,
    "client_disconnected": False,
}


def record(signal: str = "traces", start: int = START, **attributes: Any) -> Record:
    said = {key.replace("__", "."): value for key, value in attributes.items()}
    return Record(signal, "scope", "chat", b"t", b"1", b"", start, START + 1_020_000_000, said)


def call(raw: Record, said: dict[str, Any] | None = None, **truth: Any) -> Call:
    request = {"seq": 0, "provider": "openai", "api": "chat.completions", "stream": True, "status": 200, "error": None}
    request |= {"n_choices": 1, "usage": {"output_tokens": 41, "reasoning_tokens": 0}, "timing": TIMING}
    leaf = Record("traces", "scope", "chat", b"t", b"1", b"", START, START + 1_020_000_000, said or {})
    return Call({**request, **truth}, leaf, (leaf,), (raw,))


@pytest.mark.parametrize(
    ("raw", "said", "verdict"),
    [
        ({"x__ttft_ms": 215}, 0.215, "right"),
        ({"x__ttft_ms": 225}, 0.225, "right"),
        ({"time_to_first_token": 0.2}, 0.2, "right"),
        ({"completion_start_time": "2023-11-14T22:13:20.220"}, 0.23, "right"),
        ({"first_token_at": 1_700_000_000_220}, None, "absent"),
        ({"ttft": 0.215}, 0.4, "wrong"),
        ({"ttft": 0.215}, None, "absent"),
        ({"ttft": 0.5}, 0.5, "late"),
        ({"ttft": 0.05}, 0.05, "invented"),
        ({"duration": 0.215}, None, ""),
        ({"ttft": 0.215, "first_chunk": True}, 0.215, "right"),
    ],
)
def test_verdicts(raw: dict[str, Any], said: float | None, verdict: str) -> None:
    found = call(record(**raw))
    assert verdict_of(found, truth_of(found), said) == verdict


@pytest.mark.parametrize("truth", [{"stream": False}, {"status": 429}, {"timing": {**TIMING, "first_content_s": None}}])
def test_a_time_of_what_was_no_stream_is_invented(truth: dict[str, Any]) -> None:
    found = call(record(ttft=0.215), {TTFT: 0.215, TPOT: 0.02}, **truth)
    score = Score()
    score.add("s", found)
    assert score.verdicts == {"invented": 2}


def test_the_events_that_open_a_response_are_no_chunk() -> None:
    found = call(record(ttft=0.2), api="responses", timing={**TIMING, "first_byte_s": 0.02, "first_content_s": 0.3})
    assert verdict_of(found, truth_of(found), None) == ""


def test_log_records_about_chunks_tell_when_there_are_several() -> None:
    logs = [
        Record("logs", "s", "gen_ai.choice", b"t", b"1", b"", START + at, START + at, {}) for at in (225000000, 10**9)
    ]
    found = call(record())
    assert verdict_of(Call(found.request, found.leaf, found.reports, tuple(logs)), truth_of(found), None) == "absent"
    assert verdict_of(Call(found.request, found.leaf, found.reports, tuple(logs[:1])), truth_of(found), None) == ""


@pytest.mark.parametrize(
    ("truth", "bounds"),
    [
        ({}, (0.785 / 40, 0.81 / 40)),
        ({"usage": {"output_tokens": 41, "reasoning_tokens": 30}}, (0.785 / 10, 0.81 / 10)),
        ({"provider": "anthropic", "usage": {"output_tokens": 41, "reasoning_tokens": 30}}, (0.785 / 40, 0.81 / 40)),
        ({"usage": {"output_tokens": 1}}, None),
        ({"usage": None}, None),
        ({"n_choices": 2}, None),
        ({"timing": {**TIMING, "client_disconnected": True}}, None),
    ],
)
def test_time_per_token_lies_between_chunks_with_content_and_byte_to_end(
    truth: dict[str, Any], bounds: tuple[float, float] | None
) -> None:
    found = truth_of(call(record(), **truth))
    assert isinstance(found, Truth)
    assert found.per_token_s == (pytest.approx(bounds) if bounds else None)


@pytest.mark.parametrize(("said", "error"), [(0.0197, 0.0), (0.0405, 1.0), (0.01, -0.49)])
def test_errors_of_rates_are_shares(said: float, error: float) -> None:
    score = Score()
    score.add("s", call(record(ttft=0.215), {TTFT: 0.215, TPOT: said}))
    assert score.per_token == [pytest.approx(error, abs=0.01)]


def test_calls_at_the_same_time_are_told_apart_by_what_was_asked() -> None:
    def leaf(span_id: bytes, text: str) -> Record:
        said = {"penstock.gen_ai.role": "leaf", "gen_ai.input.messages": text}
        return Record("traces", "scope", "chat", b"t", span_id, b"", START, START + 10**9, said)

    requests = [
        {**call(record()).request, "seq": seq, "request_model": "m", "request": {"last_user_text": text}}
        for seq, text in enumerate(["Lisbon", "Porto"])
    ]
    found = match(requests, [leaf(b"1", "about Porto"), leaf(b"2", "about Lisbon")], [])
    assert [(entry.request["seq"], entry.leaf.span_id) for entry in found.calls] == [(0, b"2"), (1, b"1")]
