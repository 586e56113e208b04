"""Steps that build messages, instructions and tool definitions as JSON text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any, Final, NamedTuple

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.vocabulary import finish_reason
from processors.gen_ai_normalizer.messages.chunks import join_chunks
from processors.gen_ai_normalizer.messages.flattened import FlattenedMessages
from processors.gen_ai_normalizer.messages.message import Message
from processors.gen_ai_normalizer.messages.parts import content_parts, nested_items
from processors.gen_ai_normalizer.messages.reading import read_text
from processors.gen_ai_normalizer.messages.shapes import offered_tool, to_conversation, to_instructions
from processors.gen_ai_normalizer.messages.texts import TextMessages, getter
from processors.gen_ai_normalizer.messages.tools import Part, tool_call_part, tool_definition
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.reading.documents import Documents, Source, differ
from processors.gen_ai_normalizer.reading.json_text import dump, parse_text

INSTRUCTIONS: Final = "gen_ai.system_instructions"


class Found(NamedTuple):
    """What stands in one place: messages (or tool definitions), and the instructions beside them."""

    entries: list[Any]
    instructions: Sequence[Part] = ()
    text: str = ""
    """The entries as JSON text, where that is known."""


Gather = Callable[[Documents], Found | None]
"""Reads a place of a record; nothing in it where the form is not known, None where there is nothing to read."""


@dataclass(frozen=True, slots=True)
class BuildList:
    """Fills a target with the first list that a gatherer finds, those that say something before others."""

    target: str
    gather: tuple[Gather, ...]
    apart: Callable[[Mapping[str, Any]], bool] | None = None
    """Whether the API of the record's provider takes what a leading system message says apart from the messages."""
    texts: TextMessages | None = None
    """Writes what the first of the gatherers would find, where that is texts alone."""

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the target, and instructions that stood beside it, unless they are there."""
        if self.target in attributes:
            return
        if self.texts is not None:
            written = self.texts.write(documents.attributes)
            if written is not None and not (written[1] and self._takes_apart(attributes)):
                attributes[self.target] = written[0]
                return
        found, tried = _first_found(self.gather, documents)
        if found is None:
            if tried:
                tally["unmapped"] += 1
            return
        if found.entries and found.entries[0].get("role") == "system" and self._takes_apart(attributes):
            found = _parted(found)
        if found.entries:
            attributes[self.target] = found.text or dump(found.entries)
        if found.instructions and INSTRUCTIONS not in attributes:
            attributes[INSTRUCTIONS] = dump(found.instructions)

    def _takes_apart(self, attributes: Attributes) -> bool:
        return INSTRUCTIONS not in attributes and self.apart is not None and self.apart(attributes)


def _parted(found: Found) -> Found:
    """What the leading system messages say as instructions."""
    leading = list(takewhile(lambda message: message.get("role") == "system", found.entries))
    parts = [part for message in leading for part in message["parts"]]
    return Found(found.entries[len(leading) :], [*found.instructions, *parts])


def _first_found(gather: tuple[Gather, ...], documents: Documents) -> tuple[Found | None, bool]:
    """The first place with content, else the first with anything; and whether there was something to read."""
    first: Found | None = None
    tried = False
    for read in gather:
        found = read(documents)
        if found is None:
            continue
        tried = True
        if found.instructions or _says_something(found.entries):
            return found, True
        if first is None and found.entries:
            first = found
    return first, tried


def _says_something(entries: list[Any]) -> bool:
    for entry in entries:  # noqa: SIM110 - the first says it, and a generator costs more than the look
        if entry.get("parts", True):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Conform:
    """Brings what stands in a messages attribute into the parts schema."""

    target: str
    always: bool
    """Whether the dialect is known to write another form; else only what does not look like the schema is touched."""
    gather: tuple[Gather, ...] = ()
    """Places of the same messages: calls that only they have are added."""
    chunks: bool = False
    """Whether they are the pieces of one."""
    nested_json: bool = False
    """Whether their texts may be items of content as JSON."""

    def fits(self, value: Any) -> bool:
        """Whether a value looks like messages in the schema."""
        if type(value) is not str or value[:1] != "[":
            return False
        if value == "[]":
            return True
        if self.nested_json and any(mark in value for mark in _NESTED):
            return False
        said = '"parts":' in value and '"type":' in value
        return said and (self.target[:13] != _OUTPUT_START or '"assistant"' in value)

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if not self.always and not self.gather and self.fits(value):
            return
        role = "assistant" if self.target.startswith(_OUTPUT_START) else "user"
        read = read_text(value)
        messages, instructions = to_conversation(read, role)
        if isinstance(read, list) and any(_says_nothing_known(entry, role) for entry in read):
            # What is not known stays, and what stands beside it stays with it.
            tally["unmapped"] += 1
            return
        if self.gather:
            messages = self._with_calls(messages, documents)
        if self.chunks:
            messages = join_chunks(messages)
        if self.nested_json:
            messages = [{**said, "parts": [part for p in said["parts"] for part in _opened(p)]} for said in messages]
        if not messages:
            tally["unmapped"] += bool(read)
        elif differ(messages, read) or not isinstance(value, str):
            attributes[self.target] = dump(messages)
        if instructions and INSTRUCTIONS not in attributes:
            attributes[INSTRUCTIONS] = dump(instructions)

    def _with_calls(self, messages: list[Message], documents: Documents) -> list[Message]:
        """The messages with what other places know of them: all where these say nothing, else calls of tools."""
        found, _ = _first_found(self.gather, documents)
        if found is None or not _says_something(found.entries):
            return messages
        if len(messages) != len(found.entries):
            return messages if _says_something(messages) else found.entries
        return [_merged(*pair) for pair in zip(messages, found.entries, strict=True)]


_NESTED: Final = ('"{\\"', '"[{\\"')
"""Beginnings of JSON within JSON text."""
_OUTPUT_START: Final = "gen_ai.output"


def _says_nothing_known(entry: Any, role: str) -> bool:
    """Whether an entry of a list of messages would be lost."""
    if not isinstance(entry, dict) or not entry or "role" in entry or "parts" in entry:
        return False
    found = to_conversation(entry, role)
    return not found.messages and not found.instructions


def _opened(part: Part) -> list[Part]:
    """A part whose text is an item of content that a library wrote as JSON: as that item; other parts as they are."""
    content, kind = part.get("content"), part.get("type")
    items = nested_items(content) if kind in {"text", "reasoning"} and isinstance(content, str) else None
    if not items:
        return [part]
    if kind == "reasoning":
        return content_parts([{"type": "reasoning", "content": items}])
    found = content_parts(items)
    return found if any(entry.get("type") != "text" for entry in found) else [part]


def _merged(message: Message, other: Message) -> Message:
    """A message with the parts of another report of it that it lacks altogether, or with its calls."""
    parts = message["parts"]
    if not parts:
        return {**message, "parts": other["parts"]}
    if any(part.get("type") == "tool_call" for part in parts):
        return message
    calls = [part for part in other["parts"] if part.get("type") == "tool_call"]
    return {**message, "parts": [*parts, *calls]} if calls else message


@dataclass(frozen=True, slots=True)
class ConformInstructions:
    """Brings system instructions that are plain text or messages into the form of parts."""

    target: str

    def fits(self, value: Any) -> bool:
        """Whether a value looks like parts."""
        return type(value) is str and value[:1] == "[" and '"content":' in value and '"type":' in value

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Rewrite the target where its form is another."""
        value = attributes[self.target]
        if self.fits(value):
            return
        read = read_text(value)
        parts = to_instructions(read)
        if parts and (differ(parts, read) or not isinstance(value, str)):
            attributes[self.target] = dump(parts)


