"""Which treatment holds at a place: policies of the configuration, compiled for one pipeline."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from processors.redaction.config import RedactionConfig
from processors.redaction.knowledge.treatment import Action, StandIn, Treatment
from processors.redaction.policy_config import Allowed, Choice, FixedText, Match
from processors.redaction.treatments.actions import MASKS, PLACEHOLDER, STARS, fixed, is_rest, rest_of
from processors.redaction.treatments.pseudonyms import Pseudonyms

_KEY: Final = ".key"
"""Ends the place of attribute keys; they are treated as the values."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Where a policy holds. Each part that is not None must be met.

    Attributes:
        key_patterns: RE2 expressions, one of which is found in the attribute key.
    """

    signals: frozenset[str] | None = None
    places: frozenset[str] | None = None
    roles: frozenset[str] | None = None
    key_patterns: tuple[Any, ...] | None = None

    def holds(self, signal: str, place: str, key: str, role: str) -> bool:
        """Whether the policy applies there."""
        return (
            (self.signals is None or signal in self.signals)
            and (self.places is None or place.removesuffix(_KEY) in self.places)
            and (self.roles is None or role in self.roles)
            and (self.key_patterns is None or any(pattern.search(key) for pattern in self.key_patterns))
        )


class Policies:
    """Answers which treatment holds at a place: that of the first policy that applies there, else the common one.

    Attributes:
        base: the treatment where no policy applies.
        by_role: some policy asks for the role of a message's author.
    """

    def __init__(self, base: Treatment, rules: Sequence[tuple[Condition, Treatment]] = ()) -> None:
        """Take the policies in their order."""
        self.base = base
        self._rules = tuple(rules)
        self._identities: dict[Treatment, Treatment] = {}
        self.by_role = any(condition.roles is not None for condition, _ in rules)

    @property
    def is_single(self) -> bool:
        """Whether one treatment holds everywhere."""
        return not self._rules

    @property
    def types(self) -> frozenset[str]:
        """All types that are looked for anywhere."""
        return self.base.types.union(*(treatment.types for _, treatment in self._rules))

    def treatment(self, signal: str, place: str, key: str = "", role: str = "") -> Treatment | None:
        """How values there are treated; None where nothing is looked for.

        Args:
            signal: `traces`, `logs` or `metrics`.
            place: as redaction counts it: `span` (its attributes), `span.name`, `event`, `log.body`, ...
            key: the attribute's key; empty where there is none.
            role: the author of a message: `system`, `user`, `assistant`, `tool`; empty where it has none.
        """
        for condition, treatment in self._rules:
            if condition.holds(signal, place, key, role):
                return _unless_idle(treatment)
        return _unless_idle(self.base)

    def identity(self, treatment: Treatment) -> Treatment:
        """The treatment of ids of users, sessions and conversations: a value found there becomes a pseudonym.

        Where the treatment drops or keeps, it still does.
        """
        found = self._identities.get(treatment)
        if found is None:
            actions: dict[str, Action] = {
                entity: action if (action := treatment.action(entity)) in ("drop", "keep") else "hash"
                for entity in treatment.types
            }
            found = self._identities[treatment] = replace(treatment, actions=actions)
        return found


def _unless_idle(treatment: Treatment) -> Treatment | None:
    return treatment if treatment.types > treatment.kept else None


def compile_policies(config: RedactionConfig, pipeline: str, key: bytes) -> Policies:
    """The policies of a configuration as they hold in one pipeline; `key` makes the pseudonyms."""
    compiler = _Compiler(config, key)
    return Policies(
        compiler.treatment(config.entity_types, config, config),
        [
            (_condition(policy.match), compiler.treatment(config.types_of(policy), policy, config))
            for policy in config.policies
            if not policy.match.pipelines or pipeline in map(str, policy.match.pipelines)
        ],
    )


def _condition(match: Match) -> Condition:
    return Condition(
        signals=frozenset(match.signals) or None,
        places=frozenset(match.places) or None,
        roles=frozenset(match.roles) or None,
        key_patterns=tuple(pattern.regex for pattern in match.attributes) or None,
    )


class _Compiler:
    def __init__(self, config: RedactionConfig, key: bytes) -> None:
        self._config = config
        self._selection = config.selection
        self._of_rules = {rule.type: rule.action for rule in config.rules if rule.action is not None}
        self._hash = Pseudonyms(key, config.hash_digits).stand_in

    def treatment(self, types: frozenset[str], *choices: Choice) -> Treatment:
        """The treatment of types by choices, of which the first that says something decides."""
        actions = {entity: self._action(entity, choices) for entity in types}
        mask = next((choice.mask for choice in choices if choice.mask is not None), PLACEHOLDER)
        stand_ins: dict[Action, StandIn] = {"partial": rest_of, "hash": self._hash}
        stand_ins["mask"] = fixed(mask.text) if isinstance(mask, FixedText) else MASKS[mask]
        return Treatment(
            types,
            actions,
            stand_ins,
            allows=_allows(
                self._config.allow,
                mask.text if isinstance(mask, FixedText) else "",
                leaves_stars=mask == STARS or "partial" in actions.values(),
            ),
            dry_run=self._config.dry_run,
        )

    def _action(self, entity: str, choices: Sequence[Choice]) -> Action:
        """What the first choice says that says something: of the type by name, of a group of it, of all types."""
        for choice in choices:
            said = choice.actions.get(entity) or self._of_group(entity, choice)
            if said is None and choice is self._config:
                said = self._of_rules.get(entity)
            said = said or choice.action
            if said is not None:
                return said
        return "mask"

    def _of_group(self, entity: str, choice: Choice) -> Action | None:
        named = self._selection.named
        return next((word for name, word in choice.actions.items() if entity in named(name)), None)


def _allows(allowed: Allowed, stand_in: str, *, leaves_stars: bool) -> Callable[[str, str], bool] | None:
    """Whether a value is on the allow list, or is what an earlier pass put in the place of one."""
    if not (allowed.values or allowed.patterns or stand_in or leaves_stars):
        return None
    values = frozenset(map(_caseless, allowed.values))
    matches = [pattern.regex.fullmatch for pattern in allowed.patterns]

    def allows(value: str, before: str) -> bool:
        return (
            (leaves_stars and is_rest(before + value))
            or value == stand_in
            or _caseless(value) in values
            or any(match(value) is not None for match in matches)
        )

    return allows


def _caseless(value: str) -> str:
    return unicodedata.normalize("NFKC", value).casefold().strip()
