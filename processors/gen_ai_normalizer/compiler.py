"""From the dialects' data to a program for records of one shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import EllipsisType
from typing import Any, Final

from processors.gen_ai_normalizer.builds import (
    BuildList,
    Composed,
    Conform,
    ConformInstructions,
    Flattened,
    FlattenedTools,
    Gather,
    InJson,
)
from processors.gen_ai_normalizer.documents import Source
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.program import Build, Candidate, Check, Fill, Inference, Program
from processors.gen_ai_normalizer.recognition import Recognition
from processors.gen_ai_normalizer.rules import (
    BASE_DIALECT,
    NAME_KEY,
    AttributeRule,
    Case,
    MessageSource,
    Rules,
    UsageRules,
    load_table,
)
from processors.gen_ai_normalizer.shape import Shape
from processors.gen_ai_normalizer.usage import Accounting, UsageNames
from processors.gen_ai_normalizer.values import READERS, read_operation, read_routed_model
from processors.gen_ai_normalizer.vocabulary import operation_roles, providers

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
_MODELS: Final = frozenset({"gen_ai.request.model", "gen_ai.response.model"})
_MESSAGES: Final = {
    "input": "gen_ai.input.messages",
    "output": "gen_ai.output.messages",
    "tools": "gen_ai.tool.definitions",
}
_INSTRUCTIONS: Final = "gen_ai.system_instructions"


Looked = tuple[str, type, frozenset[str] | None, Check]


@dataclass(frozen=True, slots=True)
class DialectOptions:
    """What a user asks of one dialect."""

    overwrite: bool = False
    originals: str = "keep"
    custom_mappings: Mapping[str, str] | None = None


class Compiler:
    """Compiles programs for a set of dialects and one profile of the conventions."""

    def __init__(
        self, rules: Iterable[Rules], profile: str, options: Mapping[str, DialectOptions], default: DialectOptions
    ) -> None:
        """Read the tables; `options` are by dialect, `default` holds for all others."""
        self._rules = {rule.dialect: rule for rule in rules}
        self._recognition = Recognition(self._rules.values())
        self._options = options
        self._default = default
        table = load_table("profiles")[profile]
        self._names: dict[str, str] = table.get("names", {})
        self._provider_names: dict[str, str] = table.get("providers", {})
        self._kinds: dict[str, str] = load_table("targets") | table.get("types", {})
        self._usage_names = UsageNames(
            provider=self._name(PROVIDER), cache_write=self._name("gen_ai.usage.cache_creation.input_tokens")
        )
        self.kind_keys = frozenset(self._condition_keys()) | {OPERATION}
        self.names = frozenset(self._span_names())

    def _condition_keys(self) -> Iterator[str]:
        for rule in self._rules.values():
            for condition in (*rule.cases, *rule.roles):
                yield from (*condition.when, *condition.unless)
            for attributes in (rule.attributes, *(case.attributes for case in rule.cases)):
                if OPERATION in attributes:
                    yield from attributes[OPERATION].sources

    def _span_names(self) -> Iterator[str]:
        for rule in self._rules.values():
            for condition in (*rule.cases, *rule.roles):
                for wanted in (condition.when.get(NAME_KEY, ()), condition.unless.get(NAME_KEY, ())):
                    yield from (wanted,) if isinstance(wanted, str) else wanted

    def _name(self, target: str) -> str:
        return self._names.get(target, target)

    def program(self, shape: Shape) -> Program | None:
        """The program for a shape of record; None for one that is not about generative AI."""
        dialects = self._recognition.dialects(shape.scope, shape.keys)
        if not dialects:
            return None
        rules = [self._rules[name] for name in dict.fromkeys([BASE_DIALECT, *dialects]) if name in self._rules]
        return _Compilation(self, shape, rules, dialects).program()

    def option(self, dialect: str) -> DialectOptions:
        """What the user asks of a dialect."""
        return self._options.get(dialect, self._default)

    def target(self, target: str) -> tuple[str, str]:
        """Name in the profile and kind of a target."""
        return self._name(target), self._kinds.get(target, "text")

    def targets(self) -> Iterable[str]:
        """All targets of the conventions."""
        return self._kinds

    @property
    def usage_names(self) -> UsageNames:
        """What token counts are called in the profile."""
        return self._usage_names

    @property
    def provider_names(self) -> dict[str, str]:
        """Providers that the profile calls by another name."""
        return self._provider_names


class _Compilation:
    """One program in the making."""

    def __init__(self, compiler: Compiler, shape: Shape, rules: list[Rules], dialects: tuple[str, ...]) -> None:
        self._compiler = compiler
        self._shape = shape
        self._rules = rules
        self._dialects = dialects
        self._keys = frozenset(shape.keys)
        self._cases: list[tuple[Rules, Case]] = [
            (rule, case) for rule in rules for case in rule.cases if shape.fits(case)
        ]
        self._originals: dict[str, tuple[str, str]] = {}
        self._misused = frozenset(target for _, target, entry in self._attribute_rules() if entry.misused)

    def program(self) -> Program:
        candidates = self._candidates()
        operation = self._operation(candidates.pop(OPERATION, []))
        checks, fills = self._steps(candidates)
        role = self._role(operation)
        builds = self._builds()
        accounting = self._accounting()
        compiler = self._compiler
        moves = any(compiler.option(name).originals == "move" for name in self._dialects)
        return Program(
            dialect=",".join(self._dialects),
            role=role,
            operation_key=OPERATION,
            operation=operation,
            checks=checks,
            echoes=(echoes := self._echoes()),
            fills=fills,
            placeholders=frozenset(word for rule in self._rules for word in rule.placeholders),
            texts_of_its_own=self._texts_of_its_own(),
            builds=builds,
            texts=tuple(build.target for build in builds if isinstance(build, Conform | ConformInstructions)),
            rebuilds=bool(fills or accounting or echoes) or any(_has_work(build) for build in builds),
            accounting=accounting,
            inference=Inference(compiler.target(PROVIDER)[0]) if role in {"leaf", "duplicate"} else None,
            provider_names=compiler.provider_names,
            originals=self._taken_out(),
            move_originals=moves,
            stream_events=frozenset(name for rule in self._rules for name in rule.stream_events),
        )

    def _attribute_rules(self) -> Iterator[tuple[Rules, str, AttributeRule]]:
        for rule in self._rules:
            for owner, case in self._cases:
                if owner is rule:
                    yield from ((rule, target, entry) for target, entry in case.attributes.items())
            yield from ((rule, target, entry) for target, entry in rule.attributes.items())

    def _candidates(self) -> dict[str, list[tuple[Candidate, bool]]]:
        """For each target the places where its value may stand, each with whether it goes before the target itself."""
        found: dict[str, list[tuple[Candidate, bool]]] = {}
        for rule, target, entry in self._attribute_rules():
            overwrite = self._compiler.option(rule.dialect).overwrite
            for text in entry.sources:
                source = Source.parse(text)
                if source.key in self._keys:
                    given = tuple(map(Source.parse, entry.given))
                    denied = tuple(map(Source.parse, entry.unless_given))
                    candidate = Candidate(source, self._reader(rule, target, entry), entry.map, given, denied)
                    found.setdefault(target, []).append((candidate, entry.wins or overwrite))
                    if source.path is None:
                        self._original(rule, source.key, target)
        for name in self._dialects:
            self._add_custom(found, name)
        return found

    def _add_custom(self, found: dict[str, list[tuple[Candidate, bool]]], dialect: str) -> None:
        option = self._compiler.option(dialect)
        for key, target in (option.custom_mappings or {}).items():
            if key in self._keys:
                read = READERS[self._compiler.target(target)[1]][0] if target in self._compiler.targets() else _as_is
                found.setdefault(target, []).insert(0, (Candidate(Source(key), read), option.overwrite))
                self._originals.setdefault(key, (dialect, target))

    def _reader(self, rule: Rules, target: str, entry: AttributeRule) -> Any:
        if rule.models.routed and target in _MODELS:
            return read_routed_model
        return READERS[entry.kind or self._compiler.target(target)[1]][0]

    def _original(self, rule: Rules, key: str, target: str) -> None:
        # Attributes that are in the conventions themselves are nobody's leftovers.
        if key not in self._compiler.targets() and not key.startswith(_SHARED):
            self._originals.setdefault(key, (rule.dialect, target))

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
            if candidate.map is not None and value in candidate.map:
                mapped = candidate.map[value]
                if mapped is None and wins:
                    return None
                value = mapped
            elif candidate.map is not None and "*" in candidate.map:
                value = candidate.map["*"]
            found = candidate.read(value)
            if isinstance(found, str):
                return found
        return None

    def _steps(
        self, candidates: dict[str, list[tuple[Candidate, bool]]]
    ) -> tuple[tuple[Looked, ...], tuple[Fill, ...]]:
        checks: list[Looked] = []
        fills: list[Fill] = []
        for target in dict.fromkeys([*self._compiler.targets(), *candidates]):
            if target == OPERATION:
                continue
            name, kind = self._compiler.target(target)
            read, type_ = READERS[kind]
            places = candidates.get(target, [])
            spellings = [key for key in dict.fromkeys((name, target)) if key in self._keys]
            misused = target in self._misused and bool(spellings)
            native = [Candidate(Source(key), self._native_reader(target, read)) for key in spellings if not misused]
            if not places and native and spellings == [name]:
                plain = kind in _PLAIN and not self._routed()
                accepted = None if plain else _ACCEPTED.get(kind)
                check = Check(name, native[0].read, strict=kind == "provider")
                # Without a set of words every value is looked at: nothing in an attribute is an Ellipsis.
                checks.append((name, type_ if plain or accepted else EllipsisType, accepted, check))
            elif places or native or misused:
                before = [place for place, wins in places if wins]
                after = [place for place, wins in places if not wins]
                fills.append(Fill(name, (*before, *native, *after), strict=misused or kind == "provider"))
                if name != target and target in self._keys:
                    self._originals[target] = (BASE_DIALECT, target)
        return tuple(checks), tuple(fills)

    def _echoes(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            (self._compiler.target(target)[0], source)
            for _, case in self._cases
            for target, source in case.echoes.items()
            if target in self._keys
        )

    def _texts_of_its_own(self) -> tuple[str, ...]:
        """Texts in the conventions' place that may be a word for "not known", where a dialect has such words."""
        if not any(rule.placeholders for rule in self._rules):
            return ()
        named = (self._compiler.target(target) for target in self._compiler.targets())
        return tuple(name for name, kind in named if name in self._keys and kind in _WORDS)

    def _native_reader(self, target: str, read: Any) -> Any:
        return read_routed_model if target in _MODELS and self._routed() else read

    def _routed(self) -> bool:
        return any(rule.models.routed for rule in self._rules)

    def _builds(self) -> tuple[Build, ...]:
        builds: list[Build] = []
        rewrite = any(rule.messages.rewrite for rule in self._rules)
        for field, target in _MESSAGES.items():
            if target in self._keys:
                if field != "tools":
                    builds.append(Conform(target, always=rewrite))
                self._list(field)
            elif gather := self._list(field):
                builds.append(BuildList(target, tuple(gather)))
        if _INSTRUCTIONS in self._keys:
            builds.append(ConformInstructions(_INSTRUCTIONS))
        return tuple(builds)

    def _list(self, field: str) -> list[Gather]:
        sections = [(rule, section) for rule, case in self._cases for section in (case.messages,)]
        sections += [(rule, rule.messages) for rule in self._rules]
        found = []
        for rule, section in sections:
            sources: tuple[MessageSource, ...] = getattr(section, field)
            found += [gather for source in sources if (gather := self._gather(rule, field, source))]
        return found

    def _gather(self, rule: Rules, field: str, source: MessageSource) -> Gather | None:
        keys = (
            FlatKeys.under(source.flattened, self._shape.keys, unwrap=source.unwrap) if source.flattened else _NO_KEYS
        )
        place = Source.parse(source.json_text) if source.json_text else None
        used = {key for key, _ in keys.paths} | ({place.key} if place else set()) | {source.items} | _composed(source)
        used &= self._keys
        if not used:
            return None
        for key in used:
            self._original(rule, key, _MESSAGES[field])
        if field == "tools":
            return FlattenedTools(keys, source.items, place)
        role = "assistant" if field == "output" else source.role
        if source.compose is not None:
            compose = source.compose
            return Composed(compose.text, compose.reasoning, compose.tool_calls, compose.object, compose.finish_reason)
        return InJson(place, role) if place else Flattened(keys, role, source.nested_json)

    def _accounting(self) -> Accounting | None:
        """How to settle the counts; None where nothing but plain sums can be in a record."""
        sections: list[UsageRules] = [case.usage for _, case in self._cases] + [rule.usage for rule in self._rules]
        totals = [Source.parse(text) for section in sections for text in section.totals]
        details = any(word in key for key in self._keys for word in _DETAILS) or len(self._dialects) != 1
        if self._dialects == (BASE_DIALECT,) and not details:
            return None
        return Accounting(
            names=self._compiler.usage_names,
            totals=tuple(source for source in totals if source.key in self._keys),
            excludes_cache=frozenset(name for section in sections for name in section.excludes_cache),
            excludes_reasoning=frozenset(name for section in sections for name in section.excludes_reasoning),
            zero_is_unknown=tuple(self._compiler.target(key)[0] for s in sections for key in s.zero_is_unknown),
            details_are_separate=any(section.details_are_separate for section in sections),
        )

    def _role(self, operation: str | None) -> str | None:
        for rule in self._rules:
            for entry in rule.roles:
                if self._shape.fits(entry):
                    role: str = entry.role
                    return self._if_counted(role)
        return self._if_counted(operation_roles().get(operation or "", "none"))

    def _if_counted(self, role: str) -> str | None:
        """A span around calls has a role only where it repeats what they count."""
        counted = any(word in key for key in self._keys for word in _COUNTS)
        return None if role == "none" or (role == "aggregate" and not counted) else role

    def _taken_out(self) -> dict[str, str]:
        """Attributes that go (or move) once the target that they fill is there."""
        compiler = self._compiler
        return {
            key: compiler.target(target)[0]
            for key, (dialect, target) in self._originals.items()
            if compiler.option(dialect).originals != "keep"
        }


def _has_work(build: Build) -> bool:
    """Whether a step may change a record whose messages are JSON text already."""
    return not isinstance(build, Conform | ConformInstructions) or (isinstance(build, Conform) and build.always)


_NO_KEYS: Final = FlatKeys(())
_ACCEPTED: Final = {"provider": providers().exact}
_WORDS: Final = frozenset({"text", "host"})
_PLAIN: Final = frozenset({"text", "label", "int", "tokens", "double", "texts", "flag", "json", "host"})
_SHARED: Final = ("session.id", "user.id", "service.", "error.")
_COUNTS: Final = (".usage", "_usage", "token_count")
_DETAILS: Final = ("cache", "cached", "reasoning")


def _composed(source: MessageSource) -> set[str]:
    compose = source.compose
    if compose is None:
        return set()
    return {*compose.text, *compose.reasoning, *compose.tool_calls, *compose.object}


def _as_is(value: Any) -> Any:
    return value
