"""Metrics of all recordings beside what the provider saw: `make eval-metrics DIR=...`.

Every recording goes through normaliser, latency, cost and the connector `gen_ai_metrics`. Per dialect: calls and tokens
by class, counted by the connector, equal the sums over the truth of what is eligible (as in `captures.py`: the source
said the true value; streams that were cut are left out); cost equals the sum over spans and log records to 1e-9; every
histogram has as many values as there are calls that say one.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processors.demo.recordings import CHECKOUT_FOLDER, load
from tests.benchmarks.report import table
from tests.evaluation.captures import ELIGIBLE
from tests.evaluation.fields import FIELDS
from tests.evaluation.metered import Counted, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.evaluation.calls import Call, Matched
    from tests.evaluation.metered import Point
    from tests.evaluation.records import Record

USD: Final = "penstock.cost.usd"
_COST_TOLERANCE_USD: Final = 1e-9
_FIELDS: Final = {entry.name: entry for entry in FIELDS}


@dataclass(frozen=True)
class Selector:
    """Points of a metric."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()

    def of(self, points: Iterable[Point]) -> list[Point]:
        """Those with this name and these labels."""
        return [p for p in points if p.metric == self.metric and all(p.labels.get(k) == v for k, v in self.labels)]


CALLS: Final = Selector("gen_ai.client.operation.duration")
COST: Final = Selector("penstock.gen_ai.client.cost")


@dataclass(frozen=True)
class Class:
    """A class of tokens: where its truth is, where records say it, where it is counted."""

    field: str
    attribute: str
    counted: Selector


TOKENS: Final = (
    Class(
        "input tokens",
        "gen_ai.usage.input_tokens",
        Selector("gen_ai.client.token.usage", (("gen_ai.token.type", "input"),)),
    ),
    Class(
        "output tokens",
        "gen_ai.usage.output_tokens",
        Selector("gen_ai.client.token.usage", (("gen_ai.token.type", "output"),)),
    ),
)
HISTOGRAMS: Final = {
    "gen_ai.client.operation.time_to_first_chunk": "gen_ai.response.time_to_first_chunk",
    "penstock.gen_ai.client.time_per_output_token": "penstock.latency.time_per_output_token",
}
"""Histograms with a value for each call that has an attribute."""


@dataclass(frozen=True)
class Line:
    """One equation."""

    name: str
    expected: float
    counted: float
    left_out: float = 0
    """What was counted of calls whose truth is not known: not eligible, or cut. It is taken off before comparing."""

    @property
    def holds(self) -> bool:
        return math.isclose(self.counted - self.left_out, self.expected, rel_tol=0, abs_tol=_COST_TOLERANCE_USD)

    def cell(self) -> str:
        """The sum, or both sides where they differ."""
        digits = ".6f" if self.name == "cost" else ".0f"
        left = f" (+{self.left_out:{digits}})" if self.left_out else ""
        if self.holds:
            return f"{self.expected:{digits}}{left}"
        return f"**{self.counted - self.left_out:{digits}}, not {self.expected:{digits}}**{left}"


def equations(found: Counted) -> Iterator[Line]:
    """What must hold of one dialect."""
    calls = [call for _, matched in found.matched for call in matched.calls]
    yield _calls(found, [matched for _, matched in found.matched])
    for entry in TOKENS:
        yield _tokens(entry, calls, found)
    yield Line("cost", _sum(found.leaves, USD), sum(point.total for point in COST.of(found.points)))
    for metric, attribute in HISTOGRAMS.items():
        said = [record for record in found.leaves if _is_number(record.attributes.get(attribute))]
        yield Line(metric, len(said), _count(Selector(metric).of(found.points)))
    histograms = [point for point in found.points if "histogram" in point.kind]
    yield Line("in buckets", _count(histograms), sum(point.in_buckets for point in histograms))


def _calls(found: Counted, matched: list[Matched]) -> Line:
    return Line("calls", sum(len(m.calls) + len(m.missing) for m in matched), _count(CALLS.of(found.points)))


def _tokens(entry: Class, calls: list[Call], found: Counted) -> Line:
    wanted, true, left_out = _FIELDS[entry.field], 0, 0
    for call in calls:
        if not call.is_cut and wanted.verdict(call) in ELIGIBLE:
            true += wanted.truth(call)
        else:
            left_out += _number(call.said(entry.attribute))
    return Line(entry.field, true, sum(point.total for point in entry.counted.of(found.points)), left_out)


def _count(points: Iterable[Point]) -> int:
    return sum(point.count for point in points)


def _sum(records: Iterable[Record], attribute: str) -> float:
    return math.fsum(_number(record.attributes.get(attribute)) for record in records)


def _number(value: Any) -> Any:
    return value if _is_number(value) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def by_dialect(found: dict[str, Counted]) -> str:
    """The table of sums; `(+n)` was counted of calls whose truth is not known."""
    lines = {dialect: list(equations(counted)) for dialect, counted in found.items()}
    names = [line.name for line in next(iter(lines.values()))]
    return table(("dialect", *names), [[name, *(line.cell() for line in row)] for name, row in lines.items()])


def broken(found: dict[str, Counted]) -> list[str]:
    """Equations that do not hold, a line each."""
    return [
        f"{dialect}: {line.name}: {line.cell()}"
        for dialect, counted in found.items()
        for line in equations(counted)
        if not line.holds
    ]


def unpriced(found: dict[str, Counted]) -> Counter[tuple[str, str, str]]:
    """Calls without a cost, by reason, dialect, and provider and model."""
    return Counter(
        (_reason(record.attributes), dialect, " / ".join(_names(record.attributes)))
        for dialect, counted in found.items()
        for record in counted.leaves
        if USD not in record.attributes
    )


def _reason(said: dict[str, Any]) -> str:
    return str(said.get("penstock.cost.unpriced", "none is given"))


def _names(said: dict[str, Any]) -> Iterator[str]:
    for key in ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"):
        yield str(said.get(key, "-"))


def main() -> int:
    """Count a folder of recordings and print the tables; the exit code is 1 when an equation does not hold."""
    parser = argparse.ArgumentParser(prog="make eval-metrics", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=CHECKOUT_FOLDER)
    parser.add_argument("--dialect", default="", help="only dialects whose name contains this text")
    parser.add_argument("--unpriced", action="store_true", help="also print which calls have no price, and why")
    options = parser.parse_args()
    recordings = [recording for recording in load(options.folder) if options.dialect in recording.dialect]
    found = count(recordings)
    print(by_dialect(found), end="\n\n")
    without = unpriced(found)
    if options.unpriced:
        header = ("reason", "dialect", "provider / model asked for / model that answered", "calls")
        print(table(header, [[*key, str(number)] for key, number in sorted(without.items())]), end="\n\n")
    reasons = Counter[str]()
    for (reason, _, _), number in without.items():
        reasons[reason] += number
    leaves = sum(len(counted.leaves) for counted in found.values())
    print(f"{len(recordings)} recordings, {leaves} calls, {without.total()} without a price: {dict(reasons)}")
    problems = broken(found)
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
