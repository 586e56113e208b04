"""Labelled texts through redaction: `make eval-redaction`."""

from __future__ import annotations

import argparse
import json
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import select_entities
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder
from tests.benchmarks.report import table
from tests.evaluation.redaction_scoring import Document, Figures, Predicted, Report, is_held_out, score

PARTS: Final = ("tune", "held-out", "all")
_AROUND: Final = 40


def load(folder: Path, part: str) -> Iterator[tuple[str, list[Document]]]:
    """The files of labelled texts in a folder, and those texts of each that belong to a part."""
    for path in sorted(folder.glob("*.jsonl")):
        documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        yield path.name, [text for text in documents if part == "all" or is_held_out(text) == (part == "held-out")]


def find_directly(documents: Iterable[Document], entities: str) -> dict[str, Sequence[Predicted]]:
    """What the rules find in each text, without a pipeline around them: quick, for those who write rules."""
    finder = Finder(Detector(load_rules()))
    treatment = Treatment(select_entities(entities))
    return {
        text["id"]: [
            Predicted(finding.start, finding.end, finding.rule.entity.name)
            for finding in finder.find(text["text"], treatment)
        ]
        for text in documents
    }


def _row(name: str, figures: Figures) -> Sequence[str]:
    return (
        name,
        str(figures.entities),
        *(f"{value:.3f}" for value in (figures.precision, figures.recall, figures.f1, figures.typed_recall)),
        f"{figures.leak:.3f}",
        str(figures.false_alarms),
    )


_COLUMNS: Final = ("", "entities", "precision", "recall", "F1", "typed", "leak", "false alarms")


def show(name: str, report: Report, *, details: bool) -> Iterator[str]:
    """A report as pieces of text."""
    rows = [_row("structured", report.structured), _row("free", report.free)]
    if details:
        rows += [_row(key, figures) for key, figures in sorted(report.by.items(), key=lambda row: -row[1].entities)]
    negatives = report.negatives
    yield f"\n## {name}\n"
    yield table(_COLUMNS, rows)
    yield (
        f"\nnegative texts: {negatives.documents}, hit {negatives.share_hit:.2%}, "
        f"false alarms {negatives.false_alarms} in {negatives.characters} characters"
    )


def _wrong(report: Report, most: int) -> Iterator[str]:
    for document, entity in report.misses[:most]:
        yield f"MISS {document['id']} {entity['type']} {entity.get('subtype', '')} {_place(document, entity)}"
    for document, (start, end), types in report.alarms[:most]:
        yield f"ALARM {document['id']} {'+'.join(sorted(types))} {_place(document, {'start': start, 'end': end})}"


def _place(document: Document, span: Mapping[str, Any]) -> str:
    text, start, end = document["text"], span["start"], span["end"]
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND // 2]
    return f"{before!r} [[{text[start:end]!r}]] {after!r}"


def corpus() -> Iterator[Path]:
    """Code and documents in which next to nothing is secret: the interpreter's own, and those of installed packages."""
    yield from sorted(Path(sysconfig.get_path("stdlib")).glob("**/*.py"))
    packages = Path(sysconfig.get_path("purelib"))
    yield from sorted(path for suffix in ("md", "rst") for path in packages.glob(f"**/*.{suffix}"))


ADDRESSES: Final = ("EMAIL", "IP_ADDRESS")
"""Code and documents are full of these: what is found is what it looks like."""


def addresses(types: Counter[str]) -> int:
    """How many of the findings are addresses."""
    return sum(types[name] for name in ADDRESSES)


def alarms_in(paths: Iterable[Path], entities: str, shown: int) -> Iterator[str]:
    """What redaction finds in a corpus, by rule, with its speed."""
    finder = Finder(Detector(load_rules()))
    treatment = Treatment(select_entities(entities))
    rules: Counter[str] = Counter()
    types: Counter[str] = Counter()
    characters = size_bytes = 0
    spent_ns = 0
    for path in paths:
        if "site-packages" in path.parts and path.suffix == ".py":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        began = time.process_time_ns()
        found = finder.find(text, treatment) if finder.touched([text]) else []
        spent_ns += time.process_time_ns() - began
        characters += len(text)
        size_bytes += len(text.encode())
        for finding in found:
            rules[finding.rule.id] += 1
            types[finding.rule.entity.name] += 1
            if rules[finding.rule.id] <= shown:
                place = _place({"text": text}, {"start": finding.start, "end": finding.end})
                yield f"ALARM {path.name} {finding.rule.id} {place}"
    yield table(("rule", "alarms"), [(name, str(count)) for name, count in rules.most_common()])
    yield f"{size_bytes / 1e6:.1f} MB, {1e3 * size_bytes / spent_ns:.0f} MB/s"
    for what, count in (
        ("all", types.total()),
        (f"without {' and '.join(ADDRESSES)}", types.total() - addresses(types)),
    ):
        yield f"alarms, {what}: {count}, {1e4 * count / characters:.3f} per 10,000 characters"


def main() -> None:
    """Score the files of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("tests/data/redaction"))
    parser.add_argument("--entities", default="all")
    parser.add_argument("--part", choices=PARTS, default="all")
    parser.add_argument("--only", default="", help="files whose name has this in it")
    parser.add_argument("--by", choices=("type", "group", "lang", "context", "subtype", "source"), default="type")
    parser.add_argument("--details", action="store_true", help="a row for each group")
    parser.add_argument("--wrong", type=int, default=0, help="show so many misses and false alarms")
    parser.add_argument("--corpus", action="store_true", help="alarms in code and documents instead")
    arguments = parser.parse_args()
    if arguments.corpus:
        for line in alarms_in(corpus(), arguments.entities, arguments.wrong):
            sys.stdout.write(f"{line}\n")
        return
    for name, documents in load(arguments.folder, arguments.part):
        if arguments.only not in name:
            continue
        found = find_directly(documents, arguments.entities)

        def group(document: Document, entity: Mapping[str, Any]) -> str:
            own = arguments.by in ("type", "subtype")
            return str((entity if own else document).get(arguments.by, "?"))

        report = score(documents, found, group)
        for line in (*show(name, report, details=arguments.details), *_wrong(report, arguments.wrong)):
            sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
