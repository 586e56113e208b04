"""What a detection rule is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Validator = Callable[[re.Match[str]], tuple[int, int] | None]
"""Decides on a match of a rule's pattern: the span to redact, or None where the match is none of its kind."""

Check = Callable[[str], bool]
"""Whether a value without its separators, letters in upper case, can be one of its kind: check digits, ranges."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type of sensitive data.

    Attributes:
        group: types that belong together in the documentation.
        default: the default policy redacts it.
        priority: of several types found at one place, the highest names it.
        about: what it is, for the documentation.
    """

    name: str
    group: str
    default: bool
    priority: int
    about: str


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One way to find one entity.

    Attributes:
        triggers: expressions that find candidates cheaply: ASCII classes and literals, for each start at most one
            end, no character that JSON escapes inside. Their ends mark where the pattern is tried.
        caseless: the triggers ignore the case of ASCII letters.
        pattern: the exact expression; a group named `value` narrows what is redacted.
        before: characters before a trigger's end where a match may begin.
        after: characters behind a trigger's end where a match may end.
        validator: looks at the match in its place.
        checks: look at the value alone, separators removed.
        context: must be found near the match; None asks for none.
        not_context: must not be found right before the match.
        near: how many characters before the match and behind it count as near.
        absorbs: a finding grows over what overlaps it; False where the neighbourhood is to stay readable.
        priority: of several rules that found something at one place, the highest names it.
        provider: whose format it is; empty where it is nobody's.
        by_words: context words are the triggers: a match lies near a hit, not on it.
        anywhere: triggers say only that a text may have matches; the pattern is searched in all of it.
        positive: texts in which the rule finds something; tests run them.
        negative: texts in which it finds nothing; tests run them.
    """

    id: str
    entity: EntityType
    triggers: tuple[str, ...]
    caseless: bool
    pattern: re.Pattern[str]
    before: int
    after: int
    validator: Validator | None
    checks: tuple[Check, ...]
    context: re.Pattern[str] | None
    not_context: re.Pattern[str] | None
    near: tuple[int, int]
    absorbs: bool
    priority: int
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    provider: str = ""
    by_words: bool = False
    anywhere: bool = False
