"""Any attributes at all: nothing leaves the processor but the record, and a second pass changes nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.component import Host
from pipeline.signals import Batch
from pipeline.testing import configured, logs, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.knowledge.rules import load_rules, load_table

_SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.text(max_size=12),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=4),
    st.sampled_from(["LLM", "chat", "True", "[]", "{}", '[{"role":"user"}]', '{"messages":[[null]]}', '[{"parts":3}]']),
    st.none(),
)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def known_keys() -> list[str]:
    keys = set(load_table("targets"))
    for rule in load_rules():
        keys |= {*rule.markers.keys, *rule.shapes.keys}
        for attributes in (rule.attributes, *(case.attributes for case in rule.cases)):
            keys |= {source.partition("#")[0] for entry in attributes.values() for source in entry.sources}
    flattened = ("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.", "llm.tools.")
    tails: tuple[str, ...] = (
        "0.role",
        "0.content",
        "0",
        "0.0.0",
        "00000000000000000000.content",
        "0.tool_calls.0.name",
        "9999999.x",
    )
    tails += ("0.message.content", "0.message.tool_calls.1.tool_call.function.arguments", "²", "0.message.contents.0")
    keys |= {prefix + tail for prefix in flattened for tail in tails}
    return sorted(keys | {"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"})


SCOPES = st.sampled_from(
    ["", "ai", "langsmith", "openinference.instrumentation.openai", "opentelemetry.instrumentation.openai.v1"]
)
SPANS = st.dictionaries(st.sampled_from(known_keys()) | st.text(max_size=8), VALUES, max_size=12)


@cache
def normalizer() -> tuple[GenAiNormalizer, Host]:
    """One for all examples: to make one takes longer than to work on a record."""
    host = make_host("gen_ai_normalizer")
    return configured(GenAiNormalizer, host), host


def failures(host: Host) -> float:
    return metric_value(host, "penstock_normalizer_failures_total", dialect="unknown")


def passes_twice(batch: Batch) -> None:
    processor, host = normalizer()
    before = failures(host)
    once = processor.process(batch).serialize()
    assert failures(host) == before
    again = Batch.of_message(batch.signal.request_class.FromString(once), batch.signal)
    assert processor.process(again).serialize() == once


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(span=SPANS, scope=SCOPES)
def test_any_span_passes(span: dict[str, Any], scope: str) -> None:
    passes_twice(traces(span, scope=scope))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=VALUES, attributes=SPANS, name=st.sampled_from(["gen_ai.choice", "gen_ai.user.message", ""]))
def test_any_log_record_passes(body: Any, attributes: dict[str, Any], name: str) -> None:
    passes_twice(logs(body, attributes={**attributes, "event.name": name}))