class Flattened:
    """Gathers messages from indexed keys."""

    __slots__ = ("_joined", "_messages", "texts")

    def __init__(self, keys: FlatKeys, role: str, nested_json: bool, *, joined: bool = False) -> None:
        """Plan for the keys of one shape of record; `joined`: what they hold is one message."""
        self._messages = FlattenedMessages(keys, role, nested_json=nested_json)
        self._joined = joined
        self.texts = None if joined else self._messages.texts
        """Writes the messages at once, where they are texts alone."""

    def __call__(self, documents: Documents) -> Found | None:
        """The messages."""
        found = self._messages.read(documents.attributes)
        if self._joined and found:
            found = [{**found[0], "parts": [part for message in found for part in message["parts"]]}]
        return Found(found) if found else None


@dataclass(frozen=True, slots=True)
class InJson:
    """Gathers messages from JSON text."""

    source: Source
    role: str
    chunks: bool = False
    """Whether they are the pieces of one."""

    def __call__(self, documents: Documents) -> Found | None:
        """The messages, and the instructions of the request they stand in."""
        found = documents.read(self.source)
        if isinstance(found, int | float):
            # An answer that is a number or a truth is text that happens to be JSON.
            found = str(found) if self.source.path else documents.attributes.get(self.source.key)
        if isinstance(found, str):
            found = read_text(found)
        if not found:
            return None
        messages, instructions = to_conversation(found, self.role)
        return Found(join_chunks(messages) if self.chunks else messages, instructions)


