"""`make bench`: CPU time per span, end to end beside the real Collector and per stage, as Markdown tables."""

from __future__ import annotations

import argparse
import platform
import sys

from tests.benchmarks import adversarial, dialects, durability, end_to_end, price_table, report, sampling, soak, stages
from tests.benchmarks.bars import bars, dialect_bars, price_table_bars, stage_bars
from tests.benchmarks.cases import CASES, CHAIN, Case
from tests.benchmarks.end_to_end import Result
from tests.benchmarks.payloads import TEXT, TEXT_FREE
from tests.servers.lookup import find_program


def main() -> int:
    """Measure what the command line asks for and print it."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--collector", action="append", choices=sorted(end_to_end.COLLECTORS), help="default: both")
    parser.add_argument("--rounds", type=int, default=end_to_end.ROUNDS, help="measurements per case")
    parser.add_argument("--stages", action="store_true", help="only the table of single stages")
    parser.add_argument("--kafka", action="store_true", help="only Kafka, the queue on disk and workers")
    parser.add_argument("--adversarial", action="store_true", help="only the detection of adversarial input")
    parser.add_argument("--sampling", action="store_true", help="only tail sampling")
    parser.add_argument(
        "--soak",
        action="store_true",
        help="only the growth of memory under a steady load (of the thin chain, or of --only)",
    )
    parser.add_argument("--minutes", type=float, default=10, help="length of the soak")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    if options.soak:
        print(soak.run(options.minutes, next(case for case in CASES if (options.only or CHAIN.name) in case.name)))
        return 0
    if options.adversarial:
        print("Detection of adversarial input, one core:\n")
        print(adversarial.run())
        return 0
    collectors = _runnable(options.collector or sorted(end_to_end.COLLECTORS, reverse=True))
    if options.sampling:
        print("Tail sampling, CPU microseconds per span:\n")
        print(sampling.run(collectors, options.rounds))
        return 0
    if not options.stages and not options.kafka:
        _end_to_end(collectors, options.only, options.rounds)
    if not options.stages and not options.only:
        print("Nothing lost, CPU microseconds per span of 3.6 KB. Kafka: five spans to a trace and record, zstd:\n")
        print(durability.run(collectors, options.rounds), end="\n\n")
    if not options.only and not options.kafka:
        _stages()
    return 0


def _runnable(collectors: list[str]) -> list[str]:
    if find_program("otelcol") is None and "otelcol" in collectors:
        print("The real Collector is not there (`make servers` builds it): measuring without it.", file=sys.stderr)
        return [name for name in collectors if name != "otelcol"]
    return collectors


def _end_to_end(collectors: list[str], only: str, rounds: int) -> None:
    cases = [case for case in CASES if only in case.name]
    results = {case: _measure(case, collectors, rounds) for case in cases}
    print("End to end, CPU microseconds per span (user and system time of the collector's process):\n")
    header = ("case", "span", "penstock", "otelcol", "ratio", "idle RSS, MiB", "RSS after load, MiB")
    print(report.table(header, [_row(case, run) for case, run in results.items()]), end="\n\n")
    print(report.table(("bar", "measured", "limit", ""), [bar.row() for bar in bars(results)]), end="\n\n")


def _measure(case: Case, collectors: list[str], rounds: int) -> dict[str, Result]:
    run = [name for name in collectors if name == "penstock" or not case.only_ours]
    return {name: end_to_end.measure(name, case, rounds=rounds) for name in run}


def _row(case: Case, run: dict[str, Result]) -> list[str]:
    our_us, their_us = (run[name].cpu_us_per_span if name in run else None for name in ("penstock", "otelcol"))
    return [
        case.name,
        case.shape.name,
        report.microseconds(our_us),
        report.microseconds(their_us),
        report.ratio(our_us, their_us),
        " / ".join(f"{found.idle_rss_mib:.0f}" for found in run.values()),
        " / ".join(f"{found.loaded_rss_mib:.0f}" for found in run.values()),
    ]


def _stages() -> None:
    print("Single stages inside one process, CPU microseconds per span, requests of 100:\n")
    with_text, without = stages.measure(TEXT), stages.measure(TEXT_FREE)
    rows = (
        (name, report.microseconds(with_text[name]), report.microseconds(without.get(name)), _budget(name))
        for name in with_text
    )
    print(report.table(("stage", TEXT.name, TEXT_FREE.name, "budget, 3.6 KB"), rows), end="\n\n")
    print("Time, money and metrics; the price table in a fresh process; the normaliser:\n")
    held = [*stage_bars(with_text), *price_table_bars(price_table.measure()), *dialect_bars(dialects.measure())]
    print(report.table(("bar", "measured", "limit", ""), [bar.row() for bar in held]))


def _budget(stage: str) -> str:
    return report.microseconds(stages.BUDGETS_US.get(stage))


if __name__ == "__main__":
    sys.exit(main())
