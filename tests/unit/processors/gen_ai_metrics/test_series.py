"""Labels, dimensions, tenants, exemplars, log records, and what bounds the number of series."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import Auth, Batch, Context, DataPoint, Value
from pipeline.signals.intake import parse
from pipeline.signals.signal import Signal
from pipeline.testing import CollectingSink, FakeClock, log_request, metric_value
from processors.gen_ai_metrics.catalog import Catalog
from tests.unit.processors.gen_ai_metrics.counted import (
    Made,
    connector,
    counted,
    names,
    point,
    points,
    span_id,
    spans,
    sums,
)

CALLS = "penstock.gen_ai.client.calls"
CALL: dict[str, Value] = {"gen_ai.operation.name": "chat", "penstock.gen_ai.role": "leaf", "penstock.dialect": "x"}


def log(attributes: dict[str, Value]) -> Batch:
    return parse(Signal.LOGS, log_request("said", attributes=attributes).SerializeToString())


async def test_a_call_that_only_a_log_record_tells_of_counts() -> None:
    said = CALL | {"gen_ai.usage.input_tokens": 9, "penstock.cost.usd": 0.5, "duration_ms": 84}
    batch = await counted(log(said), log(CALL), log({**CALL, "penstock.gen_ai.role": "duplicate", "duration_ms": 84}))
    assert point(batch, CALLS)[1].as_int == 2
    assert point(batch, "gen_ai.client.token.usage")[1].sum == 9
    assert point(batch, "penstock.gen_ai.client.cost")[1].as_double == 0.5
    duration = point(batch, "gen_ai.client.operation.duration")[1]
    assert (duration.count, duration.sum) == (1, pytest.approx(0.084))


@pytest.mark.parametrize("said", ["84", True, -1, None])
async def test_what_is_no_length_of_time_is_none(said: Value) -> None:
    batch = await counted(log(CALL | {"duration_ms": said}))
    assert "gen_ai.client.operation.duration" not in names(batch)


async def test_log_records_without_a_role_are_no_calls() -> None:
    batch = await counted(log({"gen_ai.operation.name": "chat"}), log({"penstock.redaction.count": 3}))
    assert names(batch) == {"penstock.gen_ai.redactions"}


async def test_a_span_that_a_normaliser_gave_no_role_is_no_call() -> None:
    bare: dict[str, Value] = {"gen_ai.operation.name": "chat"}
    batch = await counted(spans(Made("a", bare | {"penstock.dialect": "x"}), Made("b", bare)))
    assert point(batch, CALLS)[1].as_int == 1


async def test_a_leaf_is_a_call_whatever_its_operation() -> None:
    leaf: dict[str, Value] = {"penstock.gen_ai.role": "leaf"}
    odd: list[dict[str, Value]] = [
        leaf,
        leaf | {"gen_ai.operation.name": "summarise"},
        leaf | {"gen_ai.operation.name": 5},
    ]
    batch = await counted(spans(*(Made("a", attributes) for attributes in odd)))
    assert sum(sums(batch, CALLS, "gen_ai.operation.name").values()) == 3


async def test_dimensions_come_from_the_record_else_its_resource_else_the_default() -> None:
    dimensions: list[Any] = ["app.step", {"name": "app.team", "default": "none"}]
    cases: list[tuple[dict[str, Value], dict[str, Value], dict[str, Value]]] = [
        ({"app.step": "r"}, {"app.step": "s", "app.team": "t"}, {"app.step": "s", "app.team": "t"}),
        ({"app.step": "r"}, {}, {"app.step": "r", "app.team": "none"}),
        ({}, {}, {"app.team": "none"}),
    ]
    for resource, attributes, expected in cases:
        found = await counted(spans(Made("a", CALL | attributes), resource=resource), dimensions=dimensions)
        labels, _ = point(found, CALLS)
        assert {name: value for name, value in labels.items() if name.startswith("app.")} == expected


@pytest.mark.parametrize(
    ("context", "resource", "tenant"),
    [
        (Context(auth=Auth("acme"), metadata={"x-scope-orgid": ("b",)}), {"tenant.id": "c"}, "acme"),
        (Context(metadata={"x-scope-orgid": ("b",)}), {"tenant.id": "c"}, "b"),
        (Context(), {"tenant.id": "c"}, "c"),
        (Context(), {}, "nobody"),
    ],
)
async def test_the_tenant_is_who_sent_it(context: Context, resource: dict[str, Value], tenant: str) -> None:
    sources = ("auth.subject", "metadata.x-scope-orgid", "resource.tenant.id")
    dimensions = [{"name": "tenant", "default": "nobody"}]
    attributes = CALL | {"tenant": "whatever a client says"}
    batch = spans(Made("a", attributes), resource=resource, context=context)
    labels, _ = point(await counted(batch, tenant_from=sources, dimensions=dimensions), CALLS)
    assert labels["tenant"] == tenant


async def test_two_tenants_of_one_resource_are_apart() -> None:
    batches = [spans(Made("a", CALL), context=Context(auth=Auth(name))) for name in ("a", "b", "a")]
    batch = await counted(*batches, tenant_from=("auth.subject",), dimensions=["tenant"])
    assert sums(batch, CALLS, "tenant") == {"a": 2, "b": 1}


async def test_long_labels_are_cut() -> None:
    labels, _ = point(await counted(spans(Made("a", CALL | {"gen_ai.request.model": "m" * 5000}))), CALLS)
    assert labels["gen_ai.request.model"] == "m" * 256


async def test_marks_of_other_processors_count() -> None:
    attack: dict[str, Value] = {"penstock.adversarial.label": "attack", "penstock.adversarial.category": "jailbreak"}
    batch = await counted(
        spans(
            Made("a", CALL | attack | {"penstock.redaction.count": 2}),
            Made("b", CALL | attack | {"penstock.gen_ai.role": "duplicate", "penstock.redaction.count": 2}),
            Made("c", {"penstock.adversarial.label": "pass", "penstock.redaction.count": 1}),
            Made("d", {"gen_ai.operation.name": "invoke_agent", "penstock.redaction.count": 4}),
        ),
        log({"penstock.adversarial.label": "suspect"}),
    )
    records = sums(batch, "penstock.gen_ai.adversarial.records", "penstock.adversarial.label")
    assert records == {"attack": 1, "pass": 1, "suspect": 1}
    (labels,) = [
        labels
        for labels, _ in points(batch, "penstock.gen_ai.adversarial.records")
        if labels["penstock.adversarial.label"] == "attack"
    ]
    assert labels["penstock.adversarial.category"] == "jailbreak"
    assert sum(sums(batch, "penstock.gen_ai.redactions", "gen_ai.operation.name").values()) == 9


async def test_unpriced_calls_count_by_reason() -> None:
    batch = await counted(spans(*(Made("a", CALL | {"penstock.cost.unpriced": why}) for why in ("x", "x", "y"))))
    assert sums(batch, "penstock.gen_ai.client.unpriced_calls", "penstock.cost.unpriced") == {"x": 2, "y": 1}


async def test_gaps_between_chunks_count_one_by_one() -> None:
    chunks: list[tuple[str, float, dict[str, Value]]] = [
        ("gen_ai.content.completion.chunk", time, {}) for time in (0.1, 0.3, 0.6)
    ]
    gaps = point(await counted(spans(Made("a", CALL, events=chunks))), "gen_ai.client.operation.time_per_output_chunk")
    assert (gaps[1].count, gaps[1].sum) == (2, pytest.approx(0.5))


async def test_points_carry_the_ids_of_a_few_spans() -> None:
    made = [Made(letter, CALL | {"gen_ai.usage.input_tokens": n}) for n, letter in enumerate("abcdefgh", 1)]
    batch = await counted(spans(*made), exemplars=True)
    tokens = point(batch, "gen_ai.client.token.usage")[1]
    assert [(e.as_double, e.span_id, e.trace_id) for e in tokens.exemplars] == [
        (8.0, span_id("h"), (1).to_bytes(16, "big"))
    ]
    assert point(batch, CALLS)[1].exemplars
    assert not point(await counted(spans(*made)), CALLS)[1].exemplars


async def test_an_example_for_the_largest_value_is_among_them() -> None:
    made = [Made(letter, CALL | {"gen_ai.usage.input_tokens": 9 - n}) for n, letter in enumerate("abc")]
    tokens = point(await counted(spans(*made), exemplars=True), "gen_ai.client.token.usage")[1]
    assert {(e.as_double, e.span_id) for e in tokens.exemplars} == {(7.0, span_id("c")), (9.0, span_id("a"))}


async def test_a_log_record_without_a_span_is_no_example() -> None:
    batch = await counted(log(CALL), exemplars=True)
    assert not point(batch, CALLS)[1].exemplars


async def test_every_value_beyond_the_limit_is_counted_as_such() -> None:
    sink = CollectingSink()
    metrics = connector(sink, series_limit=1)
    for model in ("a", "b", "b", "c"):
        await metrics.consume(spans(Made("x", {**CALL, "gen_ai.request.model": model})))
    await metrics.stop()
    assert sums(sink.batches[-1], CALLS, "otel.metric.overflow") == {None: 1, True: 3}
    # Calls and their durations.
    assert metric_value(metrics.host, "penstock_series_overflow_total") == 6


async def test_values_that_are_no_amounts_are_refused_and_told() -> None:
    sink = CollectingSink()
    metrics = connector(sink)
    await metrics.consume(spans(Made("x", CALL | {"penstock.cost.usd": -1.0})))
    await metrics.stop()
    assert metric_value(metrics.host, "penstock_refused_values_total") == 1
    assert "penstock.gen_ai.client.cost" not in names(sink.batches[-1])


@pytest.mark.parametrize("others", [[], [7, 0], ["many"], [float("nan")]])
async def test_a_truth_value_is_no_number_whatever_stands_beside_it(others: list[Value]) -> None:
    made = [Made(str(n), CALL | {"gen_ai.usage.input_tokens": value}) for n, value in enumerate([True, *others, 1])]
    batch = await counted(spans(*made))
    found = {labels["gen_ai.token.type"]: pb for labels, pb in points(batch, "gen_ai.client.token.usage")}
    numbers = [value for value in others if type(value) is int]
    assert (found["input"].count, found["input"].sum) == (1 + len(numbers), 1 + sum(numbers))


async def test_no_value_makes_a_sum_infinite() -> None:
    made = [Made(str(n), CALL | {"penstock.cost.usd": cost}) for n, cost in enumerate([1e308, 1e308, 0.25])]
    _, cost = point(await counted(spans(*made)), "penstock.gen_ai.client.cost")
    assert cost.as_double == 0.25


async def _count_distinct(metrics: Any, rng: random.Random, requests: int) -> None:
    keys = (
        "gen_ai.request.model",
        "gen_ai.response.model",
        "error.type",
        "gen_ai.response.id",
        "penstock.cost.unpriced",
    )
    for _ in range(requests):
        made = [
            Made(str(n), CALL | {key: f"{key} {rng.randrange(10_000)}" for key in keys}, parent=f"p{rng.random()}"[:8])
            for n in range(50)
        ]
        await metrics.consume(spans(*made))


async def test_memory_is_flat_whatever_labels_say() -> None:
    clock, sink, rng = FakeClock(), CollectingSink(), random.Random(1)
    metrics = connector(sink, clock, series_limit=100, joins={"max_bytes": 1 << 17})
    await _count_distinct(metrics, rng, 250)
    tracemalloc.start()
    try:
        await _count_distinct(metrics, rng, 100)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # 5,000 calls, each with labels that were never seen: what is new stands in the place of what is old.
    assert metrics._heaps._bundles <= 8192
    assert grown < 12 << 20
    await metrics.stop()
    assert len(points(sink.batches[-1], CALLS)) == 101


LONG = "x" * 50_000
RESULT: dict[str, Value] = {"gen_ai.evaluation.name": "rated" + LONG, "gen_ai.evaluation.score.label": LONG}


@pytest.mark.parametrize(
    "said",
    [
        CALL | {"gen_ai.usage.input_tokens": LONG, "gen_ai.response.finish_reasons": [LONG, LONG]},
        RESULT | {"gen_ai.evaluation.score.value": LONG, "gen_ai.response.id": "of a call that never comes"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": LONG, "gen_ai.tool.call.id": LONG},
    ],
)
async def test_what_waits_is_small_whatever_it_says(said: dict[str, Value]) -> None:
    metrics = connector(CollectingSink(), FakeClock())
    await metrics.consume(spans(Made("x", said)))
    tracemalloc.start()
    try:
        for number in range(500):
            # Of other models, so that few are alike; each with a text of its own.
            model, own = f"model {number % 100}", {key: _own(value) for key, value in said.items()}
            await metrics.consume(spans(Made(str(number), own | {"gen_ai.request.model": model}, parent=f"p{number}")))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await metrics.stop()
    assert kept < 10 << 20


def _own(value: Value) -> Value:
    return value[:-1] + "y" if isinstance(value, str) and len(value) >= len(LONG) else value


HOSTILE: list[Value] = [
    None,
    True,
    -1,
    2**62,
    float("nan"),
    float("inf"),
    "x" * 3000,
    "",
    ["a", ["b"]],
    {"a": {"b": 1}},
    b"\xff",
]


@given(data=st.data())
@settings(max_examples=60)
async def test_no_attribute_stops_the_count(data: st.DataObject) -> None:
    keys = sorted({key for family in Catalog("main", []).families.values() for key in (*family.keys, *family.columns)})
    keys += ["penstock.gen_ai.role", "mcp.method.name", "gen_ai.response.id", "gen_ai.retrieval.documents", "tenant"]
    said = st.dictionaries(st.sampled_from(keys), st.sampled_from(HOSTILE), max_size=12)
    roles = st.sampled_from(["leaf", "duplicate", "aggregate", ""])
    operations = st.sampled_from(sorted(Catalog("main", []).operations))
    made = [
        Made(
            letter,
            data.draw(said)
            | {"penstock.gen_ai.role": data.draw(roles), "gen_ai.operation.name": data.draw(operations)},
            data.draw(st.sampled_from(["", "a", "b", "c"])),
            data.draw(st.sampled_from([(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)])),
            data.draw(st.sampled_from([1, 2, 3])),
            failed=data.draw(st.booleans()),
            events=[("gen_ai.evaluation.result", 0.5, data.draw(said))],
        )
        for letter in "abc"
    ]
    config = {"profile": data.draw(st.sampled_from(["1.36", "1.41", "main"])), "exemplars": data.draw(st.booleans())}
    dimensions = ["tenant", "gen_ai.prompt.name", "gen_ai.usage.input_tokens"]
    sent = [spans(*made), log(data.draw(said) | {"penstock.gen_ai.role": "leaf"}), spans(Made("d", data.draw(said)))]
    batch = await counted(*sent, dimensions=dimensions, tenant_from=("resource.x",), **config)
    assert sum(sums(batch, CALLS, "x").values()) >= 1
    for record in batch.records():
        if isinstance(record, DataPoint) and record.metric.kind == "histogram":
            assert sum(record.pb.bucket_counts) == record.pb.count
