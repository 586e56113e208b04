"""Messages that stand in events become the messages of the record that carries them.

Three encodings: log records with map bodies, log records with JSON text as body, and span events with the fields as
attributes. Source: `data/message_events.yaml`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from pipeline.signals import Event, LogRecord, Record, Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.rules import load_table
from processors.gen_ai_normalizer.knowledge.vocabulary import finish_reason
from processors.gen_ai_normalizer.messages.parts import content_parts
from processors.gen_ai_normalizer.messages.shapes import Message, to_message, to_messages
from processors.gen_ai_normalizer.reading.beside import Beside, Occurrence
from processors.gen_ai_normalizer.reading.documents import Documents
from processors.gen_ai_normalizer.reading.json_text import dump, parse_structure

INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
INSTRUCTIONS: Final = "gen_ai.system_instructions"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
MOVED_PREFIX: Final = "penstock.original."
"""Where `originals: move` puts what was read."""
_SAID_ELSEWHERE: Final = frozenset({"gen_ai.system", "gen_ai.provider.name"})
"""Attributes of an event that its span has too."""
_BESIDE_A_MESSAGE: Final = ("finish_reason", "tool_calls")
"""Fields of a choice that may stand beside its message."""
_ABOUT: Final = frozenset({"role", "index", "finish_reason", "id", "name", "message"})
"""Fields of a message that are not what it says."""
TARGETS: Final = {"input": INPUT, "output": OUTPUT, "instructions": INSTRUCTIONS}


class EventRule(NamedTuple):
    """What an event holds, and whose words they are."""

    target: str
    role: str


class MessageEvents:
    """The table of events that carry messages."""

    def __init__(self) -> None:
        """Read the table."""
        table = load_table("message_events")
        self.rules: dict[str, EventRule] = {name: EventRule(**rule) for name, rule in table["events"].items()}
        self.details = frozenset(table["details"])
        self.names = self.details | self.rules.keys()
        self.whole: tuple[str, ...] = tuple(table["whole"])
        self.fields: tuple[str, ...] = tuple(table["fields"])
        self.loggers: dict[str, str] = table["loggers"]
        """Names of events by the loggers that write nothing else."""
        self.separate_instructions = frozenset(table["separate_instructions"])


@cache
def message_events() -> MessageEvents:
    """The table, read once."""
    return MessageEvents()


def takes_apart(provider: str, attributes: Mapping[str, Any]) -> bool:
    """Whether the API of a record's provider, which its attribute names, takes instructions apart from messages."""
    return attributes.get(provider) in message_events().separate_instructions


@dataclass(slots=True)
class _Found:
    """What the events of a record say, by target, each with the events that said it."""

    said: dict[str, list[Any]] = field(default_factory=dict)
    by: dict[str, list[Occurrence]] = field(default_factory=dict)

    def add(self, target: str, entries: list[Any], event: Occurrence) -> None:
        """Note what an event says."""
        self.said.setdefault(target, []).extend(entries)
        self.by.setdefault(target, []).append(event)


@dataclass(frozen=True, slots=True)
class FromEvents:
    """Fills messages and instructions from the events of a record, where its attributes do not say them."""

    provider: str
    """The attribute of the provider: some take system instructions apart from the messages."""

    def run(self, attributes: Attributes, documents: Documents, tally: Counter[str]) -> None:
        """Write the targets that are not there, and why the choices ended."""
        beside = documents.beside
        if beside is None:
            return
        apart = takes_apart(self.provider, attributes)
        whole, single = _Found(), _Found()
        for event in beside.events:
            if event.name in message_events().details or event.body is not None:
                _read_details(event, whole)
            if event.name in message_events().rules and not _read_message(event, single, apart=apart):
                tally["unmapped"] += 1
        for target in TARGETS.values():
            found = whole if target in whole.said else single
            if target not in attributes and target in found.said:
                attributes[target] = dump(found.said[target])
                for event in found.by[target]:
                    event.rebuilt = True
        reasons = whole.said.get(FINISH_REASONS) or single.said.get(FINISH_REASONS)
        if reasons and FINISH_REASONS not in attributes:
            attributes[FINISH_REASONS] = reasons


def _read_details(event: Occurrence, found: _Found) -> None:
    """An event with all of a call in it, under the names that the record's own attributes have."""
    structure = parse_structure(event.body)
    fields: Mapping[str, Any] = structure if isinstance(structure, dict) else event.fields
    for target in TARGETS.values():
        value = parse_structure(fields.get(target))
        if not value:
            continue
        if target == INSTRUCTIONS:
            entries: list[Any] = content_parts(value)
        else:
            entries = _with_content(to_messages(value, "assistant" if target == OUTPUT else "user"), found, event)
        if entries:
            event.read.add(target)
            found.add(target, entries, event)