@dataclass(frozen=True, slots=True)
class Composed:
    """Gathers one output message from several attributes."""

    text: tuple[str, ...]
    reasoning: tuple[str, ...]
    tool_calls: tuple[str, ...]
    structure: tuple[str, ...]
    finish_reason: tuple[str, ...]

    def __call__(self, documents: Documents) -> Found | None:
        """The message, in a list."""
        reasoning, text = _first(documents, self.reasoning), _first(documents, self.text)
        calls = parse_text(_first(documents, self.tool_calls))
        parts = _reasoning_parts(reasoning)
        parts += content_parts(text)
        parts += content_parts(_first(documents, self.structure)) if not parts else []
        parts += [tool_call_part(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
        if not parts:
            return None
        reason = finish_reason(_first(documents, self.finish_reason))
        return Found([{"role": "assistant", "parts": parts} | ({"finish_reason": reason} if reason else {})])


def _reasoning_parts(value: Any) -> list[Part]:
    """Reasoning as text, or as JSON text of a list of items."""
    if not isinstance(value, str) or not value:
        return []
    read = parse_text(value) if value[:2] == "[{" else value
    if isinstance(read, list):
        parts = content_parts(read)
        return [{**part, "type": "reasoning"} if part.get("type") == "text" else part for part in parts]
    return [{"type": "reasoning", "content": value}]


def _first(documents: Documents, keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = documents.attributes.get(key)
        if value:
            return value
    return None


class FlattenedTools:
    """Gathers tool definitions from indexed keys, or from an array or list of JSON texts."""

    __slots__ = ("_among_messages", "_get", "_items", "_keys", "_room", "_source")

    def __init__(
        self, keys: FlatKeys, items: str = "", source: Source | None = None, among_messages: bool = False
    ) -> None:
        """Where the definitions stand: in `keys`, in the array `items`, or at `source`, maybe as what a tool says."""
        self._among_messages = among_messages
        self._keys = keys
        self._get = getter([key for key, _ in keys.paths])
        self._room = _LONGEST_KEPT - sum(len(key) for key, _ in keys.paths)
        self._items = items
        self._source = source

    def __call__(self, documents: Documents) -> Found | None:
        """The definitions in the conventions' form."""
        attributes = documents.attributes
        if self._source is not None:
            found = documents.read(self._source)
            return _tools(_offered(found) if self._among_messages else found)
        if self._items:
            return _tools(attributes.get(self._items))
        values = self._get(attributes)
        # An application offers the same tools in call after call.
        small = set(map(type, values)) == {str} and sum(map(len, values)) < self._room
        return _kept_tools(self._keys, values) if small else _tools(self._keys.build(attributes))


_LONGEST_KEPT: Final = 16_384
"""Characters of definitions, and of the keys that they stand in, that are remembered."""


@lru_cache(maxsize=256)
def _kept_tools(keys: FlatKeys, values: tuple[str, ...]) -> Found | None:
    names = (key for key, _ in keys.paths)
    found = _tools(keys.build(dict(zip(names, values, strict=True))))
    return found and found._replace(text=dump(found.entries))


def _offered(found: Any) -> list[Any]:
    return [tool for entry in found if (tool := offered_tool(entry))] if isinstance(found, list) else []


def _tools(found: Any) -> Found | None:
    if isinstance(found, dict):
        # Tools by their name, as some APIs take them.
        found = [{"name": name, **entry} for name, entry in found.items() if isinstance(entry, dict)]
    if not isinstance(found, list) or not found:
        return None
    return Found([definition for entry in found if (definition := tool_definition(entry))])
