"""What it costs to lose nothing, beside the real Collector: Kafka on one side, a queue on disk, two workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import durable_queue, kafka, report
from tests.benchmarks.bars import durability_bars, kafka_bars
from tests.benchmarks.cases import DURABLE, FORWARD, SPREAD, TWO_WORKERS, Case
from tests.benchmarks.end_to_end import side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.end_to_end import Result

PAIRS = ((FORWARD, DURABLE), (SPREAD, TWO_WORKERS))


def run(collectors: Sequence[str], rounds: int) -> str:
    """Measure all of it; the result as tables."""
    streams = kafka.run(collectors, rounds)
    results: dict[Case, dict[str, Result]] = {}
    for pair in PAIRS:
        for name in collectors:
            if name == "penstock" or not any(case.only_ours for case in pair):
                for case, found in side_by_side(name, pair, rounds=rounds).items():
                    results.setdefault(case, {})[name] = found
    rows = [_row(case, times) for case, times in streams.items()]
    rows += [_row(case.name, _times(run)) for case, run in results.items()]
    bars = [*kafka_bars(streams), *durability_bars(results, durable_queue.measure())]
    tables = [
        report.table(("case", "penstock", "otelcol", "ratio"), rows),
        report.table(("bar", "measured", "limit", ""), [bar.row() for bar in bars]),
    ]
    if not streams:
        tables.append("No Kafka: `make servers` brings it.")
    return "\n\n".join(tables)


def _times(run: Mapping[str, Result]) -> dict[str, float]:
    return {name: found.cpu_us_per_span for name, found in run.items()}


def _row(case: str, times: Mapping[str, float]) -> tuple[str, str, str, str]:
    ours, theirs = times.get("penstock"), times.get("otelcol")
    return case, report.microseconds(ours), report.microseconds(theirs), report.ratio(ours, theirs)
