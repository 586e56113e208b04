"""Conversations, in the shape of any provider's API or library, as messages of the conventions' schema."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final, NamedTuple

from processors.gen_ai_normalizer.messages.chunks import join_chunks
from processors.gen_ai_normalizer.messages.message import (
    Message,
    finish_reason_of,
    is_message,
    role_of_item,
    to_message,
)
from processors.gen_ai_normalizer.messages.parts import content_parts, is_content, text_part
from processors.gen_ai_normalizer.messages.reading import read_text
from processors.gen_ai_normalizer.messages.streams import read_stream
from processors.gen_ai_normalizer.messages.tools import Part
from processors.gen_ai_normalizer.messages.words import ENVELOPES, FINISH_REASON, INSTRUCTIONS, is_role, role_of
from processors.gen_ai_normalizer.reading.json_text import dump

__all__ = ["Conversation", "Message", "to_conversation", "to_instructions", "to_message", "to_messages"]

_MAX_DEPTH: Final = 12
_CHOICE: Final = "gen_ai.choice"
_EVENT_INDEX: Final = "gen_ai.message.index"
_EVENT_ROLES: Final = ("gen_ai.", ".message")


class Conversation(NamedTuple):
    """Messages, and the instructions that an API takes beside them."""

    messages: list[Message]
    instructions: list[Part]


def to_messages(value: Any, role: str = "user", *, nested_json: bool = False) -> list[Message]:
    """Messages out of a list, a request, a response or a text; empty where there are none to see."""
    return to_conversation(value, role, nested_json=nested_json).messages


def to_conversation(value: Any, role: str = "user", *, nested_json: bool = False) -> Conversation:
    """Messages and instructions out of a list, a request, a response or a text."""
    reader = _Reader(nested_json=nested_json)
    messages = reader.read(value, role, 0)
    return Conversation(messages, reader.instructions)


def offered_tool(message: Any) -> dict[str, Any] | None:
    """The definition of a tool that stands among messages, as what the tool says; None for a message."""
    if not isinstance(message, dict) or message.get("role") != "tool" or "tool_call_id" in message:
        return None
    content = message.get("content")
    if not isinstance(content, dict):
        return None
    defines = isinstance(content.get("function"), dict) or ("name" in content and not _SCHEMAS.isdisjoint(content))
    return content if defines else None


_SCHEMAS: Final = frozenset({"parameters", "input_schema", "args_schema"})


def to_instructions(value: Any) -> list[Part]:
    """The parts of system instructions, also where they are messages."""
    entries = value if isinstance(value, list) else [value]
    messages = [entry for entry in entries if isinstance(entry, dict) and is_message(entry)]
    if messages and len(messages) == len(entries):
        return [part for message in messages for part in to_message(message, "system")["parts"]]
    if isinstance(value, dict) and isinstance(value.get("parts"), list):
        value = value["parts"]
    return content_parts(value)


class _Reader:
    """One conversation in the making."""

    __slots__ = ("_instructed", "_nested_json", "instructions")

    def __init__(self, *, nested_json: bool) -> None:
        self._nested_json = nested_json
        self._instructed: set[str] = set()
        self.instructions: list[Part] = []

    def read(self, value: Any, role: str, depth: int) -> list[Message]:
        if depth > _MAX_DEPTH:
            return []
        if isinstance(value, str):
            return self._of_text(value, role, depth)
        if isinstance(value, list):
            return self._of_list(value, role, depth)
        return self._of_mapping(value, role, depth) if isinstance(value, dict) else []

    def _of_text(self, text: str, role: str, depth: int) -> list[Message]:
        """A message of text; JSON text inside JSON is read where messages are in it."""
        inner = read_text(text)
        if inner is not text and isinstance(inner, dict | list) and _is_deep(inner):
            found = self.read(inner, role, depth + 1)
            if found:
                return found
        return [{"role": role, "parts": [text_part(text)]}] if text else []

    def _of_list(self, entries: list[Any], role: str, depth: int) -> list[Message]:
        if len(entries) == _PAIR and is_role(entries[0]) and isinstance(entries[1], str | list) and depth:
            return [{"role": role_of(entries[0]), "parts": content_parts(entries[1])}]
        if entries and isinstance(entries[0], dict):
            first = entries[0]
            if all(isinstance(entry, dict) and _is_bare_content(entry) for entry in entries):
                return [{"role": role, "parts": content_parts(entries)}]
            if _EVENT_INDEX in first or "event.name" in first:
                return self._of_events(entries, role, depth)
            streamed = read_stream(entries)
            if streamed is not None:
                return streamed
            if all(map(_is_chunk, entries)):
                return join_chunks([found for entry in entries for found in self.read(entry, "assistant", depth + 1)])
        found: list[Message] = []
        open_item = False
        joined: list[Part] | None = None
        for entry in entries:
            if offered_tool(entry) is not None:
                continue
            is_item = isinstance(entry, dict) and "role" not in entry and role_of_item(entry.get("type")) is not None
            messages = self.read(entry, role, depth + 1)
            follows = open_item and found and messages and found[-1]["role"] == messages[0]["role"] == "assistant"
            if follows and (is_item or _is_response_message(entry)):
                if found[-1]["parts"] is not joined:
                    joined = found[-1]["parts"] = [*found[-1]["parts"]]
                joined += messages[0]["parts"]
                messages = messages[1:]
            found += messages
            open_item = is_item or _is_response_message(entry)
        return found

    def _of_events(self, entries: list[Any], role: str, depth: int) -> list[Message]:
        """Events of the conventions before 1.37 as a list: those of one index and role are one message."""
        found: list[Message] = []
        events = _of_side([entry for entry in entries if isinstance(entry, dict)], role)
        for _, group in groupby(
            enumerate(events), key=lambda pair: (pair[1].get(_EVENT_INDEX, pair[0]), _event_role(pair[1], role))
        ):
            messages = [message for _, event in group for message in self._of_event(event, role, depth)]
            if messages:
                parts = [part for message in messages for part in message["parts"]]
                found.append({**messages[0], **messages[-1], "parts": parts})
        return found

    def _of_event(self, event: dict[str, Any], role: str, depth: int) -> list[Message]:
        said = {key: value for key, value in event.items() if key not in _EVENT_KEYS}
        inner = said.get("message")
        if isinstance(inner, dict):
            return self.read({**said, "message": {"role": _event_role(event, role), **inner}}, role, depth + 1)
        return [to_message({"role": _event_role(event, role), **said}, role)]

    def _of_mapping(self, value: dict[str, Any], role: str, depth: int) -> list[Message]:
        inner = _unwrapped(value)
        if inner is not None:
            return self.read(inner, role, depth + 1)
        if isinstance(value.get("parts"), list) and value.get("kind") in _KINDS:
            return _by_part_kind(value, role)
        if is_message(value) and not _is_request(value):
            return [to_message(value, role, nested_json=self._nested_json)]
        if isinstance(value.get("type"), str) and is_content(value):
            return [_with_reason({"role": role, "parts": content_parts(value)}, value)]
        found = self._of_envelope(value, role, depth)
        if found:
            self._take_instructions(value)
            return found
        if isinstance(value.get("text"), str):
            return [to_message(value, role, nested_json=self._nested_json)]
        if is_content(value):
            return [_with_reason({"role": role, "parts": content_parts(value)}, value)]
        content = value.get("content")
        if isinstance(content, dict | list) and content:
            return [
                _with_reason(message, value) for message in self.read(content, _answer_role(value, role), depth + 1)
            ]
        if isinstance(content, str) and content:
            return [to_message(value, role, nested_json=self._nested_json)]
        return []

    def _of_envelope(self, value: dict[str, Any], role: str, depth: int) -> list[Message]:
        for key, expected in ENVELOPES.items():
            inner = value.get(key)
            if not inner or not isinstance(inner, dict | list | str):
                continue
            below = role if expected is None else expected
            found = self.read(inner, below, depth + 1)
            if found:
                found = [*self._before(value, key, depth), *found]
                return [*found[:-1], _with_reason(found[-1], value)] if key in _ONE else found
        return []

    def _before(self, value: dict[str, Any], key: str, depth: int) -> list[Message]:
        """The turns that an API takes beside the newest message."""
        history = value.get("chat_history") if key == "message" else None
        return self.read(history, "user", depth + 1) if isinstance(history, list) else []

    def _take_instructions(self, value: dict[str, Any]) -> None:
        for path in INSTRUCTIONS:
            found: Any = value
            for step in path:
                found = found.get(step) if isinstance(found, dict) else None
            if found and isinstance(found, str | list | dict):
                for part in to_instructions(found):
                    text = dump(part)
                    if text not in self._instructed:
                        self._instructed.add(text)
                        self.instructions.append(part)


_PAIR: Final = 2
_EVENT_KEYS: Final = frozenset({_EVENT_INDEX, "event.name", "event_name", "gen_ai.system"})
_ENDED: Final = frozenset(FINISH_REASON)
_KINDS: Final = ("request", "response")
_ONE: Final = frozenset(
    {"message", "output", "response", "generation", "completion", "outputText", "delta", "data", "generated_text"}
)
"""Keys that hold a single answer, beside which stands why it ended."""


def _is_bare_content(entry: dict[str, Any]) -> bool:
    """Whether a mapping is an item of content that stands where a message could."""
    return _ENDED.isdisjoint(entry) and not is_message(entry) and is_content(entry)


def _is_chunk(entry: Any) -> bool:
    """Whether a mapping is a piece of an answer: LangChain's chunks, and whole answers of Ollama that are not done."""
    if not isinstance(entry, dict):
        return False
    kind, identity = entry.get("type"), entry.get("id")
    name = identity[-1] if isinstance(identity, list) and identity else kind
    return name == "AIMessageChunk" or (isinstance(entry.get("done"), bool) and "message" in entry)


