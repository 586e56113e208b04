"""The texts of a record with their origins.

Source: OpenTelemetry GenAI conventions, JSON schemas of messages, instructions, documents and memory records; events of
their versions until 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from pipeline.signals import LogRecord, Span, Value
from processors.adversarial.lanes import Lane, Lanes
from processors.adversarial.tables import read_table
from processors.adversarial.verdict import Origin
from processors.gen_ai_normalizer.building.events import INPUT, INSTRUCTIONS, OUTPUT, TARGETS, MessageEvents
from processors.marks import DIALECT

ARGUMENTS: Final = "gen_ai.tool.call.arguments"
RESULT: Final = "gen_ai.tool.call.result"
DOCUMENTS: Final = "gen_ai.retrieval.documents"
_DOCUMENTS: Final = (DOCUMENTS, "gen_ai.memory.records")
_QUERY: Final = "gen_ai.retrieval.query.text"
_MEMORY_QUERY: Final = "gen_ai.memory.query.text"
READ: Final = frozenset({INPUT, OUTPUT, INSTRUCTIONS, ARGUMENTS, RESULT, *_DOCUMENTS, _QUERY, _MEMORY_QUERY})
"""Attributes of the conventions that are read on every record, each with the origin that it says."""
_EVENT_NAMES: Final = ("event.name", "event_name")
_GENERATIVE: Final = "gen_ai."

_SILENT: Final[frozenset[str]] = frozenset(read_table("fields.yaml")["silent"])
_SILENT_IN_CALLS: Final = _SILENT.difference(read_table("fields.yaml")["said_in_calls"])
_MEDIA: Final = frozenset({"blob", "file", "uri"})
_SAID: Final = frozenset({"content", "message", "tool_calls"})
_LONG_NAME: Final = 24
"""Keys of maps, and names and the like, that are longer may be sentences."""
_MOST_LEAVES: Final = 20_000
_DEEPEST_JSON: Final = 3


class Part(NamedTuple):
    """A text in a record.

    Attributes:
        text: what is examined; of a structure, its texts a line each.
        lane: its origin.
        value: the structure it was read from; None for a plain text.
    """

    text: str
    lane: Lane
    value: Any


PartTuple = tuple[str, Lane, Any]
"""A part as it is read: most pass, and nobody asks for their fields by name."""
Add = Callable[[PartTuple], None]


class PartReader:
    """Reads the parts of spans and log records; what stands in a record twice, original beside normalised, once."""

    def __init__(self, lanes: Lanes, events: MessageEvents, named: Mapping[str, Origin]) -> None:
        """Sort texts into `lanes`; `named`: more attributes to read."""
        of = lanes.of
        self._other, self._user, self._system = of[Origin.OTHER], of[Origin.USER], of[Origin.SYSTEM]
        self._assistant, self._document = of[Origin.ASSISTANT], of[Origin.DOCUMENT]
        self._call, self._past_call, self._tool = of[Origin.TOOL_CALL], lanes.past_calls, of[Origin.TOOL]
        roles = read_table("fields.yaml")["roles"]
        self._roles = {word: of[Origin(origin)] for origin, words in roles.items() for word in words}
        self._plain = [(_QUERY, self._user), (_MEMORY_QUERY, self._user)]
        self._plain += [(key, of[origin]) for key, origin in named.items()]
        self._keys = READ.union(named)
        self._events = events

    def of_span(self, span: Span) -> list[PartTuple]:
        """The parts of a span; in a conversation, and of a tool's call and its result, in their order."""
        attributes = span.attributes
        parts: list[PartTuple] = []
        if not self._keys.isdisjoint(attributes):
            self._attributes(attributes, parts.append)
        if not span.no_events and not (INPUT in attributes and OUTPUT in attributes) and span.pb.events:
            self._span_events(span, attributes, parts.append)
        return parts

    def of_log(self, record: LogRecord) -> list[PartTuple]:
        """The parts of a log record."""
        attributes = record.attributes
        parts: list[PartTuple] = []
        if not self._keys.isdisjoint(attributes):
            self._attributes(attributes, parts.append)
        name: Any = record.pb.event_name or next((attributes[key] for key in _EVENT_NAMES if key in attributes), "")
        if name.__class__ is str and name in self._events.names:
            self._event(name, record.body or attributes, attributes, parts.append)
        if not parts and (DIALECT in attributes or str(name).startswith(_GENERATIVE)):
            # What a library wrote that is known, in words that are not.
            self._structure(record.body, self._other, parts.append)
        return parts

    def _attributes(self, attributes: Mapping[str, Value], add: Add) -> None:
        get = attributes.get
        # In this order a call comes before what it was answered, and behind what it may come from.
        if (value := get(ARGUMENTS)) is not None:
            self._structure(value, self._call, add)
        if (value := get(INSTRUCTIONS)) is not None:
            self._parts(_tree(value), self._system, add, self._past_call)
        for key in _DOCUMENTS:
            if (value := get(key)) is not None:
                self._documents(_tree(value), add)
        if (value := get(INPUT)) is not None:
            self._messages(_tree(value), self._user, add, self._past_call)
        if (value := get(OUTPUT)) is not None:
            self._messages(_tree(value), self._assistant, add, self._call)
        if (value := get(RESULT)) is not None:
            self._structure(value, self._tool, add)
        for key, lane in self._plain:
            if (value := get(key)) is not None:
                self._structure(value, lane, add)

    def _messages(self, messages: Any, lane: Lane, add: Add, calls: Lane) -> None:
        """The parts of messages; `lane` is for those that do not say who speaks."""
        if messages.__class__ is not list:
            self._structure(messages, lane, add)
            return
        roles = self._roles
        for message in messages:
            try:
                speaker, parts = roles[message["role"]], message["parts"]
            except (KeyError, TypeError):
                self._odd_message(message, lane, add, calls)
            else:
                self._parts(parts, speaker, add, calls)

    def _odd_message(self, message: Any, lane: Lane, add: Add, calls: Lane) -> None:
        """A message that is none of the conventions', or whose speaker is not known."""
        if message.__class__ is not dict:
            self._structure(message, lane, add)
            return
        role = message.get("role")
        speaker = self._roles.get(role, self._other) if role.__class__ is str else lane
        if message.get("parts").__class__ is list:
            self._parts(message["parts"], speaker, add, calls)
        elif _SAID.isdisjoint(message):
            self._structure(message, speaker, add)
        else:
            self._old_message(message, speaker, add, calls)

    def _parts(self, parts: Any, lane: Lane, add: Add, calls: Lane) -> None:
        if parts.__class__ is not list:
            self._structure(parts, lane, add)
            return
        for part in parts:
            try:
                if part["type"] == "text":
                    text = part["content"]
                    if text.__class__ is str:
                        add((text, lane, None))
                        continue
            except (KeyError, TypeError):
                pass
            self._odd_part(part, lane, add, calls)

    def _odd_part(self, part: Any, lane: Lane, add: Add, calls: Lane) -> None:
        """A part that is no text, or not in the form of one."""
        if part.__class__ is not dict:
            self._structure(part, lane, add)
            return
        kind = part.get("type")
        if kind == "tool_call":
            self._structure(part.get("arguments"), calls, add)
        elif kind == "tool_call_response":
            self._structure(part.get("response", part.get("result")), self._tool, add)
        elif kind == "reasoning":
            self._structure(part.get("content"), self._assistant, add)
        elif kind == "server_tool_call":
            self._structure(part.get(kind), calls, add)
        elif kind == "server_tool_call_response":
            self._structure(part.get(kind), self._tool, add)
        elif kind.__class__ is not str or kind not in _MEDIA:
            self._structure(part, lane, add)

    def _old_message(self, message: Mapping[str, Any], lane: Lane, add: Add, calls: Lane) -> None:
        """A message as the conventions had it until 1.36, or as an API has it."""
        inner = _tree(message.get("message"))
        if isinstance(inner, dict):
            speaker = self._roles.get(str(inner.get("role")), lane)
            self._old_message(inner, speaker, add, calls)
        elif isinstance(inner, str):
            add((inner, lane, None))
        content = _tree(message.get("content"))
        if content.__class__ is list:
            self._parts(content, lane, add, calls)
        else:
            self._structure(content, lane, add)
        asked = _tree(message.get("tool_calls"))
        for call in asked if isinstance(asked, list) else ():
            if isinstance(call, dict):
                function = call.get("function")
                source = function if isinstance(function, dict) else call
                self._structure(source.get("arguments", source.get("args")), calls, add)

    def _documents(self, documents: Any, add: Add) -> None:
        for document in documents if isinstance(documents, list) else [documents]:
            self._structure(document, self._document, add)

    def _structure(self, value: Any, lane: Lane, add: Add) -> None:
        """A value of any shape as one part."""
        if value.__class__ is str:
            if "\\" not in value or value.lstrip()[:1] not in ("{", "["):
                add((value, lane, None))
                return
            value = _tree(value)
        if value is None:
            return
        leaves = (
            value
            if value.__class__ is str
            else "\n".join(leaves_of(value, _SILENT_IN_CALLS if lane.is_call else _SILENT))
        )
        if leaves:
            add((leaves, lane, value))

    # --- events

    def _span_events(self, span: Span, attributes: Mapping[str, Value], add: Add) -> None:
        names = self._events.names
        for event in span.events:
            name = event.pb.name
            if name in names:
                self._event(name, event.attributes, attributes, add)

    def _event(self, name: str, content: Any, attributes: Mapping[str, Value], add: Add) -> None:
        """An event of messages, unless they stand in the attributes of its record as well."""
        content = _tree(content)
        if name in self._events.details:
            if isinstance(content, dict) and content is not attributes:
                beside = {key: content[key] for key in TARGETS.values() if key in content and key not in attributes}
                self._attributes(beside, add)
            return
        rule = self._events.rules[name]
        if TARGETS[rule.target] in attributes or (rule.role == "system" and INSTRUCTIONS in attributes):
            return
        lane = self._roles[rule.role]
        calls = self._call if rule.target == "output" else self._past_call
        if not isinstance(content, dict):
            self._messages(content, lane, add, calls)
            return
        whole = next((content[key] for key in self._events.whole if content.get(key)), None)
        if whole is not None:
            self._messages(_tree(whole), lane, add, calls)
        else:
            self._messages([{"role": rule.role, **content}], lane, add, calls)


