"""What is counted from spans, by what, how it is sent, and where it is bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.component import Stage
from pipeline.errors import Refused
from pipeline.signals import Batch, DataPoint, Outcome, Signal, Value
from pipeline.signals.values import from_key_values
from pipeline.testing import CollectingSink, FailingSink, FakeClock, configured, make_host, metric_value, traces
from processors.gen_ai_metrics.connector import GenAiMetrics

CALL: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.response.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 53,
    "gen_ai.usage.output_tokens": 48,
    "gen_ai.response.time_to_first_chunk": 0.298,
    "penstock.latency.time_per_output_token": 0.0061,
    "penstock.cost.usd": 0.25,
    "penstock.cost.quality": "exact",
}


def connector(sink: Stage, clock: FakeClock | None = None, **config: Any) -> GenAiMetrics:
    made: GenAiMetrics = configured(GenAiMetrics, make_host("gen_ai_metrics", clock=clock), **config)
    made.connect({Signal.METRICS: sink})
    return made


def points(batch: Batch, name: str) -> list[tuple[dict[str, Value], Any]]:
    found = [record for record in batch.records() if isinstance(record, DataPoint) and record.metric.name == name]
    return [(dict(from_key_values(point.pb.attributes)), point.pb) for point in found]


async def flushed(*calls: dict[str, Value], **config: Any) -> Batch:
    sink = CollectingSink()
    metrics = connector(sink, **config)
    await metrics.consume(traces(*calls))
    await metrics.flush()
    return sink.batches[-1]


async def test_every_instrument_of_a_call() -> None:
    batch = await flushed(CALL, CALL)
    tokens = {labels["gen_ai.token.type"]: point for labels, point in points(batch, "gen_ai.client.token.usage")}
    assert (tokens["input"].sum, tokens["input"].count) == (106, 2)
    assert (tokens["output"].sum, tokens["output"].count) == (96, 2)
    ((labels, duration),) = points(batch, "gen_ai.client.operation.duration")
    assert (duration.sum, duration.count) == (2.0, 2)
    assert labels == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4o-mini",
    }
    ((_, first),) = points(batch, "gen_ai.client.operation.time_to_first_chunk")
    assert first.sum == pytest.approx(0.596)
    ((_, gap),) = points(batch, "penstock.gen_ai.client.time_per_output_token")
    assert gap.count == 2
    ((labels, cost),) = points(batch, "penstock.gen_ai.client.cost")
    assert cost.as_double == 0.5
    assert labels["penstock.cost.quality"] == "exact"


async def test_buckets_are_the_conventions_and_hold_their_upper_bound() -> None:
    batch = await flushed(CALL | {"gen_ai.usage.input_tokens": 64, "gen_ai.usage.output_tokens": 65})
    buckets = {labels["gen_ai.token.type"]: point for labels, point in points(batch, "gen_ai.client.token.usage")}
    bounds = list(buckets["input"].explicit_bounds)
    assert bounds[:5] == [1, 4, 16, 64, 256]
    assert len(bounds) == 14
    assert list(buckets["input"].bucket_counts).index(1) == 3
    assert list(buckets["output"].bucket_counts).index(1) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"penstock.gen_ai.role": "aggregate"},
        {"penstock.gen_ai.role": "duplicate"},
        {"gen_ai.operation.name": "execute_tool"},
    ],
)
async def test_only_calls_themselves_are_counted(change: dict[str, Value]) -> None:
    batch = await flushed(CALL, CALL | change)
    assert [point.count for _, point in points(batch, "gen_ai.client.operation.duration")] == [1]


async def test_errors_are_a_label_of_the_duration_only() -> None:
    batch = await flushed(CALL, CALL | {"error.type": "429"})
    by = {labels.get("error.type"): point.count for labels, point in points(batch, "gen_ai.client.operation.duration")}
    assert by == {None: 1, "429": 1}
    assert all("error.type" not in labels for labels, _ in points(batch, "gen_ai.client.token.usage"))


async def test_configured_dimensions_and_resources_split_series() -> None:
    sink = CollectingSink()
    metrics = connector(sink, dimensions=("gen_ai.agent.name",))
    await metrics.consume(traces(CALL | {"gen_ai.agent.name": "a"}, CALL | {"gen_ai.agent.name": "b"}))
    await metrics.consume(traces(CALL, resource={"service.name": "other"}))
    await metrics.flush()
    batch = sink.batches[0]
    assert {labels.get("gen_ai.agent.name") for labels, _ in points(batch, "gen_ai.client.operation.duration")} == {
        "a",
        "b",
        None,
    }
    assert sorted(str(group.attributes["service.name"]) for group in batch.resources()) == ["other", "shop"]


async def test_the_provider_under_its_older_name_is_the_provider() -> None:
    older = {key: value for key, value in CALL.items() if key != "gen_ai.provider.name"} | {"gen_ai.system": "openai"}
    batch = await flushed(older, CALL | {"gen_ai.system": "openai.chat"})
    ((labels, duration),) = points(batch, "gen_ai.client.operation.duration")
    assert (labels["gen_ai.provider.name"], duration.count) == ("openai", 2)


async def test_the_name_of_a_framework_is_no_provider() -> None:
    batch = await flushed(
        {key: value for key, value in CALL.items() if "provider" not in key} | {"gen_ai.system": "strands-agents"}
    )
    ((labels, _),) = points(batch, "gen_ai.client.operation.duration")
    assert "gen_ai.provider.name" not in labels


async def test_series_beyond_the_limit_count_in_one_that_says_so() -> None:
    sink = CollectingSink()
    metrics = connector(sink, series_limit=3)
    await metrics.consume(traces(*[CALL | {"gen_ai.response.model": f"m{n}"} for n in range(10)]))
    await metrics.flush()
    durations = points(sink.batches[0], "gen_ai.client.operation.duration")
    assert [labels for labels, _ in durations].count({"otel.metric.overflow": True}) == 1
    assert len(durations) == 4
    assert sum(point.count for _, point in durations) == 10
    assert metric_value(metrics.host, "penstock_series_overflow_total") > 0


async def test_cumulative_values_grow_and_delta_values_start_anew() -> None:
    for temporality, expected in (("CUMULATIVE", [1, 2]), ("DELTA", [1, 1])):
        sink = CollectingSink()
        metrics = connector(sink, aggregation_temporality=f"AGGREGATION_TEMPORALITY_{temporality}")
        for _ in range(2):
            await metrics.consume(traces(CALL))
            await metrics.flush()
        assert [points(b, "gen_ai.client.operation.duration")[0][1].count for b in sink.batches] == expected


async def test_a_refused_delta_goes_out_with_the_next() -> None:
    sink = FailingSink([Refused("full")])
    metrics = connector(sink, aggregation_temporality="AGGREGATION_TEMPORALITY_DELTA")
    for _ in range(2):
        await metrics.consume(traces(CALL))
        await metrics.flush()
    counted = [point.count for b in sink.taken.batches for _, point in points(b, "gen_ai.client.operation.duration")]
    assert sum(counted) == 2


async def test_sends_every_interval_and_at_the_end() -> None:
    clock, sink = FakeClock(), CollectingSink()
    metrics = connector(sink, clock, metrics_flush_interval=15.0)
    await metrics.start()
    batch = traces(CALL)
    await metrics.consume(batch)
    assert batch.delivery.outcome is Outcome.DELIVERED
    await clock.advance(14.9)
    assert sink.batches == []
    await clock.advance(0.2)
    assert len(sink.batches) == 1
    await metrics.consume(traces(CALL))
    await metrics.stop()
    assert points(sink.batches[-1], "gen_ai.client.operation.duration")[0][1].count == 2


async def test_idle_series_are_forgotten() -> None:
    clock, sink = FakeClock(), CollectingSink()
    metrics = connector(sink, clock, metrics_expiration=60.0)
    await metrics.consume(traces(CALL))
    await clock.advance(1)
    await metrics.flush()
    await clock.advance(61)
    await metrics.consume(traces(CALL | {"gen_ai.response.model": "new"}))
    await metrics.flush()
    durations = points(sink.batches[1], "gen_ai.client.operation.duration")
    models = {labels["gen_ai.response.model"]: bool(point.flags) for labels, point in durations}
    assert models == {"gpt-4o-mini": True, "new": False}, "the one that was forgotten ends"


@given(tokens=st.lists(st.integers(0, 10**8), min_size=1, max_size=30), cut=st.integers(0, 30))
async def test_sums_and_counts_do_not_depend_on_batches(tokens: list[int], cut: int) -> None:
    calls = [dict(CALL) | {"gen_ai.usage.input_tokens": count} for count in tokens]
    sink = CollectingSink()
    metrics = connector(sink)
    for part in (calls[:cut], calls[cut:]):
        if part:
            await metrics.consume(traces(*part))
    await metrics.flush()
    usage = points(sink.batches[0], "gen_ai.client.token.usage")
    ((_, point),) = [(labels, p) for labels, p in usage if labels["gen_ai.token.type"] == "input"]
    assert (point.count, point.sum) == (len(tokens), sum(tokens))
    assert sum(point.bucket_counts) == len(tokens)


@pytest.mark.parametrize("value", ["53", None, -1])
async def test_what_is_no_count_is_not_counted(value: Value) -> None:
    batch = await flushed(CALL | {"gen_ai.usage.input_tokens": value})
    types = [labels["gen_ai.token.type"] for labels, _ in points(batch, "gen_ai.client.token.usage")]
    assert types == ["output"]


@pytest.mark.parametrize("hostile", [["a"], {"a": 1}])
async def test_lists_and_mappings_where_labels_are_expected_are_labels_as_text(hostile: Value) -> None:
    changed: dict[str, Value] = {"gen_ai.response.model": hostile, "penstock.cost.quality": hostile}
    batch = await flushed(CALL | changed)
    assert {labels["gen_ai.response.model"] for labels, _ in points(batch, "gen_ai.client.token.usage")} == {
        str(hostile)
    }


async def test_an_operation_that_is_no_text_is_no_call() -> None:
    sink = CollectingSink()
    metrics = connector(sink)
    await metrics.consume(traces(CALL | {"gen_ai.operation.name": ["chat"]}))
    await metrics.flush()
    assert sink.count == 0


async def test_a_value_without_end_does_not_spoil_the_sum() -> None:
    batch = await flushed(CALL, CALL | {"gen_ai.response.time_to_first_chunk": float("inf")})
    ((_, point),) = points(batch, "gen_ai.client.operation.time_to_first_chunk")
    assert (point.count, point.sum) == (1, pytest.approx(0.298))


@pytest.mark.parametrize(("calls", "text"), [(5000, 0), (30, 100_000)])
async def test_a_large_batch_is_counted_piece_by_piece_and_whole(calls: int, text: int) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    sink = CollectingSink()
    metrics = connector(sink)
    batch = traces(*[CALL | {"text": "x" * text}] * calls)
    task = asyncio.create_task(other())
    await metrics.consume(batch)
    task.cancel()
    await metrics.flush()
    assert turns >= 3
    assert batch.delivery.outcome is Outcome.DELIVERED
    ((_, duration),) = points(sink.batches[0], "gen_ai.client.operation.duration")
    assert duration.count == calls
