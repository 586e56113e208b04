"""Why something is redacted, and why something is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from processors.redaction.checks import CHECKS
from processors.redaction.detection.detector import Detector, accept
from processors.redaction.detection.findings import Finding
from processors.redaction.detection.triggers import Hit
from processors.redaction.knowledge.rule import Rule
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.base64_text import Blobs
from processors.redaction.validators import VALIDATORS

PLAIN: Final = "plain"
_BLOB: Final = "base64"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One value that is redacted.

    Attributes:
        start: where it is in the text (characters), as `end`; of a blob around it where it stands in one; None where
            it stands in a part that was looked at decoded.
        layer: how it is written there: `plain`, `escaped`, `decoded`, `base64`.
        conditions: the checks that it passed.
        context: the word beside it that the rule asks for; empty where it asks for none.
        shown: what a reader sees in its place.
        role: the author of the message that it stands in; empty where that does not matter.
    """

    entity: str
    rule: str
    provider: str
    start: int | None
    end: int | None
    layer: str
    conditions: tuple[str, ...]
    context: str
    action: str
    shown: str
    value: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One candidate that a rule looked at and left alone.

    Attributes:
        start: where it is in the text; None where it stands in a part that was looked at decoded.
    """

    entity: str
    rule: str
    start: int | None
    end: int | None
    reason: str
    value: str


class ExplainingDetector(Detector):
    """A detector that remembers what its rules looked at.

    Attributes:
        refused: (text, rule, span, reason) of what was left alone.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Remember nothing yet."""
        super().__init__(rules)
        self.refused: list[tuple[str, Rule, tuple[int, int], str]] = []
        self._contexts: dict[tuple[Rule, str], str] = {}

    def verify(self, text: str, hits: Sequence[Hit], types: frozenset[str]) -> list[Finding]:
        """As of any detector."""
        found = super().verify(text, hits, types)
        for finding in found:
            self._contexts.setdefault((finding.rule, text[finding.start : finding.end]), _context_of(finding, text))
        for rule, match in self.candidates(text, hits, types):
            if (reason := _reason(rule, match)) is not None:
                self.refused.append((text, rule, match.span(), reason))
        return found

    def context(self, rule: Rule, value: str) -> str:
        """The word that let a value pass."""
        return self._contexts.get((rule, value), "")

    def refusals(self, text: str) -> Iterator[Refusal]:
        """What was left alone, each candidate of a rule once."""
        seen = set()
        for where, rule, (start, end), reason in self.refused:
            key = rule.id, where[start:end]
            if key not in seen:
                seen.add(key)
                begin = start if where == text else _only(text, where[start:end])
                finish = None if begin is None else begin + end - start
                yield Refusal(rule.entity.name, rule.id, begin, finish, reason, where[start:end])


def _only(text: str, value: str) -> int | None:
    """Where a value stands in a text; None where it does not, or at several places."""
    return text.index(value) if text.count(value) == 1 else None


def _context_of(finding: Finding, text: str) -> str:
    """The context word nearest to a finding."""
    rule = finding.rule
    if rule.context is None:
        return ""
    far, near = rule.near
    low = max(0, finding.start - far - rule.before)
    words = (
        list(rule.context.finditer(text, low, finding.start))
        or list(rule.context.finditer(text, finding.end, finding.end + near + rule.after))[:1]
    )
    return words[-1].group().strip() if words else ""


def _reason(rule: Rule, match: Any) -> str | None:
    """The first condition of a rule that a match does not meet; None where it meets all."""
    for relaxed, reason in _steps(rule):
        if accept(relaxed, match) is None:
            return reason
    return None


@cache
def _steps(rule: Rule) -> list[tuple[Rule, str]]:
    """The rule with its first condition alone, then with one more at a time, and what is wrong where it fails."""
    bare = replace(rule, checks=(), context=None, not_context=None)
    steps = []
    if rule.validator is not None:
        steps.append((bare, f"the validator {_name(rule.validator, VALIDATORS)} refuses it"))
    for number, check in enumerate(rule.checks, 1):
        bare = replace(bare, checks=rule.checks[:number])
        steps.append((bare, f"the check {_name(check, CHECKS)} refuses it"))
    if rule.context is not None:
        bare = replace(bare, context=rule.context)
        steps.append((bare, "no context word stands near"))
    if rule.not_context is not None:
        steps.append(
            (replace(bare, not_context=rule.not_context), "a word right before says that it is something else")
        )
    return steps


def conditions_of(rule: Rule) -> tuple[str, ...]:
    """The names of the validator and the checks of a rule."""
    names = [] if rule.validator is None else [_name(rule.validator, VALIDATORS)]
    return tuple(dict.fromkeys([*names, *(_name(check, CHECKS) for check in rule.checks)]))


def _name(function: Any, table: dict[str, Any]) -> str:
    known = next((name for name, other in table.items() if other is function), None)
    return known or str(getattr(function, "__name__", "?"))


def explanations(
    text: str, findings: Sequence[Finding], treatment: Treatment, detector: ExplainingDetector
) -> Iterator[Explanation]:
    """An explanation for each finding, for those inside of blobs too."""
    for finding in findings:
        if finding.inner:
            inside = next((blob.text for blob in Blobs()(text) if blob.start == finding.start), "")
            for inner in explanations(inside, finding.inner, treatment, detector):
                yield replace(inner, start=finding.start, end=finding.end, layer=_BLOB)
            continue
        value = finding.shown_in(text)
        entity = finding.rule.entity.name
        yield Explanation(
            entity,
            finding.rule.id,
            finding.rule.provider,
            finding.start,
            finding.end,
            _layer(finding, text),
            conditions_of(finding.rule),
            detector.context(finding.rule, value),
            treatment.action(entity),
            treatment.stand_in(entity, value),
            value,
        )


def _layer(finding: Finding, text: str) -> str:
    if finding.value is None or finding.value == text[finding.start : finding.end]:
        return PLAIN
    return "escaped" if finding.escapes else "decoded"
