"""What is built rather than copied (messages, tools, documents, variables, evaluations): from rules to steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final

from processors.gen_ai_normalizer.building.builds import (
    BuildList,
    Composed,
    Conform,
    ConformInstructions,
    Flattened,
    FlattenedTools,
    Gather,
    InJson,
)
from processors.gen_ai_normalizer.building.evaluations import NAMED_BY, BuildEvaluations, FoundEvaluations
from processors.gen_ai_normalizer.building.events import (
    INPUT,
    INSTRUCTIONS,
    OUTPUT,
    TARGETS,
    FromEvents,
    message_events,
    takes_apart,
)
from processors.gen_ai_normalizer.building.prompts import VARIABLE, BuildVariables
from processors.gen_ai_normalizer.building.retrieval import (
    DOCUMENTS,
    BuildDocuments,
    FoundDocuments,
    InEvents,
    InKeys,
    InText,
)
from processors.gen_ai_normalizer.building.tools import ConformTools
from processors.gen_ai_normalizer.knowledge.rules import EvaluationSource, MessageSource, Rules, Section
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.programs.program import Build
from processors.gen_ai_normalizer.reading.beside import BODY, event_key
from processors.gen_ai_normalizer.reading.documents import Source

TOOLS: Final = "gen_ai.tool.definitions"
_MESSAGES: Final = {"input": INPUT, "output": OUTPUT, "tools": TOOLS}
_NO_KEYS: Final = FlatKeys(())
_TOOL_RUN: Final = "execute_tool"

Sections = list[tuple[Rules, Section]]
"""Rules that hold for a record, those of cases before those of their dialect, each with the dialect they belong to."""
Original = Callable[[Rules, str, str], None]
"""Told of each key that is read, with the target that is there for it then."""


class Structures:
    """The building steps for one shape of record."""

    def __init__(self, sections: Sections, keys: Iterable[str], original: Original) -> None:
        """Look at the rules that hold, and at the keys that there are."""
        self._sections = sections
        self._listed = tuple(keys)
        self._keys = frozenset(self._listed)
        self._original = original

    def builds(self, provider: str, operation: str | None) -> tuple[Build, ...]:
        """The steps that fill attributes; `provider` is the name of the provider's attribute."""
        builds = [*self._messages(provider), *self._documents(), *self._variables()]
        # The events of a tool's span hold its arguments and result, which have attributes of their own.
        if operation != _TOOL_RUN and self._has_message_events():
            position = 0 if BODY in self._keys else len(builds)
            builds.insert(position, FromEvents(provider))
        return tuple(builds)

    def evaluations(self) -> BuildEvaluations | None:
        """The step that adds results of evaluations; None where no rule says where any are."""
        places = [
            place
            for rule, section in self._sections
            for source in section.evaluations
            if (place := self._evaluation(rule, source))
        ]
        return BuildEvaluations(tuple(places)) if places else None

    def _has_message_events(self) -> bool:
        names = {event_key(name) for name in message_events().names}
        return not names.isdisjoint(self._keys) or any(BODY + target in self._keys for target in TARGETS.values())

    def _messages(self, provider: str) -> Iterator[Build]:
        rewrite = any(section.messages.rewrite for _, section in self._sections)
        chunks = any(section.messages.chunks for _, section in self._sections)
        nested = any(section.messages.nested_json for _, section in self._sections)
        for field, target in _MESSAGES.items():
            gather = self._list(field)
            if target in self._keys and field == "tools":
                yield ConformTools(target)
            elif target in self._keys:
                yield Conform(target, rewrite, tuple(gather), chunks and field == "output", nested)
            elif gather:
                apart = partial(takes_apart, provider) if field == "input" else None
                texts = gather[0].texts if isinstance(gather[0], Flattened) else None
                yield BuildList(target, tuple(gather), apart, texts)
        if INSTRUCTIONS in self._keys:
            yield ConformInstructions(INSTRUCTIONS)

    def _list(self, field: str) -> list[Gather]:
        found = []
        for rule, section in self._sections:
            sources: tuple[MessageSource, ...] = getattr(section.messages, field)
            found += [gather for source in sources if (gather := self._gather(rule, field, source))]
        return found

    def _gather(self, rule: Rules, field: str, source: MessageSource) -> Gather | None:
        keys = self._flat(source.flattened, unwrap=source.unwrap)
        place = self._place(source.json_text)
        used = {key for key, _ in keys.paths} | ({place.key} if place else set()) | {source.items} | _composed(source)
        used &= self._keys
        if not used:
            return None
        for key in used:
            self._original(rule, key, _MESSAGES[field])
        if field == "tools":
            return FlattenedTools(keys, source.items, place, source.among_messages)
        role = "assistant" if field == "output" else source.role
        if source.compose is not None:
            compose = source.compose
            return Composed(compose.text, compose.reasoning, compose.tool_calls, compose.object, compose.finish_reason)
        if place:
            return InJson(place, role, chunks=field == "output" and rule.messages.chunks)
        return Flattened(keys, role, source.nested_json, joined=source.joined)

    def _documents(self) -> Iterator[Build]:
        if DOCUMENTS in self._keys:
            return
        places = []
        for rule, section in self._sections:
            for source in section.documents:
                listed, used = self._listing(source.flattened, source.json_text, source.events, unwrap=source.unwrap)
                if listed is not None:
                    places.append(FoundDocuments(listed, source.fields))
                    self._note(rule, used, DOCUMENTS)
        if places:
            yield BuildDocuments(tuple(places))

    def _listing(
        self, flattened: str, json_text: str, events: tuple[str, ...] = (), *, unwrap: bool = False
    ) -> tuple[InKeys | InText | InEvents | None, set[str]]:
        """How to list what stands at a place, and the attributes that are read for it."""
        keys = self._flat(flattened, unwrap=unwrap)
        if keys.paths:
            return InKeys(keys), {key for key, _ in keys.paths}
        place = self._place(json_text)
        if place is not None:
            return InText(place), {place.key}
        there = frozenset(name for name in events if event_key(name) in self._keys)
        return (InEvents(there) if there else None), set()

    def _variables(self) -> Iterator[Build]:
        texts: list[Source] = []
        keys: list[tuple[str, str]] = []
        for rule, section in self._sections:
            for source in section.prompt_variables:
                place = self._place(source.json_text)
                named = [(key, key[len(source.prefix) :]) for key in self._below(source.prefix)]
                keys += named
                texts += [place] if place else []
                self._note(rule, [place.key] if place else [], VARIABLE)
                for key, name in named:
                    self._original(rule, key, VARIABLE + name)
        if texts or keys:
            yield BuildVariables(tuple(texts), tuple(keys))

    def _evaluation(self, rule: Rules, source: EvaluationSource) -> FoundEvaluations | None:
        if source.flattened or source.json_text:
            listed, _ = self._listing(source.flattened, source.json_text)
            return FoundEvaluations(source, listed) if listed is not None else None
        places = (*source.score, *source.label, *source.explanation)
        said = {Source.parse(place.removeprefix(NAMED_BY)).key for place in places}
        return FoundEvaluations(source, None) if said & self._keys else None

    def _flat(self, prefix: str, *, unwrap: bool) -> FlatKeys:
        return FlatKeys.under(prefix, self._listed, unwrap=unwrap) if prefix else _NO_KEYS

    def _place(self, text: str) -> Source | None:
        """The structure in the attribute, or field of a log record's body, that a rule names; None where neither is."""
        if not text:
            return None
        source = Source.parse(text)
        found = next((key for key in (source.key, BODY + source.key) if key in self._keys), None)
        return Source(found, source.path or ()) if found else None

    def _below(self, prefix: str) -> list[str]:
        return [key for key in self._listed if prefix and key.startswith(prefix)]

    def _note(self, rule: Rules, keys: Iterable[str], target: str) -> None:
        for key in keys:
            self._original(rule, key, target)


def _composed(source: MessageSource) -> set[str]:
    compose = source.compose
    if compose is None:
        return set()
    return {*compose.text, *compose.reasoning, *compose.tool_calls, *compose.object}


def has_work(build: Any) -> bool:
    """Whether a step may change a record whose messages are JSON text already."""
    if isinstance(build, Conform):
        return build.always or bool(build.gather)
    return not isinstance(build, ConformInstructions | ConformTools)
