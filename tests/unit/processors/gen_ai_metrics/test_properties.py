"""What holds of every set of calls: each counts once, however they come; parts add up to the whole."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline import registry
from pipeline.component import Connector
from pipeline.registry import Kind
from pipeline.signals import Batch, DataPoint, Signal
from pipeline.signals.values import from_key_values
from pipeline.testing import CollectingSink, configured, make_host, traces
from tests.unit.processors.gen_ai_cost.calls import ANY_SPANS, Attributes

TTFT = "gen_ai.response.time_to_first_chunk"
TPOT = "penstock.latency.time_per_output_token"
USD = "penstock.cost.usd"
SECONDS = st.floats(1e-6, 100)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        TTFT: SECONDS,
        TPOT: SECONDS,
        USD: st.floats(0, 10),
        "penstock.cost.quality": st.sampled_from(["exact", "estimated", "stated"]),
        "error.type": st.sampled_from(["429", "timeout"]),
        "gen_ai.agent.name": st.sampled_from(["clerk", "critic"]),
    },
)
SPANS = st.lists(st.tuples(ANY_SPANS, EXTRAS).map(lambda found: found[0] | found[1]), max_size=12)
MODEL_CALLS = frozenset({"chat", "embeddings", "generate_content"})


@dataclass(frozen=True)
class Point:
    """What a series says, times aside."""

    metric: str
    labels: str
    count: int
    total: float
    buckets: tuple[int, ...]

    def is_like(self, other: Point) -> bool:
        same = (self.metric, self.labels, self.count, self.buckets) == (
            other.metric,
            other.labels,
            other.count,
            other.buckets,
        )
        return same and math.isclose(self.total, other.total, rel_tol=1e-9, abs_tol=1e-12)


async def counted(*batches: list[Attributes], **config: Any) -> list[Point]:
    """What the connector says at its end of these batches."""
    connector = configured(
        registry.get(Kind.CONNECTOR, "gen_ai_metrics"), make_host("gen_ai_metrics", kind=Kind.CONNECTOR), **config
    )
    assert isinstance(connector, Connector)
    sink = CollectingSink()
    connector.connect({Signal.METRICS: sink})
    await connector.start()
    for spans in batches:
        await connector.consume(traces(*spans))
    await connector.stop()
    assert len(sink.batches) <= 1
    return sorted((_point(record) for batch in sink.batches for record in _points(batch)), key=repr)


def _points(batch: Batch) -> list[DataPoint]:
    return [record for record in batch.records() if isinstance(record, DataPoint)]


def _point(record: DataPoint) -> Point:
    labels, pb = repr(sorted(dict(from_key_values(record.pb.attributes)).items())), record.pb
    if record.metric.kind == "histogram":
        return Point(record.metric.name, labels, pb.count, pb.sum, tuple(pb.bucket_counts))
    return Point(record.metric.name, labels, 1, pb.as_int or pb.as_double, ())


def of(points: list[Point], metric: str) -> list[Point]:
    return [point for point in points if point.metric == metric]


def calls(spans: list[Attributes]) -> list[Attributes]:
    """Those that a normaliser says count; where it says nothing, operations of models."""
    roles = [(span.get("penstock.gen_ai.role"), span) for span in spans]
    return [s for role, s in roles if role == "leaf" or (role is None and s["gen_ai.operation.name"] in MODEL_CALLS)]


@given(spans=SPANS, data=st.data())
async def test_neither_order_nor_batches_matter(spans: list[Attributes], data: st.DataObject) -> None:
    expected = await counted(spans)
    shuffled = data.draw(st.permutations(spans))
    cut = data.draw(st.integers(0, len(spans)))
    found = await counted(shuffled[:cut], shuffled[cut:])
    assert len(found) == len(expected)
    assert all(point.is_like(other) for point, other in zip(found, expected, strict=True))


@given(spans=SPANS)
async def test_every_call_counts_once(spans: list[Attributes]) -> None:
    points = await counted(spans)
    said = Counter(key for span in calls(spans) for key in span)
    histograms = {
        "gen_ai.client.operation.duration": len(calls(spans)),
        "gen_ai.client.operation.time_to_first_chunk": said[TTFT],
        "penstock.gen_ai.client.time_per_output_token": said[TPOT],
    }
    assert {name: sum(point.count for point in of(points, name)) for name in histograms} == histograms
    assert all(sum(point.buckets) == point.count for point in points if point.buckets)


@given(spans=SPANS)
async def test_series_add_up_to_what_the_calls_say(spans: list[Attributes]) -> None:
    points = await counted(spans, dimensions=("gen_ai.agent.name",))
    for kind, key in (("input", "gen_ai.usage.input_tokens"), ("output", "gen_ai.usage.output_tokens")):
        said = sum(int(str(span.get(key, 0))) for span in calls(spans))
        tokens = [p for p in of(points, "gen_ai.client.token.usage") if f"('gen_ai.token.type', '{kind}')" in p.labels]
        assert sum(point.total for point in tokens) == said
    cost = math.fsum(float(str(span.get(USD, 0.0))) for span in calls(spans))
    assert math.isclose(sum(p.total for p in of(points, "penstock.gen_ai.client.cost")), cost, abs_tol=1e-9)


@given(spans=SPANS, cut=st.integers(0, 12))
async def test_series_beyond_the_limit_lose_nothing(spans: list[Attributes], cut: int) -> None:
    whole, limited = await counted(spans), await counted(spans[:cut], spans[cut:], series_limit=1)
    for name in {point.metric for point in whole}:
        assert sum(p.count for p in of(limited, name) if p.buckets) == sum(
            p.count for p in of(whole, name) if p.buckets
        )
        assert math.isclose(
            sum(p.total for p in of(limited, name)), sum(p.total for p in of(whole, name)), rel_tol=1e-9
        )
