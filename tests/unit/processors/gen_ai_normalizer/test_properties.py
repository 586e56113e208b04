"""Whatever a record is and whatever the options are: nothing fails, and a second pass changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import Batch, Value
from pipeline.testing import logs, metric_value, traces
from tests.unit.processors.gen_ai_normalizer.properties import (
    EVENT_NAMES,
    EVENTS,
    OPTIONS,
    QUIET,
    Events,
    again,
    batches,
    normalizer,
    recordings,
    with_events,
)
from tests.unit.processors.gen_ai_normalizer.test_hostile import SCOPES, VALUES, known_keys

CONFIGS = st.sampled_from(OPTIONS)
SPANS = st.dictionaries(st.sampled_from(known_keys()) | st.text(max_size=8), VALUES, max_size=12)


def passes_twice(batch: Batch, options: dict[str, Any]) -> None:
    processor, host = normalizer(options)
    failures = metric_value(host, "penstock_normalizer_failures_total", dialect="unknown")
    once = processor.process(batch)
    assert metric_value(host, "penstock_normalizer_failures_total", dialect="unknown") == failures
    assert processor.process(again(once)).serialize() == once.serialize()


@pytest.mark.parametrize("index", range(len(OPTIONS)), ids=lambda index: "-".join(map(str, OPTIONS[index].values())))
def test_a_second_pass_over_recordings_changes_nothing(index: int) -> None:
    # A quarter of the dialects for each combination: all of them for any four neighbours.
    for of_dialect in list(recordings().values())[index % 4 :: 4]:
        for batch in batches(of_dialect[index // 4 % len(of_dialect)]):
            passes_twice(batch, OPTIONS[index])


@QUIET
@given(span=SPANS, events=EVENTS, scope=SCOPES, options=CONFIGS)
def test_any_span_passes_under_any_options(
    span: dict[str, Any], events: Events, scope: str, options: dict[str, Any]
) -> None:
    passes_twice(with_events(span, events, scope), options)


@QUIET
@given(body=VALUES, attributes=SPANS, name=st.sampled_from([*EVENT_NAMES, ""]), options=CONFIGS)
def test_any_log_record_passes_under_any_options(
    body: Any, attributes: dict[str, Any], name: str, options: dict[str, Any]
) -> None:
    passes_twice(logs(body, attributes={**attributes, "event.name": name}), options)


HOSTILE: list[Value] = [
    "[" * 3000,
    '{"a":' * 600 + "1" + "}" * 600,
    json.dumps([{"role": "user", "parts": "x" * 10}] * 200),
    '"\\ud800"',
    '[{"role":"user","content":"\\ud83d"}]',
    "{'a': '\\ud800'}",
    "[1e999, -1e999, 123456789012345678901234567890]",
    '{"usage": {"prompt_tokens": 1e400}}',
    "nan",
    "\x00",
    "(" * 500,
    "{[()]}",
    "[{}]",
    "[[[[[]]]]]",
    '{"messages": {"messages": {"messages": []}}}',
    b"\xff\xfe",
    [b"\xff", {"a": [None, float("nan")]}],
    {"role": ["user"], "parts": {"type": {"a": 1}}},
    float("inf"),
    2**63 - 1,
    -(2**63),
]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
def test_no_value_anywhere_makes_it_fail(value: Value) -> None:
    spans: list[dict[str, Value]] = [{"gen_ai.operation.name": "chat", key: value} for key in known_keys()]
    passes_twice(traces(*spans), {"originals": "move"})
    for name in EVENT_NAMES:
        passes_twice(logs(value, attributes={"event.name": name}), {"originals": "drop"})
        passes_twice(with_events({}, [(name, {"content": value, "message": value})], ""), {"dual_write": True})
