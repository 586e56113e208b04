"""Every recording through the chain, beside what the provider saw: `make eval-captures DIR=...`.

Per dialect and field of a call: how often its true value was in the recorded telemetry (eligible), and whether it came
out right. Per dialect: calls counted once, the sum of tokens over leaves, planted values left behind redaction.
Black box: OTLP in, OTLP out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.demo.recordings import CHECKOUT_FOLDER, Recording, load
from tests.benchmarks.report import table
from tests.evaluation.calls import Call, Matched, match
from tests.evaluation.chain import Messages, chain
from tests.evaluation.fields import FIELDS
from tests.evaluation.planted import forms
from tests.evaluation.records import records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LATER_TYPES = frozenset({"person_name", "jp_address"})
"""Planted types that the first rules do not claim; what is left of them is counted apart."""
_INPUT, _OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
_LONGEST_SAID = 120
ELIGIBLE = ("right", "wrong", "absent")
_TOTALS = ("field", "eligible", *ELIGIBLE, "missed", "not eligible, said by the source", "unfounded")


_PAGE = """# What the normaliser gets right, measured

{} recordings of {} set-ups of real instrumentation libraries went through `gen_ai_normalizer` over OTLP, and what
came out was compared with what the provider saw and answered: `make eval-captures DIR=... EVAL_ARGS="--write FILE"`
wrote this page. A part of them, and those of other libraries, are in `tests/data/captures`, where every run of the
tests holds them to the same goals.

A field of a call is *eligible* when its true value stands in some attribute, body or event of the call's own spans and
log records; what a library did not record, nobody can get right. *Unfounded* is a value that Penstock gave and no one
had said. What is not eligible and was said by the source is the source's own word, taken over as it is.

{}

Wrong, absent or unfounded, by library:

{}

## By library

Cells are right/eligible, then what is wrong (w), absent (a), unfounded (u). *Missing* calls have no span that counts
them, *extra* spans count a call a second time or count none. *Tokens* is their sum over spans that count (leaves),
divided by the provider's, over calls whose counts are eligible and whose stream was not cut.

{}
"""


@dataclass(slots=True)
class Score:
    """Sums of one dialect."""

    calls: int = 0
    missing: int = 0
    extra: int = 0
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By field and verdict."""
    tokens_true: int = 0
    tokens_counted: int = 0
    planted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    left_later: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    """What was not right, a line each."""

    def add_calls(self, scenario: str, matched: Matched) -> None:
        """Add the calls of one recording."""
        self.calls += len(matched.calls) + len(matched.missing)
        self.missing += len(matched.missing)
        self.extra += len(matched.extra)
        self.notes += [f"{scenario}: request {request['seq']} has no leaf" for request in matched.missing]
        self.notes += [f"{scenario}: {leaf.name!r} counts nothing, or twice" for leaf in matched.extra]
        for call in matched.calls:
            self._add_fields(scenario, call)
        counted = [call for call in matched.calls if _has_counts(call)]
        self.tokens_true += sum(
            _tokens(call.request["usage"][name] for name in ("input_tokens", "output_tokens")) for call in counted
        )
        leaves = [*(call.leaf for call in counted), *matched.extra]
        self.tokens_counted += sum(_tokens(leaf.attributes.get(key) for key in (_INPUT, _OUTPUT)) for leaf in leaves)

    def _add_fields(self, scenario: str, call: Call) -> None:
        for entry in FIELDS:
            verdict = entry.verdict(call)
            if not verdict:
                continue
            self.verdicts[entry.name, verdict] += 1
            if verdict != "right":
                said = json.dumps(entry.said(call), ensure_ascii=False, default=str)[:_LONGEST_SAID]
                true = json.dumps(entry.truth(call), ensure_ascii=False, default=str)[:_LONGEST_SAID]
                self.notes.append(f"{scenario} {call.request['seq']}: {entry.name} {verdict}: true {true}, said {said}")

    def add_planted(self, planted: list[dict[str, Any]], masked: Messages) -> None:
        """Look for the planted values of one recording in what left the chain."""
        everything = b"\n".join(message.SerializeToString() for _, message in masked)
        for kind, value in sorted({(entry["type"], entry["value"]) for entry in planted}):
            self.planted += 1
            if any(form in everything for form in forms(value)):
                (self.left_later if kind in LATER_TYPES else self.left)[kind] += 1

    def cell(self, name: str) -> str:
        """A field as `right/eligible`, with what is unfounded."""
        right, wrong, absent = (self.verdicts[name, verdict] for verdict in ELIGIBLE)
        unfounded = self.verdicts[name, "unfounded"]
        eligible = right + wrong + absent
        misses = "".join(f" {count}{mark}" for count, mark in ((wrong, "w"), (absent, "a"), (unfounded, "u")) if count)
        return f"{right}/{eligible}{misses}" if eligible or misses else "-"

    def ratio(self) -> str:
        """Tokens over leaves by tokens that the provider counted."""
        return f"{self.tokens_counted / self.tokens_true:.3f}" if self.tokens_true else "-"


