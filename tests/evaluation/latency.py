"""Times that come out of the chain, beside the provider's own clock: `make eval-latency DIR=...`.

Per dialect: of streamed calls, how often something recorded tells when the first token came (derivable), and how far
what came out is from the clock; time per token and tokens per second; and values that nothing says. Black box: OTLP in,
OTLP out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processors.demo.recordings import CHECKOUT_FOLDER, Recording, load
from tests.benchmarks.report import table
from tests.evaluation.calls import Call, match
from tests.evaluation.chain import Messages, chain
from tests.evaluation.latency_truth import CLOSE_S, Truth, recorded_s, truth_of
from tests.evaluation.records import records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TTFT: Final = "gen_ai.response.time_to_first_chunk"
TPOT: Final = "penstock.latency.time_per_output_token"
RATE: Final = "penstock.latency.output_tokens_per_second"
LONG_S: Final = 0.2
"""Answers that take less are left out of the errors of rates: some milliseconds of a client are much of them."""
VERDICTS: Final = ("right", "wrong", "absent", "late", "invented")
_HEADER = (
    "library",
    "calls",
    "streams",
    "derivable",
    *VERDICTS,
    "TTFT error, ms: median",
    "most",
    "TPOT, of",
    "error, %: median",
    "most",
    "tokens/s, of",
    "error, %: median",
    "most",
)


@dataclass(slots=True)
class Score:
    """Sums of one dialect."""

    calls: int = 0
    streams: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    """Of the time to the first token: `right` and `wrong` (over 50 ms) where it can be known, `absent`, `late` (the
    source itself saw its first chunk that late), `invented`."""
    first_token_s: list[float] = field(default_factory=list)
    per_token: list[float] = field(default_factory=list)
    """Errors as shares of the truth, as below."""
    rate: list[float] = field(default_factory=list)
    short: int = 0
    """Times per token of answers that are too short to compare."""
    notes: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    """Scenarios in which the source's own value is late."""

    def add(self, scenario: str, call: Call) -> None:
        """Add one call."""
        self.calls += 1
        truth = truth_of(call)
        self.streams += truth is not None
        said = next((report.attributes[TTFT] for report in call.reports if TTFT in report.attributes), None)
        verdict = verdict_of(call, truth, said)
        self.verdicts[verdict] += 1
        if truth and said is not None and verdict in {"right", "wrong"}:
            self.first_token_s.append(truth.error_s(said))
        if verdict == "late":
            self.late.append(scenario)
        if verdict not in {"", "right"}:
            self.notes.append(f"{scenario} {call.request['seq']}: {verdict}: true {_milliseconds(truth)}, said {said}")
        self._add_rates(scenario, call, truth, is_late=verdict == "late")

    def _add_rates(self, scenario: str, call: Call, truth: Truth | None, *, is_late: bool) -> None:
        per_token_s, rate = call.said(TPOT), call.said(RATE)
        if truth is None:
            for name, value in (("time per token", per_token_s), ("rate", rate)):
                if value is not None:
                    self.verdicts["invented"] += 1
                    self.notes.append(f"{scenario} {call.request['seq']}: {name} {value} of no stream")
            return
        if per_token_s is not None:
            self._add_per_token(scenario, call, truth, per_token_s, is_late=is_late)
        if rate is not None and truth.end_s >= LONG_S and truth.tokens:
            true = call.request["usage"]["output_tokens"] / (truth.offset_s + truth.end_s)
            self.rate.append(rate / true - 1)

    def _add_per_token(self, scenario: str, call: Call, truth: Truth, said: float, *, is_late: bool) -> None:
        bounds = truth.per_token_s
        if bounds is None:
            self.verdicts["invented"] += 1
            self.notes.append(f"{scenario} {call.request['seq']}: time per token {said} where none can be known")
        elif is_late or truth.last_content_s - truth.first_content_s < LONG_S:
            self.short += 1
        else:
            nearest = min(max(said, bounds[0]), bounds[1])
            self.per_token.append(said / nearest - 1)
            if abs(self.per_token[-1]) > CLOSE_S:
                self.notes.append(f"{scenario} {call.request['seq']}: time per token true {bounds}, said {said}")

    def row(self, name: str) -> list[str]:
        """The row of the table."""
        derivable = sum(self.verdicts[verdict] for verdict in ("right", "wrong", "absent"))
        counts = [self.calls, self.streams, derivable, *(self.verdicts[verdict] for verdict in VERDICTS)]
        return [
            name,
            *map(str, counts),
            *_errors(self.first_token_s, 1e3),
            str(len(self.per_token)),
            *_errors(self.per_token, 1e2),
            str(len(self.rate)),
            *_errors(self.rate, 1e2),
        ]


