"""`make bench`: CPU time per span, end to end beside the real Collector and per stage, as Markdown tables."""

from __future__ import annotations

import argparse
import platform
import sys

from tests.benchmarks import end_to_end, report
from tests.benchmarks.cases import CASES, Case
from tests.servers.lookup import find_program


def main() -> int:
    """Measure what the command line asks for and print it."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--collector", action="append", choices=list(end_to_end.COLLECTORS), help="default: both")
    parser.add_argument("--rounds", type=int, default=end_to_end.ROUNDS, help="measurements per case")
    options = parser.parse_args()
    collectors = options.collector or list(end_to_end.COLLECTORS)
    if find_program("otelcol") is None and "otelcol" in collectors:
        print("The real Collector is not there (`make servers` builds it): measuring without it.", file=sys.stderr)
        collectors.remove("otelcol")
    print(f"Python {platform.python_version()}, {platform.machine()}; CPU microseconds per span (user + system)\n")
    cases = [case for case in CASES if options.only in case.name]
    header = ("case", "span", "penstock", "otelcol", "ratio", "target", "idle RSS MiB", "RSS under load MiB")
    print(report.table(header, [_row(case, collectors, options.rounds) for case in cases]))
    return 0


def _row(case: Case, collectors: list[str], rounds: int) -> list[str]:
    run = [name for name in collectors if name == "penstock" or not case.only_ours]
    results = {name: end_to_end.measure(name, case, rounds=rounds) for name in run}
    ours, theirs = (results.get(name) for name in ("penstock", "otelcol"))
    our_us, their_us = (found.cpu_us_per_span if found else None for found in (ours, theirs))
    return [
        case.name,
        case.shape.name,
        report.microseconds(our_us),
        report.microseconds(their_us),
        report.ratio(our_us, their_us),
        "-" if case.target is None else f"{case.target:.1f}",
        *(
            " / ".join(f"{getattr(found, name):.0f}" for found in (ours, theirs) if found)
            for name in ("idle_rss_mib", "loaded_rss_mib")
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
