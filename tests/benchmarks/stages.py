"""CPU time of single stages, measured inside one process on the requests of the end-to-end cases."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline import registry
from pipeline.component import Connector, Processor
from pipeline.heap import settle
from pipeline.registry import Kind
from pipeline.signals import Batch, Signal, otlp_json
from pipeline.signals.intake import parse
from pipeline.testing import CollectingSink, configured
from tests.benchmarks.cases import SETTINGS, THIN_CHAIN
from tests.benchmarks.payloads import Shape, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

SPANS = 100
REQUESTS = 120
WARM_UP = 20
WINDOW = 24
"""Requests within which a connector has done all that it puts off."""
CONNECTORS = ("gen_ai_metrics", "span_metrics")
TIME_AND_MONEY = "gen_ai_latency + gen_ai_cost"
BUDGETS_US = {"parse": 1.0, "views": 6.0, "redaction": 10.0, TIME_AND_MONEY: 3.0, "gen_ai_metrics": 3.0}
"""Most that a span may cost in one row."""


class Stopwatch:
    """CPU nanoseconds by name."""

    def __init__(self) -> None:
        self.spent_ns: dict[str, list[int]] = defaultdict(list)
        self.running = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside to `name`, once the warm-up is over."""
        start = time.process_time_ns()
        yield
        if self.running:
            self.spent_ns[name].append(time.process_time_ns() - start)

    def us_per_span(self) -> dict[str, float]:
        """Median of all requests measured: other work on the machine reaches means.

        What connectors put off and do for many requests at once is theirs, too: of them it is the median of means.
        """
        return {name: statistics.median(_windows(name, spent)) / 1e3 / SPANS for name, spent in self.spent_ns.items()}


def _windows(name: str, spent_ns: list[int]) -> list[float]:
    size = WINDOW if name in CONNECTORS else 1
    return [statistics.mean(spent_ns[start : start + size]) for start in range(0, len(spent_ns), size)]


def measure(shape: Shape) -> dict[str, float]:
    """CPU microseconds per span of each stage, in the order of the chain; what is not registered is left out."""
    found = asyncio.run(_measure(shape))
    *before, last = TIME_AND_MONEY.split(" + ")
    rows: dict[str, float] = {}
    for name, spent_us in found.items():
        rows[name] = spent_us
        if name == last:
            rows[TIME_AND_MONEY] = spent_us + sum(found[other] for other in before)
    return rows


async def _measure(shape: Shape) -> dict[str, float]:
    watch = Stopwatch()
    chain = [configured(_component(name, Kind.PROCESSOR), **SETTINGS.get(name, {})) for name in _registered()]
    connectors = _connectors()
    # As in the program itself, where the garbage collector has other settings than in Python.
    settle()
    for index, raw in enumerate(requests(shape, spans=SPANS, count=REQUESTS + WARM_UP)):
        watch.running = index >= WARM_UP
        _signals(watch, raw)
        _json(watch, raw)
        await _chain(watch, raw, chain, connectors)
    return watch.us_per_span()


def _signals(watch: Stopwatch, raw: bytes) -> None:
    with watch.stage("parse"):
        batch = parse(Signal.TRACES, raw)
    with watch.stage("views"):
        _build_views(batch)
    with watch.stage("write one attribute a span"):
        for record in batch.records():
            record.attributes["penstock.dialect"] = "otel"
    with watch.stage("serialise what changed"):
        batch.serialize()


def _build_views(batch: Batch) -> None:
    """Views are built on first use: use them, so that no processor is charged for it."""
    for record in batch.records():
        record.attributes.get("gen_ai.request.model")


def _json(watch: Stopwatch, raw: bytes) -> None:
    message = Signal.TRACES.request_class.FromString(raw)
    with watch.stage("JSON encode"):
        text = otlp_json.encode(message)
    with watch.stage("JSON decode"):
        otlp_json.decode(Signal.TRACES, text)


async def _chain(watch: Stopwatch, raw: bytes, chain: list[Processor], connectors: list[Connector]) -> None:
    parsed = parse(Signal.TRACES, raw)
    _build_views(parsed)
    batch: Batch | None = parsed
    for processor in chain:
        assert batch is not None, "this chain drops nothing"
        with watch.stage(processor.type):
            batch = processor.process(batch)
    assert batch is not None, "this chain drops nothing"
    # As the engine does behind its processors.
    batch.settle()
    for connector in connectors:
        with watch.stage(connector.type):
            await connector.consume(batch.share())


def _registered() -> list[str]:
    known = registry.names(Kind.PROCESSOR)
    return [name for name in THIN_CHAIN if name in known and name != "memory_limiter"]


def _component(name: str, kind: Kind) -> type:
    return registry.get(kind, name)


def _connectors() -> list[Connector]:
    """Those that are registered; they count, and send nothing."""
    known = registry.names(Kind.CONNECTOR)
    found: list[Connector] = [configured(_component(name, Kind.CONNECTOR)) for name in CONNECTORS if name in known]
    for connector in found:
        connector.connect({Signal.METRICS: CollectingSink()})
    return found
