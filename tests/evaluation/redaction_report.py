"""How well redaction does, from outside: `make eval-redaction`.

Labelled texts go through a running collector with every entity type (`all`) and with the default policy; then the
recordings with planted values; then code and documents in which next to nothing is secret. Exit status 1 when a goal
is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from processors.demo.recordings import load as load_recordings
from processors.redaction.knowledge.entities import select_entities
from tests.benchmarks.report import table
from tests.evaluation import redaction_recordings
from tests.evaluation.redaction import PARTS, alarms_in, corpus, load
from tests.evaluation.redaction_pipeline import POLICIES, Chain, collector, redacted_texts, replaced
from tests.evaluation.redaction_scoring import FREE, Document, Figures, Report, is_held_out, score

_COLUMNS: Final = (
    "texts",
    "policy",
    "part",
    "entities",
    "precision",
    "recall",
    "F1",
    "leak",
    "recall, Japanese",
    "negatives hit",
)


@dataclass(frozen=True, slots=True)
class Goal:
    """What has to be reached on a file of texts with every entity type."""

    f1: float
    leak: float = 1.0

    def falls_short(self, report: Report) -> list[str]:
        """What was not reached."""
        figures = report.structured
        found = []
        if figures.f1 < self.f1:
            found.append(f"F1 {figures.f1:.3f} < {self.f1}")
        if figures.leak > self.leak:
            found.append(f"leak {figures.leak:.3f} > {self.leak}")
        return found


GOALS: Final = {
    "secrets": Goal(f1=0.95, leak=0.04),
    "pii": Goal(f1=0.97, leak=0.03),
    "research": Goal(f1=0.95),
}
JAPANESE_RECALL: Final = 0.95
NEGATIVES_HIT: Final = 0.005
"""Of all texts in which there is nothing to find."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one part of a file under one policy."""

    file: str
    policy: str
    part: str
    report: Report

    @property
    def goal(self) -> Goal:
        """What is asked of it."""
        name = "research" if "research" in self.file else self.file.split(".")[0]
        return GOALS[name]

    @property
    def japanese(self) -> Figures:
        """What has a structure in Japanese texts."""
        return self.report.by["ja"]

    def falls_short(self) -> list[str]:
        """What was not reached, under `all`."""
        if self.policy != "all":
            return []
        found = self.goal.falls_short(self.report)
        if self.japanese.recall < JAPANESE_RECALL:
            found.append(f"Japanese recall {self.japanese.recall:.3f} < {JAPANESE_RECALL}")
        return [f"{self.file} {self.part}: {fault}" for fault in found]

    def row(self) -> Sequence[str]:
        """A row of the table."""
        figures, negatives = self.report.structured, self.report.negatives
        ratios = (figures.precision, figures.recall, figures.f1, figures.leak)
        hit = f"{negatives.share_hit:.2%} of {negatives.documents}"
        return (
            self.file,
            self.policy,
            self.part,
            str(figures.entities),
            *(f"{ratio:.3f}" for ratio in ratios),
            f"{self.japanese.recall:.3f}" if self.japanese.entities else "-",
            hit,
        )


def measure(folder: Path) -> Iterator[Measured]:
    """Every file of a folder, under each policy, in each part."""
    with collector({policy: {"redaction": settings} for policy, settings in POLICIES.items()}) as chains:
        for name, documents in load(folder, "all"):
            for policy, chain in chains.items():
                yield from _measure(name, policy, chain, documents)


def _measure(name: str, policy: str, chain: Chain, documents: Sequence[Document]) -> Iterator[Measured]:
    after = redacted_texts(chain, documents)
    found = {text["id"]: replaced(text["text"], new) for text, new in zip(documents, after, strict=True)}
    labelled = [_within(select_entities(policy), text) for text in documents]
    for part in PARTS:
        some = [text for text in labelled if part in ("all", _part(text))]
        yield Measured(name, policy, part, score(some, found, _language_of_structured))


def _part(document: Document) -> str:
    return "held-out" if is_held_out(document) else "tune"


def _within(types: frozenset[str], document: Document) -> Document:
    """The text with what the policy leaves alone as optional."""
    entities = [entity if entity["type"] in types else {**entity, "optional": True} for entity in document["entities"]]
    return {**document, "entities": entities}


def _language_of_structured(document: Document, entity: Mapping[str, Any]) -> str:
    return "free" if entity["type"] in FREE else str(document["lang"])


def negatives_hit(measured: Iterable[Measured]) -> tuple[int, int]:
    """Texts without anything to find in which something was replaced under `all`, and how many such texts there are."""
    negatives = [row.report.negatives for row in measured if (row.policy, row.part) == ("all", "all")]
    return sum(some.hit for some in negatives), sum(some.documents for some in negatives)


def _gaps(measured: Iterable[Measured]) -> Iterator[str]:
    """Where what was held out does worse than what rules were written with."""
    f1 = {(row.file, row.policy, row.part): row.report.structured.f1 for row in measured}
    for (file, policy, part), value in f1.items():
        if part == "held-out":
            yield f"{file}, {policy}: held out {100 * (value - f1[file, policy, 'tune']):+.1f} points of F1"


def main() -> int:
    """Print the tables; exit status 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, help="a folder of labelled texts")
    parser.add_argument("recordings", type=Path, help="a folder of recordings")
    parser.add_argument("--wrong", type=int, default=3, help="how many faults of a kind to show")
    arguments = parser.parse_args()
    measured = list(measure(arguments.texts))
    _say(table(_COLUMNS, [row.row() for row in measured]), "")
    _say(*_gaps(measured), "")
    hit, documents = negatives_hit(measured)
    _say(f"negatives of all files: {hit} of {documents} hit, {hit / documents:.2%}", "")
    verdicts = redaction_recordings.evaluate(load_recordings(arguments.recordings))
    _say(*redaction_recordings.summary(verdicts, arguments.wrong), "")
    _say(*alarms_in(corpus(), "all", arguments.wrong), "")
    short = [fault for row in measured for fault in row.falls_short()]
    if hit > NEGATIVES_HIT * documents:
        short.append(f"negatives hit: {hit} of {documents}")
    short += [f"{way}: something is left or damaged" for way, verdict in verdicts.items() if not verdict.is_clean]
    _say(*(f"short: {fault}" for fault in short))
    return bool(short)


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