def _tokens(counts: Iterable[Any]) -> int:
    return sum(count for count in counts if isinstance(count, int))


def _has_counts(call: Call) -> bool:
    """Whether the source says the counts that there are, and the stream was not cut."""
    counts = [entry for entry in FIELDS if entry.name in {"input tokens", "output tokens"} and entry.truth(call)]
    return bool(counts) and not call.is_cut and all(entry.verdict(call) in ELIGIBLE for entry in counts)


def evaluate(recordings: list[Recording]) -> dict[str, Score]:
    """Run all recordings through the chain and score what comes out."""
    scores: dict[str, Score] = defaultdict(Score)
    with chain() as running:
        for recording in recordings:
            raw, understood, masked = running.run(recording)
            matched = match(recording.truth["requests"], _records(understood), _records(raw))
            scores[recording.dialect].add_calls(recording.scenario, matched)
            scores[recording.dialect].add_planted(recording.truth["planted"], masked)
    return scores


def _records(messages: Messages) -> list[Any]:
    return [record for signal, message in messages for record in records(signal, message)]


def by_dialect(scores: dict[str, Score]) -> str:
    """The table of fields by dialect."""
    names = [entry.name for entry in FIELDS]
    header = ("dialect", "calls", "missing", "extra", "tokens", *names)
    rows = [
        [name, str(s.calls), str(s.missing), str(s.extra), s.ratio(), *(s.cell(entry) for entry in names)]
        for name, s in scores.items()
    ]
    return table(header, rows)


def by_field(scores: dict[str, Score]) -> str:
    """The table of sums over all dialects."""
    return table(_TOTALS, _totals(scores))


def misses(scores: dict[str, Score]) -> str:
    """What is wrong, absent or unfounded, counted by dialect and field."""
    found = [
        (name, f"{count} x {field_name} {verdict}")
        for name, score in scores.items()
        for (field_name, verdict), count in sorted(score.verdicts.items())
        if verdict in {"wrong", "absent", "unfounded"}
    ]
    names = dict.fromkeys(name for name, _ in found)
    return "\n".join(f"- {name}: {', '.join(text for owner, text in found if owner == name)}" for name in names)


def _totals(scores: dict[str, Score]) -> Iterator[list[str]]:
    total = sum((score.verdicts for score in scores.values()), Counter())
    for entry in FIELDS:
        right, wrong, absent = (total[entry.name, verdict] for verdict in ELIGIBLE)
        eligible = right + wrong + absent
        share = f"{(wrong + absent) / eligible:.1%}" if eligible else "-"
        others = (total[entry.name, verdict] for verdict in ("stated", "unfounded"))
        yield [entry.name, *map(str, (eligible, right, wrong, absent)), share, *map(str, others)]


def main() -> int:
    """Print the tables; exit code 1 when a planted value of a type the rules claim is left."""
    parser = argparse.ArgumentParser(prog="make eval-captures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT_FOLDER, help="folder of recordings")
    parser.add_argument("--dialect", default="", help="only dialects whose name contains this")
    parser.add_argument("--misses", action="store_true", help="list what is not right")
    parser.add_argument("--write", type=Path, help="write the tables to this Markdown file")
    options = parser.parse_args()
    recordings = [recording for recording in load(options.folder) if options.dialect in recording.dialect]
    scores = evaluate(recordings)
    print(f"{by_dialect(scores)}\n\n{by_field(scores)}")
    if options.misses:
        print(*(f"{name}/{note}" for name, score in scores.items() for note in score.notes), sep="\n")
    if options.write:
        options.write.write_text(
            _PAGE.format(len(recordings), len(scores), by_field(scores), misses(scores), by_dialect(scores)),
            encoding="utf-8",
        )
    left = sum((score.left for score in scores.values()), Counter[str]())
    later = sum((score.left_later for score in scores.values()), Counter[str]())
    planted = sum(score.planted for score in scores.values())
    print(
        f"\n{len(recordings)} recordings of {len(scores)} dialects, {planted} planted values: "
        f"left of the types that rules claim {dict(left) or 0}, of later types {dict(later) or 0}"
    )
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
