"""Finds sensitive data in one text, however it is encoded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from processors.redaction import encodings
from processors.redaction.entities import load_types
from processors.redaction.findings import Finding, merge, splice
from processors.redaction.rule import Rule
from processors.redaction.triggers import MARKER_TRIGGERS, SEPARATOR, Hit, Trigger, TriggerEngine, build_engine
from processors.redaction.validators.span import value_span

# Context words count this far before a match and behind it (characters).
_CONTEXT_BEFORE: Final = 48
_CONTEXT_AFTER: Final = 16
_NOT_CONTEXT_BEFORE: Final = 24

_DEEPEST: Final = 10
_LONGEST_CHARACTER_BYTES: Final = 4

# What an earlier pass left: `<CREDIT_CARD>` must not count as the word `card` before the next number.
_PLACEHOLDER: Final = re.compile(rf"<(?:REDACTED|{'|'.join(load_types())})>")

# Long words look like base64 often enough to be worth a look before anything else is decoded.
_ONLY_BASE64: Final = {encodings.BASE64}


class TooMuch(Exception):  # noqa: N818 - a limit, not a mistake
    """A text is beyond what is looked at (hits, nested encodings): the caller replaces it whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work for one text."""

    max_bytes: int = 16 << 20
    max_hits: int = 200_000


class Detector:
    """Applies a set of rules. Safe to use from several threads."""

    def __init__(self, rules: Sequence[Rule], limits: Limits = Limits(), engine: TriggerEngine | None = None) -> None:
        """Compile the triggers of the rules; `engine` is for tests that compare engines."""
        self._rules = tuple(rules)
        self._limits = limits
        self._owners: list[Rule | str] = [marker.name for marker in encodings.MARKERS]
        triggers = list(MARKER_TRIGGERS)
        for rule in self._rules:
            triggers += [Trigger(expression, rule.caseless) for expression in rule.triggers]
            self._owners += [rule] * len(rule.triggers)
        self.triggers: tuple[Trigger, ...] = tuple(triggers)
        self._engine = engine or build_engine(self.triggers)

    def touched(self, texts: list[str]) -> Sequence[int]:
        """Indexes of the texts in which `find` may find something; in all others it finds nothing."""
        joined = SEPARATOR.join(texts)
        if not encodings.hides_characters(joined):
            return self._engine.touched(texts, joined)
        # What is written in escapes is looked at by itself, decoded.
        hidden = [index for index, text in enumerate(texts) if encodings.hides_characters(text)]
        shown = ["" if encodings.hides_characters(text) else text for text in texts]
        return sorted({*hidden, *self._engine.touched(shown, SEPARATOR.join(shown))})

    def find(self, text: str) -> list[Finding]:
        """What is to be redacted in a text: disjoint, in order.

        Raises:
            TooMuch: a limit is exceeded.
        """
        if len(text) * _LONGEST_CHARACTER_BYTES > self._limits.max_bytes < len(text.encode("utf-8", "surrogatepass")):
            raise TooMuch
        return merge(self._find(text, 0))

    def _find(self, text: str, depth: int) -> list[Finding]:
        if depth > _DEEPEST:
            raise TooMuch
        if encodings.hides_characters(text):
            return self._find_decoded(encodings.decode_json_escapes(text), depth)
        hits = self._engine.hits(text)
        if not hits:
            return []
        if len(hits) > self._limits.max_hits:
            raise TooMuch
        markers = {self._owners[number] for number, _ in hits}
        if markers == _ONLY_BASE64 and next(encodings.base64_texts(text), None) is None:
            return []
        if encodings.has_json_escapes(text):
            return self._find_decoded(encodings.decode_json_escapes(text), depth)
        if encodings.FULL_WIDTH in markers:
            return self._find(encodings.fold_full_width(text), depth + 1)
        found = list(self._verify(_without_placeholders(text), hits))
        if encodings.PERCENT in markers:
            found += self._find_decoded(encodings.decode_percent(text), depth)
        if encodings.BASE64 in markers:
            found += self._find_base64(text, depth)
        return found

    def _find_decoded(self, decoded: encodings.Decoded, depth: int) -> list[Finding]:
        found = []
        for finding in self._find(decoded.text, depth + 1):
            start, end = decoded.original(finding.start, finding.end)
            found.append(replace(finding, start=start, end=end))
        return found

    def _find_base64(self, text: str, depth: int) -> Iterator[Finding]:
        for start, end, decoded in encodings.base64_texts(text):
            inner = merge(self._find(decoded, depth + 1))
            if inner:
                redacted = encodings.encode_base64_like(text[start:end], splice(decoded, inner))
                yield Finding(start, end, inner[0].rule, replacement=redacted, inner=tuple(inner))

    def _verify(self, text: str, hits: Sequence[Hit]) -> Iterator[Finding]:
        ends: defaultdict[Rule, list[int]] = defaultdict(list)
        for number, end in hits:
            owner = self._owners[number]
            if isinstance(owner, Rule):
                ends[owner].append(end)
        for rule, places in ends.items():
            for window in _windows(places, rule):
                yield from _matches(rule, text, window)


def _without_placeholders(text: str) -> str:
    return _PLACEHOLDER.sub(_blank, text) if "<" in text else text


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


def _accept(rule: Rule, match: re.Match[str]) -> tuple[int, int] | None:
    span = value_span(match) if rule.validator is None else rule.validator(match)
    if span is None or span[0] >= span[1]:
        return None
    text = match.string
    before, after = match.start(), match.end()
    if rule.context is not None and not (
        rule.context.search(text, max(0, before - _CONTEXT_BEFORE), before)
        or rule.context.search(text, after, after + _CONTEXT_AFTER)
    ):
        return None
    if rule.not_context is not None and rule.not_context.search(text, max(0, before - _NOT_CONTEXT_BEFORE), before):
        return None
    return span
