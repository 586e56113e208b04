"""What senders may write: any attributes, events, times and scopes."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from processors.gen_ai_latency.facts import load_facts

FACTS = load_facts()
OTHERS = {
    *("gen_ai.usage.output_tokens", "gen_ai.usage.reasoning.output_tokens", "gen_ai.request.choice.count"),
    *("gen_ai.request.stream", "penstock.gen_ai.role", "gen_ai.response.finish_reasons", "error.type", "attempt"),
    *("gen_ai.response.model", "gen_ai.provider.name", "gen_ai.response.id", "ai.response.msToFinish", "event.name"),
    *("duration_ms", "gen_ai.client.operation.duration", "gen_ai.span.kind", "inference_time", "ai.model.provider"),
}
KEYS = sorted(FACTS.keys | OTHERS)
PLAIN: st.SearchStrategy[Any] = st.one_of(
    st.floats(),
    st.floats(0, 2),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 3000),
    st.text(max_size=8),
    st.booleans(),
)
VALUES: st.SearchStrategy[Any] = st.one_of(
    PLAIN,
    st.sampled_from(["9" * 400, "1e999", "1ms", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "2023-11-14"]),
    st.sampled_from(
        ["2023-11-14T22:13:20.5Z", "2023-11-15T01:13:20.5", "resp_1", "codex.turn_ttft", "gpt-5", "[" * 99]
    ),
    st.sampled_from(['{"first_token_at": 1700000000250}', '{"time_to_first_token": 0.2}', '{"first_token_at": [1]}']),
    st.lists(PLAIN, max_size=2),
    st.dictionaries(st.sampled_from(["first_token_at", "replies", "time_to_first_token"]), PLAIN, max_size=2),
)
TIMES = st.integers(0, 2**64 - 1) | st.integers(1_700_000_000_000_000_000, 1_700_000_002_000_000_000)
EVENTS = st.sampled_from(sorted({*FACTS.chunks.names, *FACTS.chunks.firsts, "mlflow.chunk.item.0", "exception"}))
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
SCOPES = st.sampled_from(["openlit.x", "strands.x", "codex", "openinference.instrumentation.openai", "any"])
