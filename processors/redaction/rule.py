"""What a detection rule is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Validator = Callable[[re.Match[str]], tuple[int, int] | None]
"""Decides on a match of a rule's pattern: the span to redact, or None where the match is none of its kind."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type of sensitive data.

    Attributes:
        default: the default policy redacts it.
        priority: of several types found at one place, the highest names it.
    """

    name: str
    default: bool
    priority: int


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
        context: must be found near the match; None asks for none.
        not_context: must not be found right before the match.
        absorbs: a finding grows over what overlaps it; False where the neighbourhood is to stay readable.
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
    context: re.Pattern[str] | None
    not_context: re.Pattern[str] | None
    absorbs: bool
    positive: tuple[str, ...]
    negative: tuple[str, ...]
