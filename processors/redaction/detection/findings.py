"""What was found, merged and put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from processors.redaction.detection.encodings import escape
from processors.redaction.detection.windows import join
from processors.redaction.knowledge.rule import Rule
from processors.redaction.knowledge.treatment import Treatment


class Finding(NamedTuple):
    """A span of a text that is to be replaced.

    Attributes:
        value: what was found, decoded, where the text shows it encoded; else None.
        replacement: text to put there instead of the stand-in, written as the place needs it.
        inner: what was found inside a blob that is replaced by another one.
        escapes: levels of JSON escapes around the value.
    """

    start: int
    end: int
    rule: Rule
    value: str | None = None
    replacement: str | None = None
    inner: tuple[Finding, ...] = ()
    escapes: int = 0

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Of overlapping findings the highest names the place: a value of its own before a blob, type, length."""
        return not self.inner, self.rule.priority, self.end - self.start

    def shown_in(self, text: str) -> str:
        """The value, as its owner would read it."""
        return text[self.start : self.end] if self.value is None else self.value


class Edit(NamedTuple):
    """A span of a text, what is written in its place, and why."""

    start: int
    end: int
    text: str
    finding: Finding


def merge(found: Iterable[Finding]) -> list[Finding]:
    """Disjoint findings in order. Where some overlap, the highest in rank stands for the whole they cover."""
    merged: list[Finding] = []
    for finding in sorted(found, key=_order):
        last = merged[-1] if merged else None
        if last is None or finding.start >= last.end:
            merged.append(finding)
        else:
            merged[-1] = _join(last, finding)
    return merged


def _order(finding: Finding) -> tuple[int, int, str]:
    return finding.start, -finding.end, finding.rule.id


def _join(first: Finding, second: Finding) -> Finding:
    winner = first if first.rank >= second.rank else second
    return spanning(winner, first, second) if winner.rule.absorbs else winner


def spanning(winner: Finding, *others: Finding) -> Finding:
    """A finding grown over others."""
    start, end = min(other.start for other in others), max(other.end for other in others)
    if (start, end) == (winner.start, winner.end):
        return winner
    return winner._replace(start=start, end=end, value=None)


def splice(text: str, findings: Sequence[Finding], treatment: Treatment) -> str:
    """The text with each finding replaced."""
    return spliced(text, [Edit(item.start, item.end, stand_in(text, item, treatment), item) for item in findings])


def spliced(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made."""
    pieces = []
    position = 0
    for start, end, replacement, _ in edits:
        pieces += [text[position:start], replacement]
        position = end
    pieces.append(text[position:])
    return join(pieces)


def stand_in(text: str, finding: Finding, treatment: Treatment) -> str:
    """What a reader sees in place of a finding."""
    if finding.replacement is not None:
        return finding.replacement
    shown = treatment.stand_in(finding.rule.entity.name, finding.shown_in(text))
    return escaped(shown, finding.escapes)


def escaped(text: str, levels: int) -> str:
    """A text as it stands inside so many JSON strings in one another."""
    for _ in range(levels):
        text = escape(text)
    return text