def _with_content(messages: list[Message], found: _Found, event: Occurrence) -> list[Message]:
    """The messages that say something; why an answer ended is noted also where its content was not recorded."""
    reasons = [reason for message in messages if (reason := finish_reason(message.get("finish_reason")))]
    if reasons:
        found.add(FINISH_REASONS, reasons, event)
    return [message for message in messages if message["parts"]]


def _read_message(event: Occurrence, found: _Found, *, apart: bool) -> bool:
    """Note the message of an event; False where there is one in a form that is not known."""
    rule = message_events().rules[event.name]
    content = _content(event)
    if content is None:
        return True
    messages = _with_content(_messages(content, rule.role), found, event)
    if not messages:
        return _is_empty(parse_structure(content))
    if rule.target == "instructions" or (rule.role == "system" and apart):
        found.add(INSTRUCTIONS, [part for message in messages for part in message["parts"]], event)
    else:
        found.add(TARGETS[rule.target], messages, event)
    return True


def _content(event: Occurrence) -> Any:
    """What an event says: its body, the attribute that holds all of it, or its attributes as fields of a message."""
    table = message_events()
    if event.body is not None and event.body != "":
        return event.body
    fields = event.fields
    for key in table.whole:
        if fields.get(key):
            event.read.add(key)
            return fields[key]
    read: dict[str, Any] = {key: fields[key] for key in table.fields if key in fields}
    if not read.keys() & {"content", "message", "tool_calls"}:
        return None
    event.read.update(read)
    for key in ("message", "tool_calls"):
        if key in read:
            read[key] = parse_structure(read[key])
    return read


def _messages(content: Any, role: str) -> list[Message]:
    """Messages out of what an event says; a text, or a list of content, is one message."""
    structure = parse_structure(content)
    if isinstance(structure, dict):
        messages = to_messages(_choice(structure, role), role, nested_json=True)
    elif isinstance(structure, list) and not _are_messages(structure):
        messages = [to_message({"role": role, "content": structure}, role)]
    else:
        messages = to_messages(structure if isinstance(structure, list | str) else str(structure), role)
    if (
        isinstance(content, str)
        and structure
        and not any(message["parts"] or "finish_reason" in message for message in messages)
    ):
        return to_messages(content, role)
    return messages


def _is_empty(structure: Any) -> bool:
    """Whether an event says who spoke, and no more: its content was not recorded."""
    if not isinstance(structure, dict):
        return not structure
    inner = structure.get("message")
    fields = {**structure, **inner} if isinstance(inner, dict) else structure
    return not any(value for key, value in fields.items() if key not in _ABOUT)


def _choice(content: dict[str, Any], role: str) -> dict[str, Any]:
    """A message with the role that the event implies; a choice keeps why it ended beside its message."""
    message = content.get("message")
    if isinstance(message, dict):
        beside = {key: content.get(key) for key in _BESIDE_A_MESSAGE}
        return {**beside, **message, "role": message.get("role") or role}
    if isinstance(message, list | str) and message:
        beside = {key: value for key, value in content.items() if key != "message"}
        return {**beside, "content": message, "role": role}
    if isinstance(content.get("messages"), list):
        return content
    inner = content.get("content")
    if isinstance(inner, dict) and isinstance(inner.get("parts"), list):
        # Gemini's form of a message.
        return {"finish_reason": content.get("finish_reason"), **inner, "role": inner.get("role") or role}
    return {**content, "role": content.get("role") or role}


def _are_messages(content: list[Any]) -> bool:
    """Whether a list holds messages; some libraries put lists of tool calls among them."""
    return any(isinstance(entry, dict) and {"role", "parts", "kwargs", "_role"} & entry.keys() for entry in content)


def take_out(record: Record, beside: Beside, *, move: bool) -> None:
    """Remove what was rebuilt from events and bodies, or move it below `penstock.original.`; empty events go."""
    gone: list[Event] = []
    for event in beside.events:
        if not event.rebuilt:
            continue
        if event.body is not None and isinstance(record, LogRecord):
            if move:
                record.attributes[MOVED_PREFIX + "body"] = record.body
            record.body = None
        else:
            _take_fields(event, move=move)
            if isinstance(event.view, Event) and not event.fields.keys() - _SAID_ELSEWHERE:
                gone.append(event.view)
    if gone and isinstance(record, Span):
        record.remove_events(gone)


def _take_fields(event: Occurrence, *, move: bool) -> None:
    fields = event.fields
    for key in [key for key in fields if key in event.read]:
        value = fields.pop(key)
        if move:
            fields[MOVED_PREFIX + key] = value
