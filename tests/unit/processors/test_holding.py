"""Processors that hold data: what came is passed on, dropped or held, whenever somebody looks."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from pipeline.component import Processor
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import CollectingSink, FakeClock, configured, make_host, metric_value, traces
from pipeline.testing.builders import trace_request
from processors.batch import BatchProcessor
from processors.groupbytrace.processor import GroupByTrace
from processors.tail_sampling.processor import TailSampling

POLICIES = [{"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 50}}]
CONFIGS: list[tuple[type[Processor], dict[str, Any]]] = [
    (BatchProcessor, {"timeout": 0.2, "send_batch_size": 7, "send_batch_max_size": 7}),
    (TailSampling, {"decision_wait": 0.5, "policies": POLICIES}),
    (GroupByTrace, {"wait_duration": 0.5}),
]


def _some(seed: int) -> Batch:
    """Spans of three traces; every second batch brings more of the traces of the one before."""
    request = trace_request({}, {}, {}, {})
    for place, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        span.trace_id = (1 + 3 * (seed // 2) + place % 3).to_bytes(16, "big")
    return parse(Signal.TRACES, request.SerializeToString())


def _balance(host: Any) -> dict[str, float]:
    labels = {"otel_signal": "traces"}
    dropped = host.meter.registry.collector.get_sample_value(
        "penstock_dropped_items_total", {"component": str(host.id), "reason": "not_sampled", **labels}
    )
    return {
        "incoming": metric_value(host, "otelcol_processor_incoming_items_total", **labels),
        "outgoing": metric_value(host, "otelcol_processor_outgoing_items_total", **labels),
        "held": metric_value(host, "penstock_processor_held_items", **labels),
        "dropped": dropped or 0.0,
    }


@pytest.mark.parametrize(("kind", "config"), CONFIGS, ids=[kind.type for kind, _ in CONFIGS])
async def test_what_came_is_passed_on_dropped_or_held(kind: type[Processor], config: dict[str, Any]) -> None:
    clock = FakeClock()
    host = make_host(kind.type, clock=clock)
    processor: Any = configured(kind, host, **config)
    processor.next = sink = CollectingSink()
    await processor.start()
    was_held = 0.0
    for seed in range(40):
        await processor.consume(_some(seed))
        await clock.advance(0.13)
        now = _balance(host)
        was_held = max(was_held, now["held"])
        assert now["incoming"] == 4 * (seed + 1)
        assert now["incoming"] == now["outgoing"] + now["dropped"] + now["held"]
    await processor.stop()
    now = _balance(host)
    assert was_held > 0
    assert now["held"] == 0
    assert now["outgoing"] == sink.count == 160 - now["dropped"]


async def test_instances_of_one_processor_are_shown_together() -> None:
    registry = MetricsRegistry()
    hosts = [make_host("batch", clock=FakeClock(), registry=registry) for _ in range(2)]
    both: list[Any] = [configured(BatchProcessor, host, timeout=10.0) for host in hosts]
    for count, processor in enumerate(both, start=1):
        processor.next = CollectingSink()
        await processor.start()
        await processor.consume(traces(*[{}] * count))

    def held() -> float:
        return metric_value(hosts[0], "penstock_processor_held_items", otel_signal="traces")

    assert held() == 3
    await both.pop().stop()
    assert held() == 1
    await both.pop().stop()
    del processor
    gc.collect()
    assert held() == 0
