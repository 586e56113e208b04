"""Steps that build messages, instructions and tool definitions as JSON text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.documents import Documents, Source, dump, parse_text
from processors.gen_ai_normalizer.messages.parts import content_parts
from processors.gen_ai_normalizer.messages.shapes import Message, to_message, to_messages
from processors.gen_ai_normalizer.messages.tools import tool_call_part, tool_definition
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.vocabulary import finish_reason

Gather = Callable[[Documents], list[Any] | None]
"""Reads a list of messages (or tool definitions) from a record; empty where the form is not known, None where there is
nothing to read."""


@dataclass(frozen=True, slots=True)
class BuildList:
    """Fills a target with the first list that a gatherer finds."""

    target: str
    gather: tuple[Gather, ...]

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the target unless it is there."""
        if self.target in attributes:
            return
        tried = 0
        for gather in self.gather:
            found = gather(documents)
            if found:
                attributes[self.target] = dump(found)
                return
            tried += found is not None
        if tried:
            tally["unmapped"] += 1


@dataclass(frozen=True, slots=True)
class Conform:
    """Brings what stands in a messages attribute into the parts schema."""

    target: str
    always: bool
    """Whether the dialect is known to write another form; else only what is no JSON array is touched."""

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if isinstance(value, str) and value[:1] == "[" and not self.always:
            return
        role = "assistant" if self.target.endswith("output.messages") else "user"
        messages = to_messages(parse_text(value), role)
        if messages:
            attributes[self.target] = dump(messages)
        else:
            tally["unmapped"] += 1


@dataclass(frozen=True, slots=True)
class ConformInstructions:
    """Brings system instructions that are plain text into the form of parts."""

    target: str

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if not (isinstance(value, str) and value[:1] == "["):
            parts = content_parts(value)
            if parts:
                attributes[self.target] = dump(parts)


@dataclass(frozen=True, slots=True)
class Flattened:
    """Gathers messages from indexed keys."""

    keys: FlatKeys
    role: str
    nested_json: bool

    def __call__(self, documents: Documents) -> list[Message]:
        """The messages."""
        found = self.keys.build(documents.attributes)
        return [
            to_message(entry, self.role, nested_json=self.nested_json) for entry in found if isinstance(entry, dict)
        ]


@dataclass(frozen=True, slots=True)
class InJson:
    """Gathers messages from JSON text."""

    source: Source
    role: str

    def __call__(self, documents: Documents) -> list[Message] | None:
        """The messages."""
        found = documents.read(Source(self.source.key, self.source.path or ()))
        return to_messages(found, self.role) if found else None


@dataclass(frozen=True, slots=True)
class Composed:
    """Gathers one output message from several attributes."""

    text: tuple[str, ...]
    reasoning: tuple[str, ...]
    tool_calls: tuple[str, ...]
    structure: tuple[str, ...]
    finish_reason: tuple[str, ...]

    def __call__(self, documents: Documents) -> list[Message] | None:
        """The message, in a list."""
        reasoning, text = _first(documents, self.reasoning), _first(documents, self.text)
        calls = parse_text(_first(documents, self.tool_calls))
        parts = [{"type": "reasoning", "content": reasoning}] if isinstance(reasoning, str) and reasoning else []
        parts += content_parts(text if isinstance(text, str) else None)
        parts += content_parts(_first(documents, self.structure)) if not parts else []
        parts += [tool_call_part(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
        if not parts:
            return None
        reason = finish_reason(_first(documents, self.finish_reason))
        return [{"role": "assistant", "parts": parts} | ({"finish_reason": reason} if reason else {})]


def _first(documents: Documents, keys: tuple[str, ...]) -> Any:
    return next((documents.attributes[key] for key in keys if documents.attributes.get(key)), None)


@dataclass(frozen=True, slots=True)
class FlattenedTools:
    """Gathers tool definitions from indexed keys, or from an array or list of JSON texts."""

    keys: FlatKeys
    items: str = ""
    source: Source | None = None

    def __call__(self, documents: Documents) -> list[dict[str, Any]] | None:
        """The definitions in the conventions' form."""
        listed = self._listed(documents)
        return [definition for found in listed if (definition := tool_definition(found))] if listed else None

    def _listed(self, documents: Documents) -> list[Any]:
        if self.source is not None:
            found = documents.read(Source(self.source.key, self.source.path or ()))
        else:
            found = documents.attributes.get(self.items) if self.items else self.keys.build(documents.attributes)
        return found if isinstance(found, list) else []
