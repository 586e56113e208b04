"""Any attributes, any times: every span passes, and what is written can be true."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Span
from pipeline.testing import configured, traces
from processors.gen_ai_latency import GenAiLatency
from processors.gen_ai_latency.facts import load_facts
from processors.gen_ai_latency.reading import TOKENS_PER_S, TPOT, TTFT

FACTS = load_facts()
KEYS = sorted(
    {fact.attribute for fact in FACTS.first_token if fact.attribute}
    | FACTS.server_keys
    | {"gen_ai.usage.output_tokens", "gen_ai.request.choice.count", "gen_ai.request.stream", "penstock.gen_ai.role"}
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=8),
    st.booleans(),
    st.sampled_from(["9" * 400, "1e999", "1ms", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "2023-11-14"]),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2),
)
TIMES = st.integers(0, 2**64 - 1) | st.integers(1_700_000_000_000_000_000, 1_700_000_002_000_000_000)


@settings(max_examples=200, deadline=None)
@given(
    attributes=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
    start=TIMES,
    end=TIMES,
    events=st.lists(st.tuples(st.sampled_from(sorted(FACTS.chunks)), TIMES), max_size=3),
)
def test_any_span_passes(attributes: dict[str, Any], start: int, end: int, events: list[tuple[str, int]]) -> None:
    batch = traces(attributes)
    (span,) = batch.records()
    assert isinstance(span, Span)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    for name, time_unix_nano in events:
        span.add_event(name, time_unix_nano, {})
    configured(GenAiLatency).process(batch).serialize()
    for key in {TTFT, TPOT, TOKENS_PER_S} & span.attributes.keys():
        found = span.attributes[key]
        if span.attributes.get("penstock.gen_ai.role") != "aggregate":
            assert isinstance(found, float)
            assert math.isfinite(found)
            assert found > 0
