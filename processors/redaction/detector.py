"""Finds sensitive data in one text as it stands; what is encoded in it is the work of `layers`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from processors.redaction import encodings
from processors.redaction.entities import load_types
from processors.redaction.findings import Finding
from processors.redaction.rule import Rule
from processors.redaction.triggers import MARKER_TRIGGERS, SEPARATOR, Hit, Trigger, TriggerEngine, build_engine
from processors.redaction.validators.span import value_span

_NOT_CONTEXT_BEFORE: Final = 24

_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")


class Scan(NamedTuple):
    """What one pass over a text found: candidates of rules, and the encodings that it shows signs of."""

    hits: Sequence[Hit]
    markers: frozenset[str]


_NOTHING: Final = Scan((), frozenset())


class Detector:
    """Applies a set of rules. Safe to use from several threads."""

    def __init__(self, rules: Sequence[Rule], engine: TriggerEngine | None = None) -> None:
        """Compile the triggers of the rules; `engine` is for tests that compare engines."""
        self._rules = tuple(rules)
        self._owners: list[Rule | str] = [marker.name for marker in encodings.MARKERS]
        triggers = list(MARKER_TRIGGERS)
        for rule in self._rules:
            triggers += [Trigger(expression, rule.caseless, rule.anywhere) for expression in rule.triggers]
            self._owners += [rule] * len(rule.triggers)
        self.triggers: tuple[Trigger, ...] = tuple(triggers)
        self._engine = engine or build_engine(self.triggers)
        self._placeholder = _placeholders({rule.entity.name for rule in self._rules})

    def touched(self, texts: Sequence[str]) -> Sequence[int]:
        """Indexes of the texts in which something may be found; in all others there is nothing."""
        return self._engine.touched(texts, SEPARATOR.join(texts))

    def is_context(self, text: str) -> bool:
        """Whether words of a text decide what a value beside it is: a trigger or a context word is among them."""
        contexts = {rule.context for rule in self._rules if rule.context is not None}
        return bool(self.touched((text,))) or any(context.search(text) for context in contexts)

    def scan(self, text: str) -> Scan:
        """Candidates and signs of encodings."""
        hits = self._engine.hits(text)
        if not hits:
            return _NOTHING
        owners = self._owners
        markers = frozenset(owner for number, _ in hits if isinstance(owner := owners[number], str))
        return Scan(hits, markers)

    def verify(self, text: str, hits: Sequence[Hit], types: frozenset[str]) -> Iterator[Finding]:
        """What stands at the candidates, of the wanted types; findings may overlap."""
        placeholders = list(self._placeholder.finditer(text)) if "<" in text else []
        shown = self._placeholder.sub(_blank, text) if placeholders else text
        ends: defaultdict[Rule, list[int]] = defaultdict(list)
        for number, end in hits:
            owner = self._owners[number]
            if isinstance(owner, Rule) and owner.entity.name in types:
                ends[owner].append(end)
        for rule, places in ends.items():
            if rule.anywhere:
                yield from _matches_anywhere(rule, text, placeholders)
                continue
            for window in _windows(places, rule):
                yield from _matches(rule, shown, window)


def _placeholders(names: set[str]) -> re.Pattern[str]:
    """What an earlier pass left: `<CREDIT_CARD>` must not count as the word `card` before the next number."""
    known = "|".join(sorted({"REDACTED", *load_types(), *names}))
    return re.compile(rf"<(?:{known})(?::[0-9a-f]{{6,64}})?>")


def _blank(match: re.Match[str]) -> str:
    """Filler of equal length that no pattern reads as a label, and over which none reaches for a value."""
    return f"({'A' * (len(match.group()) - 2)}("


def _windows(places: list[int], rule: Rule) -> Iterator[tuple[int, int, int]]:
    """The stretches around hits in which a match can lie, overlapping ones joined: (from, last hit, to)."""
    places.sort()
    first = last = places[0]
    for place in places:
        if place - rule.before > last + rule.after:
            yield max(0, first - rule.before), last, last + rule.after
            first = place
        last = place
    yield max(0, first - rule.before), last, last + rule.after


def _matches(rule: Rule, text: str, window: tuple[int, int, int]) -> Iterator[Finding]:
    search = rule.pattern.search
    position, last, high = window
    # A match has a hit in it, so none begins behind the last one.
    while position < last and (match := search(text, position, high)):
        span = _accept(rule, match)
        if span is None:
            position = match.start() + 1
            continue
        yield Finding(*span, rule)
        position = max(span[1], match.start() + 1)


def _matches_anywhere(rule: Rule, text: str, placeholders: Sequence[re.Match[str]]) -> Iterator[Finding]:
    """Matches in the whole text; what lies inside a placeholder is none."""
    starts = [old.start() for old in placeholders]
    for match in rule.pattern.finditer(text):
        span = _accept(rule, match)
        if span is None:
            continue
        before = bisect_right(starts, span[0])
        if not before or span[1] > placeholders[before - 1].end():
            yield Finding(*span, rule)


def _accept(rule: Rule, match: re.Match[str]) -> tuple[int, int] | None:
    span = value_span(match) if rule.validator is None else rule.validator(match)
    if span is None or span[0] >= span[1]:
        return None
    text = match.string
    if rule.checks:
        value = _SEPARATORS.sub("", text[span[0] : span[1]]).upper()
        if not all(check(value) for check in rule.checks):
            return None
    before, after = match.span()
    if rule.context is not None:
        # What the match itself has in front of its value may be the context.
        far, near = rule.near
        if not (
            rule.context.search(text, max(0, before - far), span[0]) or rule.context.search(text, span[1], after + near)
        ):
            return None
    if rule.not_context is not None and rule.not_context.search(text, max(0, before - _NOT_CONTEXT_BEFORE), before):
        return None
    return span
