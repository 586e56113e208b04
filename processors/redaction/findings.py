"""What was found, merged and put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from processors.redaction.rule import Rule
from processors.redaction.treatment import Treatment


@dataclass(frozen=True, slots=True)
class Finding:
    """A span of a text that is to be replaced.

    Attributes:
        value: what was found, decoded, where the text shows it encoded; else None.
        replacement: text to put there instead of the placeholder (a re-encoded blob).
        inner: what was found inside such a blob.
    """

    start: int
    end: int
    rule: Rule
    value: str | None = None
    replacement: str | None = None
    inner: tuple[Finding, ...] = ()

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Of overlapping findings the highest names the place: a value of its own before a blob, type, length."""
        return self.replacement is None, self.rule.priority, self.end - self.start


def merge(found: Iterable[Finding]) -> list[Finding]:
    """Disjoint findings in order. Where some overlap, the highest in rank stands for the whole they cover."""
    merged: list[Finding] = []
    for finding in sorted(found, key=lambda item: (item.start, -item.end, item.rule.id)):
        last = merged[-1] if merged else None
        if last is None or finding.start >= last.end:
            merged.append(finding)
        else:
            merged[-1] = _join(last, finding)
    return merged


def _join(first: Finding, second: Finding) -> Finding:
    winner = first if first.rank >= second.rank else second
    if not winner.rule.absorbs:
        return winner
    start, end = min(first.start, second.start), max(first.end, second.end)
    value = winner.value if (start, end) == (winner.start, winner.end) else None
    return replace(winner, start=start, end=end, value=value)


def splice(text: str, findings: Sequence[Finding], treatment: Treatment) -> str:
    """The text with each finding replaced."""
    pieces = []
    position = 0
    for finding in findings:
        pieces += [text[position : finding.start], stand_in(text, finding, treatment)]
        position = finding.end
    pieces.append(text[position:])
    return "".join(pieces)


def stand_in(text: str, finding: Finding, treatment: Treatment) -> str:
    """What a reader sees in place of a finding."""
    if finding.replacement is not None:
        return finding.replacement
    value = text[finding.start : finding.end] if finding.value is None else finding.value
    return treatment.stand_in(finding.rule.entity.name, value)
