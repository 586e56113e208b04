"""What is read of tokens, tiers and times."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Signal, Value
from pipeline.signals.attributes import Attributes
from pipeline.signals.intake import of_message
from pipeline.testing import START_NS, log_request, trace_request, traces
from processors.gen_ai_cost.book import Unpriced
from processors.gen_ai_cost.rates import Usage
from processors.gen_ai_cost.usage import duration_s, is_partial, tier_said, time_of, usage_of

U = "gen_ai.usage."


def attributes(**values: Value) -> Attributes:
    return traces(values).records()[0].attributes


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({U + "cache_read.input_tokens": 5}, None),
        ({U + "input_tokens": 5}, Usage(5)),
        ({U + "output_tokens": 5}, Usage(0, 5)),
        ({U + "input_tokens": 0, U + "output_tokens": 0}, Usage()),
        ({U + "input_tokens": 9, U + "cache_read.input_tokens": 5}, Usage(9, cache_read=5)),
        ({U + "input_tokens": 9, U + "cache_creation.input_tokens": 5}, Usage(9, cache_write=5)),
        ({U + "input_tokens": 9, U + "cache_write.input_tokens": 5}, Usage(9, cache_write=5)),
        (
            {U + "input_tokens": 1, U + "cache_read.input_tokens": 5, U + "cache_creation.input_tokens": 7},
            Usage(13, cache_read=5, cache_write=7),
        ),
        (
            {
                U + "input_tokens": 90,
                U + "output_tokens": 80,
                U + "cache_creation.input_tokens": 50,
                "penstock.gen_ai.usage.cache_creation_1h.input_tokens": 20,
                U + "audio.input_tokens": 10,
                U + "audio.output_tokens": 11,
                U + "image.input_tokens": 12,
                U + "image.output_tokens": 13,
            },
            Usage(90, 80, 0, 50, 20, 10, 11, 12, 13),
        ),
        ({U + "input_tokens": 9, U + "cache_read.input_tokens": -5}, Usage(9)),
        ({U + "input_tokens": 9, U + "cache_read.input_tokens": "5"}, Usage(9)),
        ({U + "input_tokens": True, U + "output_tokens": 9.0}, None),
    ],
)
def test_tokens_are_those_of_the_conventions(said: dict[str, Any], expected: Usage | None) -> None:
    assert usage_of(attributes(**said)) == expected


@pytest.mark.parametrize("count", [-1, 10**9 + 1, 2**63 - 1])
@pytest.mark.parametrize("key", ["input_tokens", "output_tokens"])
def test_counts_that_cannot_be_are_refused(key: str, count: int) -> None:
    with pytest.raises(Unpriced, match="invalid_usage"):
        usage_of(attributes(**{U + "input_tokens": 1, U + "output_tokens": 1, U + key: count}))


@pytest.mark.parametrize(
    ("operation", "said", "expected"),
    [
        ("chat", {U + "input_tokens": 1}, True),
        ("chat", {U + "output_tokens": 1}, True),
        ("generate_content", {U + "input_tokens": 1, U + "output_tokens": "1"}, True),
        ("chat", {U + "input_tokens": 1, U + "output_tokens": 0}, False),
        ("embeddings", {U + "input_tokens": 1}, False),
        ("rerank", {U + "input_tokens": 1}, False),
    ],
)
def test_half_a_count_is_partial_where_something_is_generated(
    operation: str, said: dict[str, Any], *, expected: bool
) -> None:
    assert is_partial(attributes(**{"gen_ai.operation.name": operation, **said}), output_costs=True) is expected


def test_what_costs_nothing_need_not_be_counted() -> None:
    """Many who write spans by hand call all calls chats, embeddings too."""
    chat: dict[str, Any] = {"gen_ai.operation.name": "chat"}
    assert not is_partial(attributes(**chat, **{U + "input_tokens": 1}), output_costs=False)
    assert is_partial(attributes(**chat, **{U + "output_tokens": 1}), output_costs=False)


def test_the_tier_of_the_provider_goes_before_the_general_one() -> None:
    said: dict[str, Any] = {"openai.response.service_tier": 5, "anthropic.response.service_tier": "batch"}
    assert tier_said(attributes(**said, **{"gen_ai.response.service_tier": "flex"})) == "batch"
    assert tier_said(attributes(**{"gen_ai.response.service_tier": "flex"})) == "flex"
    assert tier_said(attributes()) == ""


def test_times_of_spans_and_of_log_records() -> None:
    request = trace_request({}, {})
    request.resource_spans[0].scope_spans[0].spans[1].end_time_unix_nano = START_NS - 1
    good, bad = of_message(Signal.TRACES, request).records()
    assert (time_of(good), duration_s(good), duration_s(bad)) == (START_NS, 1.0, None)
    (record,) = of_message(Signal.LOGS, log_request("x")).records()
    assert (time_of(record), duration_s(record)) == (START_NS, None)
