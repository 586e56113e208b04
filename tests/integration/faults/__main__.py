"""Faults, and who lost what: `make eval-faults`.

Runs a collector as a process, does to it what production does, and prints the conservation ledger, a row per scenario.
Exit status 1 when Penstock loses what it has acknowledged, or repeats what was not in flight at a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _pytest.outcomes import Skipped

from tests.benchmarks.report import table
from tests.integration.faults.bench import Bench, Result
from tests.integration.faults.catalog import SCENARIOS, Scenario, Size, named
from tests.servers.kafka.broker import Broker, broker

MOST_REPEATED = 0.001
"""Share of all spans that may arrive twice."""
_COLUMNS = ("scenario", "collector", "faults", "sent", "acknowledged", "lost", "repeated", "in flight", "verdict")


class Run:
    """Runs scenarios and keeps their rows."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, seed: int, *, short: bool) -> None:
        """Everything that is started ends with `stack`."""
        self.rows: list[tuple[str, ...]] = []
        self.problems: list[str] = []
        self.repeated = self.arrived = 0
        self._folder = folder
        self._stack = stack
        self._short = short
        self._seed = seed
        self._broker: Broker | None = None

    def _shared_broker(self) -> Broker:
        if self._broker is None:
            self._broker = self._stack.enter_context(broker(self._folder / "broker"))
        return self._broker

    def scenario(self, scenario: Scenario, collector: str, changes: dict[str, float]) -> None:
        """Run one and print its row."""
        size = (scenario.short if self._short else scenario.long).changed(**changes)
        folder = self._folder / f"{scenario.name}-{collector}"
        bench = Bench(collector, folder, self._shared_broker, seed=self._seed, **size.keys())
        try:
            result = scenario.run(bench)
        except Skipped as skipped:
            self.rows.append((scenario.name, collector, *["-"] * (len(_COLUMNS) - 3), f"skipped: {skipped.msg}"))
            return
        self._keep(scenario, collector, result)

    def _keep(self, scenario: Scenario, collector: str, result: Result) -> None:
        name = scenario.name
        found = result.verdict()
        account = result.account
        if collector == "penstock":
            self.problems += [f"{name}: {problem}" for problem in found]
            if not scenario.is_repeating:
                self.repeated += account.repeated
                self.arrived += account.arrived
        share = account.lost / account.acknowledged if account.acknowledged else 0
        lost = f"{account.lost} ({share:.1%})" if account.lost else "0"
        figures = (result.faults, account.sent, account.acknowledged)
        words = "; ".join([*(found or ["ok"]), *result.notes])
        row = (name, collector, *map(str, figures), lost, str(account.repeated), str(account.in_flight), words)
        self.rows.append(row)
        _say(" | ".join(row))


def main() -> int:
    """Run what was asked for; print the ledger."""
    arguments = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)
    changes = {key: getattr(arguments, key) for key in Size.KEYS if getattr(arguments, key) is not None}
    with contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        run = Run(folder, stack, arguments.seed, short=arguments.short)
        for scenario in named(arguments.only):
            for collector in _collectors(arguments):
                if collector in scenario.collectors:
                    run.scenario(scenario, collector, changes)
    _say("", table(_COLUMNS, run.rows), "")
    return _conclude(run, is_whole=not (arguments.short or changes))


def _conclude(run: Run, *, is_whole: bool) -> int:
    """What repeats is a matter of each fault: its share says something where faults are as far apart as they should."""
    share = run.repeated / run.arrived if run.arrived else 0.0
    _say(f"repeated by Penstock: {run.repeated} of {run.arrived} spans, {share:.3%}")
    if is_whole and share >= MOST_REPEATED:
        run.problems.append(f"{share:.3%} of all spans arrived twice, allowed are {MOST_REPEATED:.1%}")
    _say(*(f"problem: {problem}" for problem in run.problems))
    return bool(run.problems)


def _collectors(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.collector in (None, "penstock"):
        yield "penstock"
    if arguments.beside or arguments.collector == "otelcol":
        yield "otelcol"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        type=_pattern,
        help="scenarios whose whole name matches, such as `sampling_.*`; may be given several times",
    )
    parser.add_argument("--collector", choices=["penstock", "otelcol"], help="only this one")
    parser.add_argument("--beside", action="store_true", help="the real Collector in the same scenarios, too")
    parser.add_argument("--short", action="store_true", help="the sizes of `make test`")
    parser.add_argument("--kills", dest="faults", type=int, help="faults per scenario")
    parser.add_argument("--interval", dest="interval_s", type=float, help="mean seconds between two faults")
    parser.add_argument("--away", dest="away_s", type=float, help="seconds a backend stays away")
    parser.add_argument("--spans", type=int, help="spans where their number is fixed")
    parser.add_argument("--delay", dest="delay_s", type=float, help="seconds the backend takes to answer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for logs and files, which stay there")
    parser.epilog = "scenarios: " + ", ".join(scenario.name for scenario in SCENARIOS)
    return parser.parse_args()


def _pattern(text: str) -> re.Pattern[str]:
    """Raises ArgumentTypeError where it is the name of none: a run of nothing would succeed."""
    pattern = re.compile(text)
    if not any(named([pattern])):
        raise argparse.ArgumentTypeError(f"no scenario has a name that is {text!r}, from its begin to its end")
    return pattern


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