def _is_deep(value: Any) -> bool:
    """Whether JSON text inside JSON may hold messages: structures, not a word or number in brackets."""
    return any(isinstance(entry, dict) for entry in value) if isinstance(value, list) else bool(value)


def _is_response_message(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "message" and entry.get("role") == "assistant"


def _of_side(events: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """The events of the answer, or those before it, out of a list of both: choices, else what the model said last."""
    answers = role == "assistant"
    if any(event.get("event.name") == _CHOICE for event in events):
        return [event for event in events if (event.get("event.name") == _CHOICE) == answers]
    before = len(events)
    while before and _event_role(events[before - 1], "") == "assistant":
        before -= 1
    return events[before:] if answers else events[:before]


def _event_role(event: dict[str, Any], role: str) -> str:
    said = event.get("role")
    if isinstance(said, str) and said:
        return role_of(said)
    name = str(event.get("event.name") or event.get("event_name") or "")
    word = name.removeprefix(_EVENT_ROLES[0]).removesuffix(_EVENT_ROLES[1])
    return "assistant" if word == "choice" else role_of(word) if is_role(word) else role


def _is_request(value: dict[str, Any]) -> bool:
    """Whether a mapping with a role is more than one message (a request that repeats its last role)."""
    return isinstance(value.get("messages"), list)


def _answer_role(value: dict[str, Any], role: str) -> str:
    return "assistant" if any(key in value for key in (*FINISH_REASON, "index", "usage_metadata")) else role


def _with_reason(message: Message, beside: dict[str, Any]) -> Message:
    if "finish_reason" in message or message.get("role") != "assistant":
        return message
    reason = finish_reason_of(beside)
    return {**message, "finish_reason": reason} if reason else message


def _unwrapped(value: dict[str, Any]) -> Any:
    """What is inside the serialised forms of LangChain."""
    kwargs, data = value.get("kwargs"), value.get("data")
    if isinstance(kwargs, dict) and isinstance(value.get("id"), list) and value["id"]:
        return {"type": str(value["id"][-1]), **kwargs}
    if isinstance(data, dict) and is_role(value.get("type")):
        return {**data, "type": value["type"]}
    return None


def _by_part_kind(value: dict[str, Any], role: str) -> list[Message]:
    """A message of pydantic-ai, whose parts say who speaks."""
    spoken = [
        (_PART_ROLES.get(str(part.get("part_kind")), ""), part) for part in value["parts"] if isinstance(part, dict)
    ]
    default = "assistant" if value["kind"] == "response" else role
    return [
        _with_reason({"role": speaker or default, "parts": content_parts([part for _, part in group])}, value)
        for speaker, group in groupby(spoken, key=lambda pair: pair[0])
    ]


_PART_ROLES: Final = {
    "system-prompt": "system",
    "user-prompt": "user",
    "tool-return": "tool",
    "retry-prompt": "tool",
}
