"""Rules of the configuration: RE2 expressions, so that no text makes them slow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import wraps
from typing import Any, Final

from processors.redaction.checks import CHECKS
from processors.redaction.detection.detector import Detector
from processors.redaction.detection.prefilter import required
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.rule import Check, EntityType, Rule, Validator
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.knowledge.words import context_pattern
from processors.redaction.policy_config import UserRule
from processors.redaction.texts.layers import Finder
from processors.redaction.validators import VALIDATORS

PRIORITY: Final = 100
"""The user's own rule names a place that a rule that ships finds something in, too."""

GROUP: Final = "own"

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_LOOKS: Final[dict[str, Validator]] = {name: VALIDATORS[name] for name in ("placeholder", "random_looking")}


class UnknownName(ValueError):  # noqa: N818 - says what it is
    """There is no validator of that name."""


class LinearMatch:
    """A match as `re` gives it: groups can be named."""

    __slots__ = ("_match", "re", "string")

    def __init__(self, match: Any, pattern: LinearPattern) -> None:
        """Take a match of `re2`."""
        self._match = match
        self.re = pattern
        self.string: str = match.string

    def span(self, group: int | str = 0) -> tuple[int, int]:
        """Where a group matched; (-1, -1) where it took no part."""
        span: tuple[int, int] = self._match.span(self.re.groupindex[group] if isinstance(group, str) else group)
        return span

    def start(self, group: int | str = 0) -> int:
        """Where a group begins; -1 where it took no part."""
        return self.span(group)[0]


class LinearPattern:
    """An RE2 expression that takes any text, lone surrogates included, and finds with the same offsets."""

    def __init__(self, regex: Any) -> None:
        """Search with a compiled expression of `re2`."""
        self._regex = regex
        self.groupindex: dict[str, int] = regex.groupindex

    def finditer(self, text: str) -> Iterator[LinearMatch]:
        """The matches in a text, in order."""
        return (LinearMatch(match, self) for match in self._regex.finditer(_SURROGATE.sub("\ufffd", text)))


def build_user_rule(config: UserRule, name: str = "rules") -> Rule:
    """The rule that a block of the configuration describes; `name` becomes its id.

    Raises:
        UnknownName: there is no such validator.
    """
    validator, checks = _validator(config.validator)
    pattern: Any = LinearPattern(config.pattern.regex)
    return Rule(
        id=name,
        entity=entity_of(config.type),
        triggers=required(config.pattern.source),
        caseless=False,
        pattern=pattern,
        before=0,
        after=0,
        validator=validator,
        checks=checks,
        context=context_pattern(config.context) if config.context else None,
        not_context=context_pattern(config.not_context) if config.not_context else None,
        near=config.near,
        absorbs=True,
        priority=PRIORITY,
        positive=config.positive,
        negative=config.negative,
        anywhere=True,
    )


def entity_of(name: str) -> EntityType:
    """The type of that name: one that ships, or one of the user's."""
    return load_types().get(name) or EntityType(
        name, GROUP, default=True, priority=PRIORITY, about="a rule of your own"
    )


def validator_names() -> list[str]:
    """The names that `validator` takes."""
    return sorted({*CHECKS, *_LOOKS})


def _validator(name: str | None) -> tuple[Validator | None, tuple[Check, ...]]:
    if name is None:
        return None, ()
    if name in CHECKS:
        return None, (_tolerant(CHECKS[name]),)
    if name in _LOOKS:
        return _LOOKS[name], ()
    known = validator_names()
    close = get_close_matches(name, known, 1)
    hint = f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"
    raise UnknownName(f'unknown validator "{name}"; {hint}')


def _tolerant(check: Check) -> Check:
    """A check that takes any value: what it cannot read is none of its kind."""

    @wraps(check)
    def passes(value: str) -> bool:
        try:
            return check(value)
        except (ValueError, LookupError, TypeError):
            return False

    return passes


def failing_sample(rule: Rule) -> tuple[str, int] | None:
    """Which sample of a rule is wrong: (`positive` or `negative`, its index); None where all are right."""
    found = finds_with(rule)
    for kind, samples, wanted in (("positive", rule.positive, True), ("negative", rule.negative, False)):
        for index, sample in enumerate(samples):
            if found(sample) is not wanted:
                return kind, index
    return None


def finds_with(*rules: Rule) -> Callable[[str], bool]:
    """Tells whether one of the rules finds something in a text."""
    finder = Finder(Detector(rules))
    treatment = Treatment(frozenset(rule.entity.name for rule in rules))
    return lambda text: bool(finder.find(text, treatment))
