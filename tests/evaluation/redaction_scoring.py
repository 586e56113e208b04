"""How well spans of sensitive text were found, against labelled texts.

A labelled text has `entities` with `type`, `start`, `end` in characters, some of them `optional` (neither a miss nor
a false alarm). An entity is found when predictions cover 90 % of it; a merged prediction is right when half of it lies
in labelled text. The leak is the share of sensitive characters that no prediction covers. Names, addresses, dates of
birth, postal codes and plates are free text and counted apart from what has a structure.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

FREE: Final = frozenset(
    {
        "ADDRESS",
        "DATE_OF_BIRTH",
        "JP_LICENSE_PLATE",
        "JP_POSTAL_CODE",
        "LOCATION",
        "ORGANIZATION",
        "PERSON",
        "UK_POSTCODE",
        "US_ZIP",
    }
)
COVERED: Final = 0.9
HALF: Final = 0.5
_HELD_OUT: Final = "0123"

Document = Mapping[str, Any]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Predicted:
    """A span that a redactor replaced, and the type it gave."""

    start: int
    end: int
    type: str


@dataclass(slots=True)
class Figures:
    """Counts of one part of the entities, and the ratios made of them."""

    found: int = 0
    missed: int = 0
    typed: int = 0
    false_alarms: int = 0
    characters: int = 0
    leaked: int = 0

    @property
    def entities(self) -> int:
        """All that was to be found."""
        return self.found + self.missed

    @property
    def recall(self) -> float:
        """The share of entities found."""
        return self.found / self.entities if self.entities else 1.0

    @property
    def precision(self) -> float:
        """The share of predictions that are right."""
        predicted = self.found + self.false_alarms
        return self.found / predicted if predicted else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    @property
    def typed_recall(self) -> float:
        """The share of entities found under their own type."""
        return self.typed / self.entities if self.entities else 1.0

    @property
    def leak(self) -> float:
        """The share of sensitive characters that were left."""
        return self.leaked / self.characters if self.characters else 0.0


@dataclass(slots=True)
class Negatives:
    """Texts without anything to find."""

    documents: int = 0
    hit: int = 0
    false_alarms: int = 0
    characters: int = 0

    @property
    def share_hit(self) -> float:
        """The share of texts in which something was replaced."""
        return self.hit / self.documents if self.documents else 0.0


@dataclass(slots=True)
class Report:
    """The figures of a set of texts; `misses` and `alarms` name what went wrong."""

    structured: Figures = field(default_factory=Figures)
    free: Figures = field(default_factory=Figures)
    by: defaultdict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    negatives: Negatives = field(default_factory=Negatives)
    misses: list[tuple[Document, Mapping[str, Any]]] = field(default_factory=list)
    alarms: list[tuple[Document, Span, frozenset[str]]] = field(default_factory=list)


def is_held_out(document: Document) -> bool:
    """Whether a text belongs to the part that is not looked at while rules are written: a quarter, by its id."""
    return hashlib.sha256(document["id"].encode()).hexdigest()[0] in _HELD_OUT


def score(
    documents: Iterable[Document],
    predictions: Mapping[str, Sequence[Predicted]],
    by: Callable[[Document, Mapping[str, Any]], str],
) -> Report:
    """Compare what was found with the labels; `by` names the group of an entity in `Report.by`."""
    report = Report()
    for document in documents:
        _score_document(report, document, predictions.get(document["id"], ()), by)
    return report


def _score_document(
    report: Report,
    document: Document,
    predicted: Sequence[Predicted],
    by: Callable[[Document, Mapping[str, Any]], str],
) -> None:
    merged = _merge((span.start, span.end) for span in predicted)
    wanted = [entity for entity in document["entities"] if not entity.get("optional")]
    for entity in wanted:
        part = report.free if entity["type"] in FREE else report.structured
        for figures in (part, report.by[by(document, entity)]):
            found = _score_entity(figures, entity, merged, predicted)
        if not found:
            report.misses.append((document, entity))
    labelled = _merge((entity["start"], entity["end"]) for entity in document["entities"])
    alarms = [(start, end) for start, end in merged if _overlap(labelled, start, end) < HALF * (end - start)]
    for start, end in alarms:
        types = frozenset(span.type for span in predicted if span.start < end and span.end > start)
        report.alarms.append((document, (start, end), types))
        (report.free if types <= FREE else report.structured).false_alarms += 1
        for name in types:
            report.by[by(document, {"type": name})].false_alarms += 1
    if not wanted:
        report.negatives.documents += 1
        report.negatives.hit += bool(alarms)
        report.negatives.false_alarms += len(alarms)
        report.negatives.characters += len(document["text"])


def _score_entity(
    figures: Figures, entity: Mapping[str, Any], merged: Sequence[Span], predicted: Sequence[Predicted]
) -> bool:
    start, end = entity["start"], entity["end"]
    size = end - start
    covered = _overlap(merged, start, end)
    found = covered >= COVERED * size
    figures.found += found
    figures.missed += not found
    figures.typed += found and any(
        span.type == entity["type"] and _overlap([(span.start, span.end)], start, end) >= HALF * size
        for span in predicted
    )
    figures.characters += size
    figures.leaked += size - covered
    return bool(found)


def _merge(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        elif end > start:
            merged.append((start, end))
    return merged


def _overlap(spans: Iterable[Span], start: int, end: int) -> int:
    return sum(max(0, min(high, end) - max(low, start)) for low, high in spans)


def types_of(documents: Iterable[Document]) -> Counter[str]:
    """How often each type is labelled."""
    return Counter(entity["type"] for document in documents for entity in document["entities"])
