"""The bars of this release, each with what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from operator import sub, truediv
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks import dialects, durable_queue, kafka, price_table, stages
from tests.benchmarks.cases import (
    BATCHED_GRPC,
    BATCHED_HTTP,
    CHAIN,
    DURABLE,
    FORWARD,
    FORWARD_TEXT_FREE,
    SINGLE_GRPC,
    SINGLE_HTTP,
    SPREAD,
    TWO_WORKERS,
    Case,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.benchmarks.end_to_end import Result
    from tests.benchmarks.price_table import Start

Results = dict[Case, dict[str, "Result"]]
"""Result by case and collector."""


@dataclass(frozen=True, slots=True)
class Bar:
    """An upper limit and the figure it is held against."""

    name: str
    measured: float
    limit: float

    def row(self) -> tuple[str, str, str, str]:
        """The bar as a row of a table."""
        return self.name, f"{self.measured:.2f}", f"{self.limit:g}", "met" if self.measured <= self.limit else "missed"


def bars(results: Results) -> Iterator[Bar]:
    """Every bar that these results can answer."""
    for case, limit in ((FORWARD, 0.8), (FORWARD_TEXT_FREE, 1.0)):
        run = results.get(case, {})
        if {"penstock", "otelcol"} <= set(run):
            share = run["penstock"].cpu_us_per_span / run["otelcol"].cpu_us_per_span
            yield Bar(f"{case.name}, {case.shape.name}: share of the Collector's CPU time", share, limit)
    ours = {case: run["penstock"] for case, run in results.items() if "penstock" in run}
    yield from _ours(ours)


def dialect_bars(measured: Mapping[str, float]) -> Iterator[Bar]:
    """The bars of the normaliser, by how a span is written."""
    for name, limit in dialects.BARS_US.items():
        yield Bar(f"{name}: microseconds", measured[name], limit)


def stage_bars(measured: Mapping[str, float]) -> Iterator[Bar]:
    """The bars of time, money and metrics."""
    for name in (stages.TIME_AND_MONEY, "gen_ai_metrics"):
        yield Bar(f"{name}: microseconds", measured[name], stages.BUDGETS_US[name])


def price_table_bars(start: Start) -> Iterator[Bar]:
    """The bars of the price table's start."""
    yield Bar("price table: start, seconds", start.seconds, price_table.LONGEST_S)
    yield Bar("price table: memory, MB", start.rss_mb, price_table.MOST_MB)


def kafka_bars(measured: Mapping[str, Mapping[str, float]]) -> Iterator[Bar]:
    """The bars of Kafka on one side, of microseconds by direction and collector."""
    for case, times in measured.items():
        if {"penstock", "otelcol"} <= set(times):
            share = times["penstock"] / times["otelcol"]
            yield Bar(f"{case}: share of the Collector's CPU time", share, kafka.SHARES[case])
        if "penstock" in times:
            yield Bar(f"{case}: microseconds", times["penstock"], kafka.MOST_US[case])


def durability_bars(results: Results, added_at_stage_us: float) -> Iterator[Bar]:
    """The bars of the queue on disk and of workers, of results that were measured side by side."""
    memory, disk, one, two = (results.get(case, {}).get("penstock") for case in (FORWARD, DURABLE, SPREAD, TWO_WORKERS))
    if memory and disk:
        added_us = median(map(sub, disk.rounds_us, memory.rounds_us))
        yield Bar("queue on disk, end to end: microseconds added", added_us, durable_queue.MOST_US)
    yield Bar("queue on disk, inside the process: microseconds added", added_at_stage_us, durable_queue.MOST_US)
    if one and two:
        yield Bar("two workers: times the CPU time of one", median(map(truediv, two.rounds_us, one.rounds_us)), 1.1)


def _ours(ours: Mapping[Case, Result]) -> Iterator[Bar]:
    if FORWARD in ours and CHAIN in ours:
        times = ours[CHAIN].cpu_us_per_span / ours[FORWARD].cpu_us_per_span
        yield Bar(f"{CHAIN.name}: times our own forward", times, 5)
    for case, limit in ((SINGLE_HTTP, 150), (SINGLE_GRPC, 400), (BATCHED_HTTP, 150), (BATCHED_GRPC, 400)):
        if case in ours:
            yield Bar(f"{case.name}: microseconds", ours[case].cpu_us_per_span, limit)
    if CHAIN in ours:
        yield Bar("idle RSS with the thin chain, MiB", ours[CHAIN].idle_rss_mib, 90)
