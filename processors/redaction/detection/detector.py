"""Finds sensitive data in one text as it stands; what is encoded in it is the work of `layers`."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from processors.redaction.detection import encodings
from processors.redaction.detection.findings import Finding
from processors.redaction.detection.trigger_kinds import seen_in_json
from processors.redaction.detection.triggers import (
    LONGEST_TRIGGER,
    MARKER_TRIGGERS,
    Hit,
    Trigger,
    TriggerEngine,
    build_engine,
)
from processors.redaction.detection.windows import WINDOW_CHARS, join, windows_of
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.rule import Rule
from processors.redaction.validators.span import value_span

_NOT_CONTEXT_BEFORE: Final = 24
_MOST_RETRIES: Final = 16
_FEW_HITS: Final = 4
_LONGEST_PLACEHOLDER: Final = 160
_SEEN_BEYOND: Final = 64  # By validators and by what must not stand before a match.

_END: Final = itemgetter(1)
_START: Final = itemgetter(0)

# Their triggers come first.
_ENCODINGS: Final = tuple(marker.name for marker in encodings.MARKERS)

_SEPARATORS: Final = re.compile(r"[^0-9A-Za-z]+")


class Scan(NamedTuple):
    """What one pass over a text found: candidates of rules, and the encodings that it shows signs of."""

    hits: Sequence[Hit]
    markers: frozenset[str]


_NO_TEXTS: Final[dict[str, list[Hit]]] = {}

_NOTHING: Final = Scan((), frozenset())

_Window = tuple[Rule, int, int, int]
"""A stretch of text in which a match of a rule can lie: (rule, from, last hit, to)."""


class Detector:
    """Applies a set of rules. Safe to use from several threads."""

    def __init__(self, rules: Sequence[Rule], engine: TriggerEngine | None = None) -> None:
        """Compile the triggers of the rules; `engine` is for tests that compare engines."""
        self._rules = tuple(rules)
        owners: dict[Trigger, list[Rule]] = {trigger: [] for trigger in MARKER_TRIGGERS}
        for rule in self._rules:
            for expression in dict.fromkeys(rule.triggers):
                trigger = Trigger(seen_in_json(expression), rule.caseless, rule.anywhere)
                owners.setdefault(trigger, []).append(rule)
        self.triggers: tuple[Trigger, ...] = tuple(owners)
        self._owners = list(owners.values())
        self._engine = engine or build_engine(self.triggers)
        self._are_words = [bool(rules) and all(rule.by_words for rule in rules) for rules in self._owners]
        self._types = frozenset({rule.entity.name for rule in self._rules})
        self._has_anywhere = any(map(_is_anywhere, self._rules))
        self._placeholder = _placeholders({rule.entity.name for rule in self._rules})
        self._recent = threading.local()
        self._wanted: dict[frozenset[str], list[tuple[Rule, ...]]] = {}

    def touched(self, texts: Sequence[str], joined: str) -> Sequence[int]:
        """Indexes of the texts in which something may be found, in order; in all others there is nothing.

        `joined` has all texts with SEPARATOR in between.
        """
        found = self._engine.touched(texts, joined)
        found = {index: hits for index, hits in found.items() if not self._is_clean(texts[index], hits)}
        # A text in which something may be found is asked for next.
        self._recent.hits = {texts[index]: hits for index, hits in found.items()}
        return list(found)

    def _is_clean(self, text: str, hits: Sequence[Hit]) -> bool:
        """Whether a few words are all that there is in a text, no value beside them, and no escapes to decode."""
        if len(hits) > _FEW_HITS or "\\" in text or not all(self._are_words[number] for number, _ in hits):
            return False
        return not self.verify(text, hits, self._types)

    def touches(self, text: str) -> bool:
        """Whether something may be found in one text of any size."""
        if len(text) <= WINDOW_CHARS:
            return bool(self._engine.touched((text,), text))
        # What is searched in the whole text may lie in several pieces.
        pieces = windows_of(text, LONGEST_TRIGGER)
        return self._has_anywhere or any(self._engine.touched((piece,), piece) for _, piece in pieces)

    def is_context(self, text: str) -> bool:
        """Whether words of a text decide what a value beside it is: a trigger or a context word is among them."""
        contexts = {rule.context for rule in self._rules if rule.context is not None}
        return self.touches(text) or any(context.search(text) for context in contexts)

    def scan(self, text: str) -> Scan:
        """Candidates and signs of encodings."""
        hits = self._hits(text)
        if not hits:
            return _NOTHING
        return Scan(hits, frozenset([_ENCODINGS[number] for number, _ in hits if number < len(_ENCODINGS)]))

    def hits_after(
        self, hits: Sequence[Hit], replaced: Sequence[tuple[int, int]], text: str, places: Sequence[tuple[int, int]]
    ) -> Sequence[Hit]:
        """The hits in a text that came out of one with `hits` when its spans `replaced` became those in `places`.

        Only what is near them is scanned, if that is little. Both are disjoint and in order.
        """
        around = _widened(places, len(text))
        if self._has_anywhere or 2 * sum(end - start for start, end in around) > len(text):
            return self.scan(text).hits
        found = _moved(hits, replaced, places)
        for start, end in around:
            low = max(0, start - LONGEST_TRIGGER)
            for number, behind in self._hits(text[low : end + LONGEST_TRIGGER]):
                if start < behind + low <= end:
                    found.append((number, behind + low))
        return found

    def _hits(self, text: str) -> Sequence[Hit]:
        if len(text) > WINDOW_CHARS:
            return self._hits_in_pieces(text)
        recent: dict[str, list[Hit]] = getattr(self._recent, "hits", _NO_TEXTS)
        known = recent.pop(text, None)
        return self._engine.hits(text) if known is None else known

    def _hits_in_pieces(self, text: str) -> list[Hit]:
        in_all = {(number, 0) for number, rules in enumerate(self._owners) if any(map(_is_anywhere, rules))}
        found: list[Hit] = []
        before: set[Hit] = set()
        for low, piece in windows_of(text, LONGEST_TRIGGER):
            hits = self._engine.hits(piece)
            in_all.update([hit for hit in hits if not hit[1]])
            placed = {(number, end + low) for number, end in hits if end}
            # In their order, since sorting them all at once would hold the interpreter.
            found += sorted(placed - before, key=_END)
            before = placed
        return [*in_all, *found]

    def verify(self, text: str, hits: Sequence[Hit], types: frozenset[str]) -> list[Finding]:
        """What stands at the candidates, of the wanted types; findings may overlap."""
        windows = _windows(hits, self._wanted_owners(types))
        if not windows:
            return []
        placeholders = self._placeholders(text) if "<" in text else []
        shown = _blanked(text, placeholders) if placeholders else text
        found: list[Finding] = []
        for window in windows:
            if window[0].anywhere:
                found += _matches_anywhere(window[0], text, placeholders)
            else:
                found += _matches(window, shown)
        # Filler is no value, even where a rule takes it for one.
        return [finding for finding in found if not _is_inside(finding[:2], placeholders)] if placeholders else found

    def candidates(self, text: str, hits: Sequence[Hit], types: frozenset[str]) -> Iterator[tuple[Rule, re.Match[str]]]:
        """Matches of patterns near hits, whether `accept` takes them or not; for explanations."""
        for rule, low, _, high in _windows(hits, self._wanted_owners(types)):
            matches = rule.pattern.finditer(text) if rule.anywhere else rule.pattern.finditer(text, low, high)
            yield from ((rule, match) for match in matches)

    def around(self, hits: Sequence[Hit], places: Sequence[tuple[int, int]]) -> list[Hit]:
        """The hits whose rules may look at one of the places (disjoint, in order)."""
        starts = [start for start, _ in places]
        near = []
        for hit in hits:
            for rule in self._owners[hit[0]]:
                after = bisect_right(starts, hit[1] + rule.after + rule.near[1] + _SEEN_BEYOND)
                if rule.anywhere or (
                    after and places[after - 1][1] >= hit[1] - rule.before - rule.near[0] - _SEEN_BEYOND
                ):
                    near.append(hit)
                    break
        return near

    def _wanted_owners(self, types: frozenset[str]) -> list[tuple[Rule, ...]]:
        """The rules of wanted types by trigger."""
        wanted = self._wanted.get(types)
        if wanted is None:
            wanted = [tuple([rule for rule in rules if rule.entity.name in types]) for rules in self._owners]
            self._wanted[types] = wanted
        return wanted

    def _placeholders(self, text: str) -> list[tuple[int, int]]:
        """What earlier passes left, piece by piece: no single call holds the interpreter for long."""
        found: list[tuple[int, int]] = []
        for low in range(0, len(text), WINDOW_CHARS):
            start = max(low, found[-1][1] if found else 0)
            ahead = low + WINDOW_CHARS + _LONGEST_PLACEHOLDER
            spans = [match.span() for match in self._placeholder.finditer(text, start, ahead)]
            found += [span for span in spans if span[0] < low + WINDOW_CHARS]
        return found


def _widened(places: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Where a trigger can end that looks at one of the places, joined where they overlap."""
    wide: list[tuple[int, int]] = []
    for start, end in places:
        if wide and start - LONGEST_TRIGGER <= wide[-1][1]:
            wide[-1] = wide[-1][0], min(size, end + LONGEST_TRIGGER)
        else:
            wide.append((max(0, start - LONGEST_TRIGGER), min(size, end + LONGEST_TRIGGER)))
    return wide


