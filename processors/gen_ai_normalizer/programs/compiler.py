"""From the dialects' data to programs: the tables that all programs of a configuration share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from processors.gen_ai_normalizer.building.events import message_events
from processors.gen_ai_normalizer.counting.usage import UsageNames
from processors.gen_ai_normalizer.knowledge.profiles import PROVIDER, Profile, copies
from processors.gen_ai_normalizer.knowledge.rules import (
    BASE_DIALECT,
    NAME_KEY,
    SCOPE_KEY,
    SCOPE_VERSION_KEY,
    Rules,
    load_table,
)
from processors.gen_ai_normalizer.programs.compilation import OPERATION, Compilation, DialectOptions
from processors.gen_ai_normalizer.programs.program import Program
from processors.gen_ai_normalizer.programs.recognition import Recognition, ScopeId
from processors.gen_ai_normalizer.programs.shape import Shape
from processors.gen_ai_normalizer.reading.beside import BODY, Wanted, event_key, name_of_key

_OURS: Final = "gen_ai."
_MAX_DIALECTS: Final = 256
"""Sets of dialects that are remembered: some dozens are in use, but keys can be put together to any."""
_NO_ATTRIBUTES: Final = frozenset({SCOPE_KEY, SCOPE_VERSION_KEY, NAME_KEY})

Words = Mapping[str, frozenset[str] | None]
"""Attributes with the words that rules look for in them; None: every word says something."""


class Compiler:
    """Compiles programs for a set of dialects and one profile of the conventions."""

    def __init__(
        self,
        rules: Iterable[Rules],
        profile: str,
        options: Mapping[str, DialectOptions],
        default: DialectOptions,
        dual_write: Iterable[str] = (),
        *,
        infer_provider: bool = False,
    ) -> None:
        """Read the tables; `options` are by dialect, `default` holds for all others."""
        self.infer_provider = infer_provider
        self._rules = {rule.dialect: rule for rule in rules}
        mapped = _mapped([default, *options.values()])
        self._recognition = Recognition(
            self._rules.values(), [key for key, target in mapped.items() if target.startswith(_OURS)]
        )
        self._options = options
        self._default = default
        self._profile = Profile.load(profile)
        self.copies = copies(profile, dual_write)
        self.provider_names = self._profile.providers
        self._kinds: dict[str, str] = load_table("targets") | dict(self._profile.types)
        name = self._profile.name
        self.usage_names = UsageNames(
            provider=name(PROVIDER), cache_write=name("gen_ai.usage.cache_creation.input_tokens")
        )
        self._words: dict[tuple[str, ...], Words] = {}
        self.wanted = self._wanted()

    def _wanted(self) -> Wanted:
        """The events that rules ask for, and the attributes of them."""
        asked = {text.partition("#")[0] for rule in self._rules.values() for text in _texts(rule.model_dump())}
        details = {event_key(event) + target for event in message_events().details for target in self._kinds}
        keys = {text for text in asked if text.startswith("event(")} | details
        names = {name_of_key(key) for key in keys} | message_events().names
        for rule in self._rules.values():
            documents = [*rule.documents, *(source for case in rule.cases for source in case.documents)]
            names |= {name for source in documents for name in source.events}
        return Wanted(frozenset(names), frozenset(keys), message_events().loggers)

    def words(self, dialects: tuple[str, ...]) -> Words:
        """The attributes whose values the rules of these dialects look at, each with the words they look for."""
        found = self._words.get(dialects)
        if found is None:
            if len(self._words) >= _MAX_DIALECTS:
                self._words.clear()
            words = _words(self._rules_of(dialects)) | dict.fromkeys(self._mapped_operations(dialects))
            found = self._words[dialects] = words | {BODY + key: wanted for key, wanted in words.items()}
        return found

    def _mapped_operations(self, dialects: tuple[str, ...]) -> Iterator[str]:
        for option in map(self.option, dialects):
            yield from (key for key, mapping in option.custom_mappings.items() if mapping.target == OPERATION)

    def _rules_of(self, dialects: tuple[str, ...]) -> list[Rules]:
        return [self._rules[name] for name in dict.fromkeys([BASE_DIALECT, *dialects]) if name in self._rules]

    def names(self, dialects: tuple[str, ...]) -> frozenset[str]:
        """The names of spans for which the rules of these dialects ask."""
        return frozenset(_span_names(self._rules_of(dialects)))

    def dialects(self, scope: ScopeId, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The dialects of records with these keys; none for those that are not about generative AI."""
        return self._recognition.dialects(scope, keys)

    def program(self, shape: Shape, dialects: tuple[str, ...]) -> Program:
        """The program for a shape of record."""
        return Compilation(self, shape, self._rules_of(dialects), dialects).program()

    def option(self, dialect: str) -> DialectOptions:
        """What the user asks of a dialect."""
        return self._options.get(dialect, self._default)

    def target(self, target: str) -> tuple[str, str]:
        """Name in the profile and kind of a target."""
        return self._profile.name(target), self._kinds.get(target, "text")

    def targets(self) -> Iterable[str]:
        """All targets of the conventions."""
        return self._kinds


def _span_names(rules: Iterable[Rules]) -> Iterator[str]:
    for rule in rules:
        for condition in (*rule.cases, *rule.roles):
            for wanted in (condition.when.get(NAME_KEY, ()), condition.unless.get(NAME_KEY, ())):
                yield from (wanted,) if isinstance(wanted, str) else wanted
        for attributes in (rule.attributes, *(case.attributes for case in rule.cases)):
            operation = attributes.get(OPERATION)
            if operation is not None and NAME_KEY in operation.sources:
                yield from (name for name in operation.map or () if name != "*")


def _words(rules: Iterable[Rules]) -> dict[str, frozenset[str] | None]:
    words: dict[str, frozenset[str] | None] = {}
    for rule in rules:
        for condition in (*rule.cases, *rule.roles):
            for key, wanted in (*condition.when.items(), *condition.unless.items()):
                words[key] = (words.get(key) or frozenset()) | ({wanted} if isinstance(wanted, str) else {*wanted})
    # A word that stands for several values says nothing of which.
    words = {key: None if wanted and any("*" in word for word in wanted) else wanted for key, wanted in words.items()}
    for rule in rules:
        for attributes in (rule.attributes, *(case.attributes for case in rule.cases)):
            if OPERATION in attributes:
                words |= dict.fromkeys(attributes[OPERATION].sources)
    words[OPERATION] = None
    return {key: wanted for key, wanted in words.items() if key not in _NO_ATTRIBUTES}


def _mapped(options: Iterable[DialectOptions]) -> dict[str, str]:
    return {key: mapping.target for option in options for key, mapping in option.custom_mappings.items()}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a structure."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield str(key)
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