def verdict_of(call: Call, truth: Truth | None, said: float | None) -> str:
    """What is to be said of the time to the first token that came out; nothing where none could and none did."""
    if truth is None:
        return "" if said is None else "invented"
    found = list(recorded_s(call))
    if any(map(truth.is_met_by, found)):
        return "absent" if said is None else "right" if abs(truth.error_s(said)) <= CLOSE_S else "wrong"
    if said is None:
        return ""
    return "late" if truth.error_s(said) > 0 else "invented"


def _milliseconds(truth: Truth | None) -> str:
    return f"{truth.first_content_s * 1e3:.0f} ms, {truth.offset_s * 1e3:.0f} ms into the span" if truth else "none"


def _errors(errors: list[float], scale: float) -> tuple[str, str]:
    found = sorted(abs(error) * scale for error in errors)
    return (f"{statistics.median(found):.1f}", f"{found[-1]:.1f}") if found else ("-", "-")


def median(errors: Iterable[float]) -> float:
    """The median of absolute errors; 0 of none."""
    return statistics.median([abs(error) for error in errors] or [0.0])


def total(scores: dict[str, Score]) -> Score:
    """The sum over all dialects."""

    def joined(of: Callable[[Score], list[Any]]) -> list[Any]:
        return [entry for score in scores.values() for entry in of(score)]

    return Score(
        calls=sum(score.calls for score in scores.values()),
        streams=sum(score.streams for score in scores.values()),
        verdicts=sum((score.verdicts for score in scores.values()), Counter()),
        first_token_s=joined(lambda score: score.first_token_s),
        per_token=joined(lambda score: score.per_token),
        rate=joined(lambda score: score.rate),
        short=sum(score.short for score in scores.values()),
        notes=[f"{name}/{note}" for name, score in scores.items() for note in score.notes],
        late=[f"{name}/{scenario}" for name, score in scores.items() for scenario in score.late],
    )


def evaluate(recordings: list[Recording]) -> dict[str, Score]:
    """Run all recordings through the chain and score the times that come out."""
    scores: dict[str, Score] = defaultdict(Score)
    with chain() as running:
        for recording in recordings:
            raw, understood, _ = running.run(recording)
            matched = match(recording.truth["requests"], _records(understood), _records(raw))
            for call in matched.calls:
                scores[recording.dialect].add(recording.scenario, call)
    return scores


def _records(messages: Messages) -> list[Any]:
    return [record for signal, message in messages for record in records(signal, message)]


def report(scores: dict[str, Score]) -> str:
    """The table of dialects with a stream or a time, and of all."""
    rows = [score.row(name) for name, score in scores.items() if score.streams or score.verdicts - Counter({"": 9**9})]
    return table(_HEADER, [*rows, total(scores).row("all")])


def main() -> int:
    """Print the table and what is not right; exit code 1 where something is wrong or invented."""
    parser = argparse.ArgumentParser(prog="make eval-latency", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT_FOLDER, help="folder of recordings")
    parser.add_argument("--dialect", default="", help="only dialects whose name contains this")
    options = parser.parse_args()
    recordings = [recording for recording in load(options.folder) if options.dialect in recording.dialect]
    scores = evaluate(recordings)
    summed = total(scores)
    print(report(scores), *summed.notes, sep="\n")
    print(f"\n{len(recordings)} recordings of {len(scores)} libraries, {summed.streams} streamed calls")
    return 1 if summed.verdicts["wrong"] or summed.verdicts["invented"] else 0


if __name__ == "__main__":
    sys.exit(main())
