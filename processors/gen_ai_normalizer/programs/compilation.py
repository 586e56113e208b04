"""One program in the making: the rules that hold for a shape of record, put in their order."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import EllipsisType
from typing import Any, Final, Protocol

from processors.gen_ai_normalizer.building.builds import Conform, ConformInstructions
from processors.gen_ai_normalizer.building.events import MOVED_PREFIX, message_events
from processors.gen_ai_normalizer.building.tools import ConformTools
from processors.gen_ai_normalizer.counting.usage import Accounting, UsageNames
from processors.gen_ai_normalizer.knowledge.matching import mapped
from processors.gen_ai_normalizer.knowledge.profiles import PROVIDER, Copy
from processors.gen_ai_normalizer.knowledge.rules import (
    BASE_DIALECT,
    NAME_KEY,
    AttributeRule,
    Case,
    Rules,
    Section,
    UsageRules,
)
from processors.gen_ai_normalizer.knowledge.vocabulary import operation_roles, providers
from processors.gen_ai_normalizer.programs.custom import CustomMapping, Mapped
from processors.gen_ai_normalizer.programs.derivation import Derivation
from processors.gen_ai_normalizer.programs.fills import Candidate, Fill
from processors.gen_ai_normalizer.programs.glances import NOT_NEGATIVE, glance_at
from processors.gen_ai_normalizer.programs.live import LiveFills
from processors.gen_ai_normalizer.programs.program import Check, Program
from processors.gen_ai_normalizer.programs.quick import Quick
from processors.gen_ai_normalizer.programs.shape import Shape
from processors.gen_ai_normalizer.programs.structures import Structures, has_work
from processors.gen_ai_normalizer.reading.beside import BODY, event_key
from processors.gen_ai_normalizer.reading.documents import Source
from processors.gen_ai_normalizer.reading.values import (
    READERS,
    Reader,
    always,
    are_finish_reasons,
    is_number,
    never,
    read_operation,
    read_routed_model,
)

OPERATION: Final = "gen_ai.operation.name"
_MODELS: Final = frozenset({"gen_ai.request.model", "gen_ai.response.model"})
Looked = tuple[str, type, Container[Any] | None, Check]
Places = dict[str, list[tuple[Candidate, bool]]]
"""For each target the places where its value may stand, each with whether it goes before the target itself."""


@dataclass(frozen=True, slots=True)
class DialectOptions:
    """What a user asks of one dialect."""

    overwrite: bool = False
    originals: str = "keep"
    custom_mappings: Mapping[str, CustomMapping] = field(default_factory=dict)
    """By the attribute that is read; each as the source of the configuration says in which it stands."""


class Tables(Protocol):
    """What all programs of a configuration share."""

    copies: tuple[Copy, ...]
    """What is written under second names."""
    usage_names: UsageNames
    """What token counts are called in the profile."""
    provider_names: Mapping[str, str]
    """Providers that the profile calls by another name."""
    infer_provider: bool
    """Whether a provider may be guessed from the family of a model."""

    def option(self, dialect: str) -> DialectOptions:
        """What the user asks of a dialect."""

    def target(self, target: str) -> tuple[str, str]:
        """Name in the profile and kind of a target."""

    def targets(self) -> Iterable[str]:
        """All targets of the conventions."""


class Compilation:
    """One program in the making."""

    def __init__(self, tables: Tables, shape: Shape, rules: list[Rules], dialects: tuple[str, ...]) -> None:
        """Take the rules of the record's dialects, the conventions' own first."""
        self._tables = tables
        self._shape = shape
        self._rules = rules
        self._dialects = dialects
        self._keys = frozenset(shape.keys)
        self._cases: list[tuple[Rules, Case]] = [
            (rule, case) for rule in rules for case in rule.cases if shape.fits(case)
        ]
        self._originals: dict[str, tuple[str, str]] = {}
        """Attributes that are read, each with what becomes of it and the target that it fills."""
        self._misused = frozenset(target for _, target, entry in self._attribute_rules() if entry.misused)

    def program(self) -> Program:
        """The program."""
        candidates = self._candidates()
        operation = self._operation(candidates.pop(OPERATION, []))
        checks, fills = self._steps(candidates)
        role, yields_to = self._role(operation)
        tables = self._tables
        provider = tables.target(PROVIDER)[0]
        structures = Structures(self._sections(), self._shape.keys, self._original)
        builds = structures.builds(provider, operation)
        accounting = self._accounting({fill.target for fill in fills})
        echoes = self._echoes()
        program = Program(
            dialect=",".join(self._dialects),
            role=role,
            yields_to=yields_to,
            quick=None,
            operation_key=OPERATION,
            operation=operation,
            checks=checks,
            fills=LiveFills(fills, self._keys),
            placeholders=frozenset(word for rule in self._rules for word in rule.placeholders),
            texts_of_its_own=self._texts_of_its_own(),
            echoes=echoes,
            builds=builds,
            texts=tuple((build.target, build.fits) for build in builds if isinstance(build, _CONFORMING)),
            reads_name=any(place.source.key == NAME_KEY for places in candidates.values() for place, _ in places),
            rebuilds=bool(fills or accounting or echoes) or any(has_work(build) for build in builds),
            accounting=accounting,
            derivation=Derivation(provider, tables.infer_provider) if role in {"leaf", "duplicate"} else None,
            provider=provider,
            provider_names=tables.provider_names,
            evaluations=structures.evaluations(),
            event_mappings=self._event_mappings(),
            copies=tables.copies,
            originals=self._taken_out(),
            takes_out_events=any(tables.option(name).originals != "keep" for name in self._dialects),
            moves_events=any(tables.option(name).originals == "move" for name in self._dialects),
            stream_events=frozenset(name for rule in self._rules for name in rule.stream_events),
        )
        return replace(program, quick=self._quick(program, fills))

    def _quick(self, program: Program, fills: tuple[Fill, ...]) -> Quick | None:
        """A glance at records of which most need nothing but marks; None where there is always more to do."""
        said = self._shape.kinds.get(OPERATION)
        if said != program.operation or (OPERATION in self._keys and not said):
            return None
        return glance_at(program, fills, self._shape.keys)

    def _sections(self) -> list[tuple[Rules, Section]]:
        sections: list[tuple[Rules, Section]] = [*self._cases]
        return [*sections, *((rule, rule) for rule in self._rules)]

    def _attribute_rules(self) -> Iterator[tuple[Rules, str, AttributeRule]]:
        for rule in self._rules:
            for owner, case in self._cases:
                if owner is rule:
                    yield from ((rule, target, entry) for target, entry in case.attributes.items())
            yield from ((rule, target, entry) for target, entry in rule.attributes.items())

    def _candidates(self) -> Places:
        found: Places = {}
        for rule, target, entry in self._attribute_rules():
            option = self._tables.option(rule.dialect)
            read = self._reader(rule, target, entry)
            given, denied = tuple(map(Source.parse, entry.given)), tuple(map(Source.parse, entry.unless_given))
            for text in entry.sources:
                source = Source.parse(text)
                # What the user maps goes where the user says.
                if source.path is None and source.key in option.custom_mappings:
                    continue
                for key in self._spellings(source.key):
                    candidate = Candidate(Source(key, source.path), read, entry.map, given, denied)
                    found.setdefault(target, []).append((candidate, entry.wins or option.overwrite))
                    if source.path is None:
                        self._original(rule, key, target)
        for option in map(self._tables.option, self._dialects):
            self._add_custom(found, option.custom_mappings)
        return found

    def _spellings(self, key: str) -> list[str]:
        """The attribute of this name, and the field of a log record's body, as far as they are there."""
        if key == NAME_KEY:
            return [key]
        return [name for name in (key, BODY + key) if name in self._keys or name in self._shape.kinds]

    def _add_custom(self, found: Places, mappings: Mapping[str, CustomMapping]) -> None:
        for key, (target, overwrite, originals) in mappings.items():
            read = self._custom_reader(target)
            for name in self._spellings(key):
                found.setdefault(target, []).insert(0, (Candidate(Source(name), read), overwrite))
                # What is not copied is not lost either.
                if overwrite or self._tables.target(target)[0] not in self._keys:
                    self._originals.setdefault(name, (originals, target))

    def _event_mappings(self) -> dict[str, Mapped]:
        tables = self._tables
        return {
            key: Mapped(tables.target(target)[0], self._custom_reader(target), overwrite, originals)
            for option in map(tables.option, reversed(self._dialects))
            for key, (target, overwrite, originals) in option.custom_mappings.items()
        }

    def _custom_reader(self, target: str) -> Reader:
        return READERS[self._tables.target(target)[1]][0] if target in self._tables.targets() else _as_is

    def _reader(self, rule: Rules, target: str, entry: AttributeRule) -> Any:
        if rule.models.routed and target in _MODELS:
            return read_routed_model
        return READERS[entry.kind or self._tables.target(target)[1]][0]

    def _original(self, rule: Rules, key: str, target: str) -> None:
        # Attributes that are in the conventions themselves are nobody's leftovers.
        if key not in self._tables.targets() and not key.startswith(_SHARED):
            self._originals.setdefault(key, (self._tables.option(rule.dialect).originals, target))

    def _operation(self, candidates: list[tuple[Candidate, bool]]) -> str | None:
        """The operation is settled here: its sources are among the kinds that a shape is made of."""
        kinds = self._shape.kinds
        native = (Candidate(Source(OPERATION), read_operation), True)
        order = [entry for entry in candidates if entry[1]]
        order += [native] if OPERATION in kinds else []
        order += [entry for entry in candidates if not entry[1]]
        for candidate, wins in order:
            value = kinds.get(candidate.source.key)
            if value is None:
                continue
            if candidate.map is not None:
                value = mapped(value, candidate.map)
                if value is None and wins:
                    return None
            found = candidate.read(value)
            if isinstance(found, str):
                return found
        return None

    def _steps(self, candidates: Places) -> tuple[tuple[Looked, ...], tuple[Fill, ...]]:
        checks: list[Looked] = []
        fills: list[Fill] = []
        for target in dict.fromkeys([*self._tables.targets(), *candidates]):
            if target == OPERATION:
                continue
            name, kind = self._tables.target(target)
            read, type_ = READERS[kind]
            places = candidates.get(target, [])
            spellings = self._native(name, target)
            misused = target in self._misused and bool(spellings)
            native = [Candidate(Source(key), self._native_reader(target, read)) for key in spellings if not misused]
            if not places and native and spellings == [name]:
                plain = kind in _PLAIN and not self._routed()
                accepted = _ACCEPTED.get(kind)
                check = Check(name, native[0].read, _GOES.get(kind, never), None if self._routed() else _FITS.get(kind))
                # Without a set of words every value is looked at: nothing in an attribute is an Ellipsis.
                checks.append((name, type_ if plain or accepted else EllipsisType, accepted, check))
            elif places or native or misused:
                before = [place for place, wins in places if wins]
                after = [place for place, wins in places if not wins]
                goes = always if misused else _GOES.get(kind, never)
                fills.append(Fill(name, (*before, *native, *after), goes))
                if name != target and target in self._keys:
                    self._originals[target] = (self._tables.option(BASE_DIALECT).originals, target)
        return tuple(checks), tuple(fills)

    def _echoes(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (self._tables.target(target)[0], source)
            for _, case in self._cases
            for target, source in case.echoes.items()
            if target in self._keys
        )

    def _native(self, name: str, target: str) -> list[str]:
        """Where a value stands under the conventions' own names."""
        keys = [name, target]
        keys += [event_key(event) + key for event in message_events().details for key in (name, target)]
        keys += [BODY + name, BODY + target]
        return [key for key in dict.fromkeys(keys) if key in self._keys]

    def _texts_of_its_own(self) -> tuple[str, ...]:
        """Texts in the conventions' place that may be a word for "not known", where a dialect has such words."""
        if not any(rule.placeholders for rule in self._rules):
            return ()
        named = (self._tables.target(target) for target in self._tables.targets())
        return tuple(name for name, kind in named if name in self._keys and kind in _WORDS)

    def _native_reader(self, target: str, read: Any) -> Any:
        return read_routed_model if target in _MODELS and self._routed() else read

    def _routed(self) -> bool:
        return any(rule.models.routed for rule in self._rules)

    def _accounting(self, filled: set[str]) -> Accounting | None:
        """How to settle the counts of records with these targets; None where nothing but plain sums can be in one."""
        sections: list[UsageRules] = [case.usage for _, case in self._cases] + [rule.usage for rule in self._rules]
        totals = [Source.parse(text) for section in sections for text in section.totals]
        details = any(word in key for key in self._keys for word in _DETAILS) or len(self._dialects) != 1
        if self._dialects == (BASE_DIALECT,) and not details:
            return None
        names = self._tables.usage_names
        keeps_raw = any(self._tables.option(name).originals != "drop" for name in self._dialects)
        return Accounting(
            names=names,
            details=tuple(key for key in names.details if key in filled or key in self._keys),
            totals=tuple(source for source in totals if source.key in self._keys),
            excludes_cache=frozenset(name for section in sections for name in section.excludes_cache),
            excludes_reasoning=frozenset(name for section in sections for name in section.excludes_reasoning),
            sum_holds_reasoning=frozenset(name for section in sections for name in section.sum_holds_reasoning),
            zero_is_unknown=tuple(self._tables.target(key)[0] for s in sections for key in s.zero_is_unknown),
            details_are_separate=any(section.details_are_separate for section in sections),
            raw_keys={
                key: MOVED_PREFIX + key for key in (names.input, names.output) if keeps_raw and key in self._keys
            },
        )

    def _role(self, operation: str | None) -> tuple[str | None, str]:
        """The role, and the scope whose report of the call goes before."""
        fitting = [entry for rule in self._rules for entry in rule.roles if self._shape.fits(entry)]
        entry = next((entry for entry in fitting if not entry.without_operation), None)
        if entry is None and operation is None:
            entry = next(iter(fitting), None)
        if entry is not None:
            return self._if_counted(entry.role), entry.yields_to
        return self._if_counted(operation_roles().get(operation or "", "none")), ""

    def _if_counted(self, role: str) -> str | None:
        """A span around calls has a role only where it repeats what they count."""
        counted = any(word in key for key in self._keys for word in _COUNTS)
        return None if role == "none" or (role == "aggregate" and not counted) else role

    def _taken_out(self) -> dict[str, tuple[str, bool]]:
        """Attributes that go (or move) once the target that they fill is there."""
        tables = self._tables
        stays = {copy.target for copy in tables.copies} | {tables.target(target)[0] for target in tables.targets()}
        return {
            key: (tables.target(target)[0], originals == "move")
            for key, (originals, target) in self._originals.items()
            if originals != "keep" and key not in stays
        }


_CONFORMING: Final = (Conform, ConformInstructions, ConformTools)
_ACCEPTED: Final[dict[str, Container[Any]]] = {"provider": providers().exact, "tokens": NOT_NEGATIVE}
_FITS: Final = {"finish_reasons": are_finish_reasons}
_GOES: Final[dict[str, Callable[[Any], bool]]] = {"provider": always, "tokens": is_number}
"""What must not stay where it cannot be read: a framework as provider, a number that is no count."""
_WORDS: Final = frozenset({"text", "host"})
_PLAIN: Final = frozenset({"text", "label", "int", "tokens", "double", "texts", "flag", "json", "host"})
_SHARED: Final = ("session.id", "user.id", "service.", "error.")
_COUNTS: Final = (".usage", "_usage", "tokenUsage", "token_count")
_DETAILS: Final = ("cache", "cached", "reasoning")


def _as_is(value: Any) -> Any:
    return value