def _moved(hits: Sequence[Hit], replaced: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]) -> list[Hit]:
    """The hits far from what was replaced, where they are now."""
    moved = []
    for number, end in hits:
        before = bisect_right(replaced, end, key=_END)
        if before < len(replaced) and end > replaced[before][0] - LONGEST_TRIGGER:
            continue
        if before and end <= replaced[before - 1][1] + LONGEST_TRIGGER:
            continue
        moved.append((number, end + (places[before - 1][1] - replaced[before - 1][1] if before else 0)))
    return moved


def _is_anywhere(rule: Rule) -> bool:
    return rule.anywhere


def _placeholders(names: set[str]) -> re.Pattern[str]:
    """What an earlier pass left: `<CREDIT_CARD>` must not count as the word `card` before the next number."""
    known = "|".join(sorted({"REDACTED", *load_types(), *names}))
    return re.compile(rf"<(?:{known})(?::[0-9a-f]{{6,64}})?>")


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with filler of equal length: no pattern reads it as a label or reaches over it for a value."""
    pieces = []
    position = 0
    for start, end in spans:
        pieces += [text[position:start], ")", "A" * (end - start - 2), "("]
        position = end
    pieces.append(text[position:])
    return join(pieces)


def _windows(hits: Sequence[Hit], owners: Sequence[Sequence[Rule]]) -> list[_Window]:
    """The stretches around hits in which a match can lie; those of a rule that overlap are joined."""
    closed: list[_Window] = []
    opened: dict[Rule, tuple[int, int]] = {}
    for number, end in sorted(hits, key=_END):
        for rule in owners[number]:
            first, last = opened.get(rule, (end, end))
            if end - rule.before > last + rule.after:
                closed.append((rule, max(0, first - rule.before), last, last + rule.after))
                first = end
            opened[rule] = first, end
    closed += [(rule, max(0, first - rule.before), last, last + rule.after) for rule, (first, last) in opened.items()]
    return closed


def _matches(window: _Window, text: str) -> list[Finding]:
    rule, position, last, high = window
    search = rule.pattern.search
    if rule.by_words:
        last = high
    found = []
    stuck_at = retries = 0
    # A match has a hit in it, unless hits are words beside it, so none begins behind the last one.
    while position < last and (match := search(text, position, high)):
        span = accept(rule, match)
        if span is not None:
            found.append(Finding(*span, rule))
            position = max(span[1], match.start() + 1)
            continue
        # What ends where the last refused match ended is its tail: a few shorter ones may be right, not all of them.
        retries = retries + 1 if match.end() == stuck_at else 0
        stuck_at = match.end()
        position = match.start() + 1 if retries < _MOST_RETRIES else max(stuck_at, match.start() + 1)
    return found


def _matches_anywhere(rule: Rule, text: str, placeholders: Sequence[tuple[int, int]]) -> list[Finding]:
    """Matches in the whole text; what lies inside a placeholder is none."""
    found = []
    for match in rule.pattern.finditer(text):
        span = accept(rule, match)
        if span is not None and not _is_inside(span, placeholders):
            found.append(Finding(*span, rule))
    return found


def _is_inside(span: tuple[int, int], places: Sequence[tuple[int, int]]) -> bool:
    """Whether a span lies in one of the places (disjoint, in order)."""
    before = bisect_right(places, span[0], key=_START)
    return before > 0 and span[1] <= places[before - 1][1]


def accept(rule: Rule, match: re.Match[str]) -> tuple[int, int] | None:
    """The span to redact of a match of the rule's pattern; None where the rule's conditions do not hold."""
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
