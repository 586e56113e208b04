"""Metrics of all recordings beside what the provider saw: `make eval-metrics DIR=...`.

Every recording goes through normaliser, latency, cost and the connector `gen_ai_metrics`. Per dialect: calls and tokens
by class, counted by the connector, equal the sums over the truth of what is eligible (as in `captures.py`: the source
said the true value; streams that were cut are left out); cost equals the sum over spans and log records to 1e-9; every
histogram has as many values as there are records that say one.
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
from tests.evaluation.calls import ROLE, is_cut
from tests.evaluation.captures import ELIGIBLE
from tests.evaluation.fields import FIELDS
from tests.evaluation.metered import Counted, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.evaluation.calls import Call, Matched
    from tests.evaluation.metered import Point
    from tests.evaluation.records import Record

USD: Final = "penstock.cost.usd"
REASON: Final = "penstock.cost.unpriced"
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


def _by_label(metric: str, label: str, value: str) -> Selector:
    return Selector(metric, ((label, value),))


CALLS: Final = Selector("penstock.gen_ai.client.calls")
COST: Final = Selector("penstock.gen_ai.client.cost")
UNPRICED: Final = Selector("penstock.gen_ai.client.unpriced_calls")


@dataclass(frozen=True)
class Class:
    """A class of tokens: where its truth is, where records say it, where it is counted."""

    field: str
    attribute: str
    label: str
    main: str
    """Its counter in the conventions after 1.41."""

    def counters(self, profile: str) -> Iterator[Selector]:
        """All that counts it in a profile of the conventions."""
        yield _by_label("penstock.gen_ai.client.tokens", "penstock.token.class", self.label)
        if profile == "main":
            yield Selector(f"gen_ai.client.inference.usage.{self.main}")
        elif self.label in {"input", "output"}:
            yield _by_label("gen_ai.client.token.usage", "gen_ai.token.type", self.label)


TOKENS: Final = (
    Class("input tokens", "gen_ai.usage.input_tokens", "input", "input_tokens"),
    Class("output tokens", "gen_ai.usage.output_tokens", "output", "output_tokens"),
    Class("cache read", "gen_ai.usage.cache_read.input_tokens", "cache_read", "cache_read.input_tokens"),
    Class("cache write", "gen_ai.usage.cache_creation.input_tokens", "cache_write", "cache_write.input_tokens"),
    Class("reasoning", "gen_ai.usage.reasoning.output_tokens", "reasoning", "reasoning.output_tokens"),
)
_OPERATION: Final = "gen_ai.operation.name"
_NO_CALLS: Final = {"retrieval", "create_agent", "fetch_response", "plan"}
"""Operations that have no metric of their own for how long they take."""
_OK: Final = 200
_MCP: Final = "mcp.method.name"
"""Requests of that protocol have metrics of their own."""
_LENGTHS: Final = ("duration_ms", "gen_ai.client.operation.duration")
"""Where log records say how long a call took."""


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
        digits = ".6f" if self.name == "cost" or " in " in self.name else ".0f"
        left = f" (+{self.left_out:{digits}})" if self.left_out else ""
        if self.holds:
            return f"{self.expected:{digits}}{left}"
        return f"**{self.counted - self.left_out:{digits}}, not {self.expected:{digits}}**{left}"


def equations(found: Counted, profile: str = "1.41") -> Iterator[Line]:
    """What must hold of one dialect."""
    calls = [call for _, matched in found.matched for call in matched.calls]
    points, leaves = found.points, found.leaves
    yield _calls([matched for _, matched in found.matched], points)
    for entry in TOKENS:
        for counter in entry.counters(profile):
            yield _tokens(entry, calls, counter, points)
    yield Line("cost", _sum(leaves, USD), sum(point.total for point in COST.of(points)))
    yield Line("unpriced", sum(REASON in r.attributes for r in leaves), sum(p.total for p in UNPRICED.of(points)))
    yield Line("neither price nor reason", 0, sum(_is_forgotten(call) for call in calls))
    yield from _lengths(found, profile)
    histograms = [point for point in points if "histogram" in point.kind]
    yield Line("in buckets", _count(histograms), sum(point.in_buckets for point in histograms))


def _is_forgotten(call: Call) -> bool:
    """Whether a call that was answered has no cost, and no reason for that; one that failed is free."""
    return not call.is_cut and USD not in call.leaf.attributes and REASON not in call.leaf.attributes


def _calls(matched: list[Matched], points: list[Point]) -> Line:
    missing = [request for entry in matched for request in entry.missing]
    # Of a stream that was cut some libraries record nothing at all.
    untold = [request for request in missing if request["status"] == _OK and is_cut(request)]
    expected = sum(len(entry.calls) for entry in matched) + len(missing) - len(untold)
    return Line("calls", expected, sum(point.total for point in CALLS.of(points)))


def _lengths(found: Counted, profile: str) -> Iterator[Line]:
    """Histograms have a value for each record that says one."""
    word = "inference" if profile == "main" else "operation"
    durations = {f"gen_ai.client.{word}.duration", "gen_ai.client.operation.duration"}
    timed = [p for p in found.points if p.metric in durations and p.labels[_OPERATION] not in _NO_CALLS]
    yield Line("durations", sum(_has_length(record) for record in found.leaves), _count(timed))
    for name, metric, attribute in (
        ("TTFT", f"gen_ai.client.{word}.time_to_first_chunk", "gen_ai.response.time_to_first_chunk"),
        ("TPOT", "penstock.gen_ai.client.time_per_output_token", "penstock.latency.time_per_output_token"),
    ):
        said = [record for record in found.leaves if _is_number(record.attributes.get(attribute))]
        counted = Selector(metric).of(found.points)
        yield Line(name, len(said), _count(counted))
        yield Line(f"{name} in sum", _sum(said, attribute), sum(point.total for point in counted))
    for name, metric, operation in (
        ("agents", "gen_ai.invoke_agent.duration", "invoke_agent"),
        ("tools", "gen_ai.execute_tool.duration", "execute_tool"),
    ):
        runs = [r for r in found.records if r.attributes.get(_OPERATION) == operation and r.signal == "traces"]
        once = [r for r in runs if r.attributes.get(ROLE) != "duplicate" and _MCP not in r.attributes]
        yield Line(name, len(once), _count(Selector(metric).of(found.points)))


def _has_length(record: Record) -> bool:
    return record.signal == "traces" or any(_is_number(record.attributes.get(key)) for key in _LENGTHS)


def _tokens(entry: Class, calls: list[Call], counter: Selector, points: list[Point]) -> Line:
    wanted, true, left_out = _FIELDS[entry.field], 0, 0
    for call in calls:
        if not call.is_cut and wanted.verdict(call) in ELIGIBLE:
            true += wanted.truth(call)
        else:
            left_out += _number(call.said(entry.attribute))
    name = entry.field if counter.metric.startswith("penstock.") else f"{entry.field} ({counter.metric})"
    return Line(name, true, sum(point.total for point in counter.of(points)), left_out)


def _count(points: Iterable[Point]) -> int:
    return sum(point.count for point in points)


def _sum(records: Iterable[Record], attribute: str) -> float:
    return math.fsum(_number(record.attributes.get(attribute)) for record in records)


def _number(value: Any) -> Any:
    return value if _is_number(value) else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def by_dialect(found: dict[str, Counted], profile: str = "1.41") -> str:
    """The table of sums; `(+n)` was counted of calls whose truth is not known."""
    lines = {dialect: _shown(equations(counted, profile)) for dialect, counted in found.items()}
    lines["all"] = [_in_sum(column) for column in zip(*lines.values(), strict=True)]
    names = [line.name for line in lines["all"]]
    return table(("dialect", *names), [[name, *(line.cell() for line in row)] for name, row in lines.items()])


def _in_sum(column: Sequence[Line]) -> Line:
    """One equation of all dialects."""
    sums = [sum(getattr(line, side) for line in column) for side in ("expected", "counted", "left_out")]
    return Line(column[0].name, *sums)


def _shown(lines: Iterable[Line]) -> list[Line]:
    """Without what says the same again."""
    return [line for line in lines if "(" not in line.name and " in " not in line.name]


def broken(found: dict[str, Counted], profile: str = "1.41") -> list[str]:
    """Equations that do not hold, a line each."""
    return [
        f"{dialect}: {line.name}: {line.cell()}"
        for dialect, counted in found.items()
        for line in equations(counted, profile)
        if not line.holds
    ]


def unpriced(found: dict[str, Counted]) -> Counter[tuple[str, str, str]]:
    """Calls without a price, by reason, dialect, and provider and model."""
    return Counter(
        (str(record.attributes[REASON]), dialect, " / ".join(_names(record.attributes)))
        for dialect, counted in found.items()
        for record in counted.leaves
        if REASON in record.attributes
    )


def _names(said: dict[str, Any]) -> Iterator[str]:
    for key in ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"):
        yield str(said.get(key, "-"))


def main() -> int:
    """Count a folder of recordings and print the tables; the exit code is 1 when an equation does not hold."""
    parser = argparse.ArgumentParser(prog="make eval-metrics", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=CHECKOUT_FOLDER)
    parser.add_argument("--dialect", default="", help="only dialects whose name contains this text")
    parser.add_argument("--unpriced", action="store_true", help="also print which calls have no price, and why")
    parser.add_argument("--profile", default="1.41", help="version of the conventions whose metrics are counted")
    options = parser.parse_args()
    recordings = [recording for recording in load(options.folder) if options.dialect in recording.dialect]
    found = count(recordings, profile=options.profile)
    print(by_dialect(found, options.profile), end="\n\n")
    without = unpriced(found)
    if options.unpriced:
        header = ("reason", "dialect", "provider / model asked for / model that answered", "calls")
        print(table(header, [[*key, str(number)] for key, number in sorted(without.items())]), end="\n\n")
    reasons = Counter[str]()
    for (reason, _, _), number in without.items():
        reasons[reason] += number
    leaves = sum(len(counted.leaves) for counted in found.values())
    print(f"{len(recordings)} recordings, {leaves} calls, {without.total()} without a price: {dict(reasons)}")
    problems = broken(found, options.profile)
    print(*problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
