"""Whatever stands in an attribute, a record goes on: scored, or marked as not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Span, Value
from pipeline.testing import START_NS, configured, logs, traces
from processors.adversarial.processor import Adversarial
from tests.unit.processors.adversarial.judges import ATTACK, SUSPECT, built

KEYS = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
)
WORDS = ["role", "parts", "type", "content", "text", "tool_call", "tool_call_response", "response", "arguments", "user"]
TEXTS = st.one_of(st.sampled_from([*WORDS, ATTACK, SUSPECT, f"see {ATTACK}"]), st.text(max_size=30))
TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
VALUES = st.one_of(
    TREES, TREES.map(json.dumps), TREES.map(lambda tree: json.dumps([{"role": "user", "parts": [tree]}]))
)
PROCESSORS = (built(action="drop_content", drop_at="suspect"), built(), built(shadow=True))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3), VALUES)
def test_any_value(attributes: dict[str, Any], content: Any) -> None:
    for processor in PROCESSORS:
        batch = traces(attributes)
        span: Any = batch.records()[0]
        span.add_event("gen_ai.user.message", START_NS, {"content": content})
        processor.process(batch)
        record = logs(content, attributes={"event.name": "gen_ai.choice", **attributes})
        processor.process(record)
        for done in (batch, record):
            assert "penstock.adversarial.error" not in done.records()[0].attributes
            done.settle()
            assert done.serialize()


DEEP = "[" * 5_000 + '"x"' + "]" * 5_000
NESTED = '{"message":' * 900 + "1" + "}" * 900


@pytest.mark.parametrize(
    "value",
    [
        DEEP,
        NESTED,
        f"[{NESTED}]",
        '[{"role":"user","parts":' + "[" * 900 + "]" * 900 + "}]",
        "\\" * 200_000,
        '{"a":"' + "\\\\" * 100_000 + '"}',
        json.dumps([{"role": "user", "parts": [{"type": "text", "content": "a"}] * 20_000}]),
        json.dumps({f"key{number}": number for number in range(20_000)}),
        "\x00" * 1000,
        "\ufffe\U0010ffff",
    ],
    ids=range(10),
)
@pytest.mark.parametrize("key", KEYS[:5])
def test_hostile_values_with_the_real_model(key: str, value: str) -> None:
    batch = traces({key: value, "gen_ai.request.model": "m"})
    REAL.process(batch)
    batch.settle()
    span = batch.records()[0]
    assert isinstance(span, Span)
    assert span.attributes["gen_ai.request.model"] == "m"


REAL: Adversarial = configured(Adversarial, action="drop_content", drop_at="suspect")


def test_texts_that_are_none() -> None:
    values: list[Value] = ["", " ", "\n", "\u200b", 0, False, None, [], {}]
    for value in values:
        batch = traces({"gen_ai.tool.call.result": value})
        REAL.process(batch)
        assert "penstock.adversarial.error" not in batch.records()[0].attributes
