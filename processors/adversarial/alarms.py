"""Which findings count as alarms, by where a text comes from, and which of several weighs most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from pipeline.signals import Record
from processors.adversarial.lanes import Known
from processors.adversarial.parts import Part, PartTuple
from processors.adversarial.tables import read_table
from processors.adversarial.verdict import Label, Origin, Verdict


class _Only(NamedTuple):
    """What is an alarm in texts of which not everything is."""

    categories: frozenset[str]
    rules: frozenset[str]


_ONLY: Final = {
    Origin(origin): _Only(frozenset(only["categories"]), frozenset(only["rules"]))
    for origin, only in read_table("alarms.yaml")["only"].items()
}

RANKS: Final = {label.value: rank for rank, label in enumerate((Label.PASS, Label.SUSPECT, Label.ATTACK))}
FOLLOWED: Final = "followed"
"""The rule that raises: a tool call carries what a suspect text asked for."""
_MOST_RULES: Final = 3


def admitted(verdict: Verdict, origin: Origin) -> Verdict:
    """The verdict as it counts in a text of this origin: what is no alarm passes, with its score."""
    only = _ONLY.get(origin)
    if only is None or verdict.label is Label.PASS:
        return verdict
    if verdict.category in only.categories or not only.rules.isdisjoint(verdict.rules):
        return verdict
    return Verdict(verdict.score, Label.PASS, truncated=verdict.truncated)


def counts(verdict: Verdict, origin: Origin) -> bool:
    """Whether an admitted verdict's score says something of the record."""
    return verdict.label is not Label.PASS or origin not in _ONLY


@dataclass(slots=True)
class Finding:
    """A text that does not pass.

    Attributes:
        index: which of its record's parts it is.
        dropped: it is replaced in its record, or would be.
    """

    index: int
    part: Part
    verdict: Verdict
    dropped: bool = False

    @property
    def weight(self) -> tuple[int, float]:
        """Orders findings: the last weighs most."""
        return RANKS[self.verdict.label.value], self.verdict.score


@dataclass(slots=True, eq=False)
class Scored:
    """A record with the texts in it, and what is known of each."""

    record: Record
    parts: Sequence[PartTuple]
    known: list[Known]
    findings: list[Finding] = field(default_factory=list)


def raised(verdict: Verdict, by: Verdict) -> Verdict:
    """A verdict as an attack, since what `by` is about was followed."""
    rules = (FOLLOWED, *[rule for rule in by.rules if rule != FOLLOWED])[:_MOST_RULES]
    score = max(verdict.score, by.score)
    return replace(verdict, score=score, label=Label.ATTACK, category=by.category, rules=rules)
