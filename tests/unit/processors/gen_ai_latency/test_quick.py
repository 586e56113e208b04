"""The short way writes what the long way does, and plain spans take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Span
from pipeline.testing import START_NS, configured, traces
from processors.gen_ai_latency import GenAiLatency
from processors.gen_ai_latency.quick import Quick
from tests.unit.processors.gen_ai_latency.hostile import EVENTS, FACTS, OTHERS, SCOPES, VALUES
from tests.unit.processors.gen_ai_latency.timing import TTFT


def noting(took: list[bool]) -> Callable[..., bool]:
    """The short way, noting whether it was taken."""
    write = Quick.write

    def noted(*given: Any) -> bool:
        took.append(write(*given))
        return took[-1]

    return noted


def both_ways(
    attributes: dict[str, Any], *, status: int = 0, events: list[tuple[str, int]] | None = None, scope: str = "any"
) -> bool:
    """Hold a span behind the short way, where it takes that, against one behind the long way; whether it took it."""
    short, long = (traces(attributes, scope=scope, name="Response") for _ in range(2))
    for batch in (short, long):
        (span,) = batch.records()
        assert isinstance(span, Span)
        span.pb.status.code = status
        for name, at_ns in events or ():
            span.add_event(name, START_NS + at_ns, {})
    processor = configured(GenAiLatency)
    with mock.patch.object(Quick, "write", return_value=False):
        configured(GenAiLatency).process(long).serialize()
    took: list[bool] = []
    with mock.patch.object(Quick, "write", noting(took)):
        processor.process(short).serialize()
    (one,), (other,) = short.records(), long.records()
    assert {key: repr(value) for key, value in one.attributes.items()} == {
        key: repr(value) for key, value in other.attributes.items()
    }
    return any(took)


SECOND = 10**9
MORE = st.dictionaries(st.sampled_from(sorted(OTHERS)), VALUES, max_size=3)
MODELS = st.sampled_from(["gpt-4o", "gpt-5", "o3-mini", "claude-opus-4"])
TOKENS = st.integers(-1, 60) | st.integers(0, 10**7)
INSIDE = st.integers(-1000, SECOND + 1000) | st.sampled_from([0, SECOND, SECOND + 4_000_000])


@settings(max_examples=400, deadline=None)
@given(
    more=MORE,
    first_s=st.floats(0, 1.2),
    tokens=TOKENS,
    reasons=st.none() | st.lists(st.just("stop"), max_size=2),
    status=st.sampled_from([0, 1, 2]),
    model=MODELS,
)
def test_the_short_way_writes_what_the_long_way_does(
    more: dict[str, Any], first_s: float, tokens: int, reasons: list[str] | None, status: int, model: str
) -> None:
    attributes = {TTFT: first_s, "gen_ai.usage.output_tokens": tokens, "gen_ai.response.model": model, **more}
    both_ways(attributes | ({} if reasons is None else {"gen_ai.response.finish_reasons": reasons}), status=status)


@settings(max_examples=600, deadline=None)
@given(
    key=st.sampled_from(sorted(FACTS.keys)),
    value=st.floats(0, 1.2) | st.floats(0, 1200) | st.integers(0, 1200) | VALUES,
    total=st.none() | st.integers(0, 1200) | st.floats(0, 1200) | VALUES,
    rate=st.none() | st.floats(0, 20_000) | VALUES,
    more=MORE,
    events=st.lists(st.tuples(EVENTS, INSIDE), max_size=3),
    tokens=TOKENS,
    model=MODELS,
    scope=SCOPES,
)
def test_both_ways_agree_on_every_fact(
    key: str,
    value: Any,
    total: Any,
    rate: Any,
    more: dict[str, Any],
    events: list[tuple[str, int]],
    tokens: int,
    model: str,
    scope: str,
) -> None:
    given_ = {key: value, "ai.response.msToFinish": total, "ai.response.avgOutputTokensPerSecond": rate, **more}
    attributes = {name: said for name, said in given_.items() if said is not None}
    both_ways(
        {"gen_ai.usage.output_tokens": tokens, "gen_ai.response.model": model, **attributes}, events=events, scope=scope
    )


PLAIN_CALL = {"gen_ai.usage.output_tokens": 41, "gen_ai.request.model": "gpt-4o", "gen_ai.request.stream": True}


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        ({TTFT: 0.2}, []),
        ({"ai.response.msToFirstChunk": 200, "ai.response.msToFinish": 900}, [("ai.stream.firstChunk", 200_000_000)]),
        ({"ai.response.msToFirstChunk": 200.5, "ai.response.avgOutputTokensPerSecond": 45.5}, []),
        ({}, [("gen_ai.content.completion.chunk", at * 100_000_000) for at in range(1, 9)]),
        ({}, [("First Token Stream Event", 200_000_000), ("exception", 300_000_000)]),
        ({}, [("exception", 100_000_000), ("llm.first_token", 200_000_000)]),
        ({TTFT: 0.2, "ttft_ms": 100}, []),
    ],
)
def test_plain_spans_take_the_short_way(attributes: dict[str, Any], events: list[tuple[str, int]]) -> None:
    assert both_ways({**PLAIN_CALL, **attributes}, events=events)


@pytest.mark.parametrize(
    "attributes",
    [
        {TTFT: 0.2, "gen_ai.response.id": "resp_1"},
        {"ttft_ms": 100},
        {"gen_ai.server.time_to_first_token": 0.2},
        {TTFT: 0.2, "error.type": "timeout"},
        {TTFT: 0.2, "gen_ai.usage.reasoning.output_tokens": 5},
    ],
)
def test_spans_that_need_thought_take_the_long_way(attributes: dict[str, Any]) -> None:
    assert not both_ways({**PLAIN_CALL, **attributes})