def _tree(value: Any) -> Any:
    """What JSON text says; the value itself where it is none."""
    if value.__class__ is not str or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def leaves_of(value: Any, silent: frozenset[str] = _SILENT) -> Iterator[str]:
    """The texts in a structure, JSON within them read, too; fields that only identify are left out if they do."""
    stack: list[tuple[Any, int]] = [(value, 0)]
    most = _MOST_LEAVES
    while stack and most:
        node, depth = stack.pop()
        most -= 1
        if isinstance(node, str):
            inner = _tree(node) if "\\" in node and depth < _DEEPEST_JSON else node
            if inner.__class__ is not str:
                stack.append((inner, depth + 1))
            elif node:
                yield node
        elif isinstance(node, dict):
            stack += [
                (entry, depth) for key, entry in reversed(node.items()) if key not in silent or _may_be_said(entry)
            ]
            yield from [key for key in node if len(key) > _LONG_NAME]
        elif isinstance(node, list):
            stack += [(entry, depth) for entry in reversed(node)]


def _may_be_said(value: Any) -> bool:
    """Whether what stands where a name should is more than one: somebody may have chosen it to be read."""
    if isinstance(value, str):
        return len(value) > _LONG_NAME and (" " in value or "\n" in value or not value.isascii())
    return isinstance(value, dict | list)
