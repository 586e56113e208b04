"""One message, in the shape of any provider's API or library, as a message of the conventions' schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from processors.gen_ai_normalizer.knowledge.vocabulary import finish_reason
from processors.gen_ai_normalizer.messages.parts import content_parts, in_schema, nested_items, text_part
from processors.gen_ai_normalizer.messages.tools import Part, rest, tool_call_part, tool_response_part
from processors.gen_ai_normalizer.messages.words import (
    FINISH_REASON,
    FINISH_REASON_IN,
    ITEM_ROLES,
    METADATA,
    NO_ROLES,
    REASONING_ROLES,
    is_role,
    role_of,
)

Message = dict[str, Any]

_SERVER_ITEM_ENDS: Final = ("_call", "_list_tools", "_approval_request", "_approval_response")
_CONTENT: Final = ("parts", "content", "_content", "contents", "blocks", "items", "message", "text", "Items", "Content")
_REASONING: Final = ("reasoning_content", "reasoning", "thinking", "thinking_blocks", "reasoning_details", "tool_plan")
_CALLS: Final = ("tool_calls", "toolCalls", "invalid_tool_calls")
_HAS_CONTENT: Final = frozenset({*_CONTENT, *_REASONING, *_CALLS, "function_call", "refusal", "images", "tool_results"})
_TAKEN: Final = METADATA | {*_CALLS, "function_call", "function_call_name", "function_call_arguments_json", "refusal"}
_ANSWER_KINDS: Final = frozenset({"tool_call_response", "server_tool_call_response"})


def role_of_item(kind: Any) -> str | None:
    """The role of an item of the Responses API that stands for itself; None for what is no such item."""
    if not isinstance(kind, str):
        return None
    return ITEM_ROLES.get(kind) or ("assistant" if kind.endswith(_SERVER_ITEM_ENDS) else None)


def is_message(value: dict[str, Any]) -> bool:
    """Whether a mapping is a message rather than a request or a response around some."""
    if any(isinstance(value.get(key), str) for key in ("role", "_role", "Role")):
        return True
    if any(isinstance(value.get(key), dict) for key in ("role", "Role")) or isinstance(value.get("parts"), list):
        return not _HAS_CONTENT.isdisjoint(value)
    kind = value.get("type")
    if role_of_item(kind) is not None:
        return True
    return is_role(kind) and not _HAS_CONTENT.isdisjoint(value)


def to_message(value: dict[str, Any], role: str = "user", *, nested_json: bool = False) -> Message:
    """One message; one that is in the schema already is not changed."""
    said = value.get("role")
    parts = value.get("parts")
    if isinstance(said, str) and isinstance(parts, list) and all(map(in_schema, parts)) and _is_plain(value):
        return value
    if isinstance(said, str) and said.lower() in REASONING_ROLES and isinstance(value.get("content"), str):
        value = {**value, "role": "assistant", "content": None, "reasoning_content": value["content"]}
    found_role = _role(value, role)
    message: Message = {"role": found_role, "parts": _parts(value, found_role, nested_json=nested_json)}
    name = value.get("name") or value.get("source")
    if isinstance(name, str) and name and found_role != "tool":
        message["name"] = name
    reason = finish_reason_of(value)
    if reason:
        message["finish_reason"] = reason
    return message


def _is_plain(value: dict[str, Any]) -> bool:
    return value.keys() <= _OWN_KEYS and is_role(value["role"]) and role_of(value["role"]) == value["role"]


_OWN_KEYS: Final = frozenset({"role", "parts", "name", "finish_reason"})


def _role(value: dict[str, Any], default: str) -> str:
    kind = value.get("type")
    of_item = role_of_item(kind)
    if of_item is not None and "role" not in value:
        return of_item
    for key in ("role", "_role", "Role"):
        role = value.get(key)
        if isinstance(role, dict):
            role = next((role[name] for name in ("value", "label", "Label") if name in role), None)
        if isinstance(role, str) and role.lower() not in NO_ROLES:
            return role_of(role)
    return role_of(kind) if isinstance(kind, str) and is_role(kind) else default


def finish_reason_of(value: dict[str, Any]) -> str | None:
    """Why a model stopped, where a message or choice says it."""
    for holder in (value, *(value.get(key) for key in FINISH_REASON_IN)):
        if isinstance(holder, dict):
            for key in FINISH_REASON:
                reason = holder.get(key)
                if isinstance(reason, dict):
                    reason = reason.get("reason") or reason.get("unified") or reason.get("value")
                found = finish_reason(reason) if reason else None
                if found:
                    return found
    return None


def _parts(value: dict[str, Any], role: str, *, nested_json: bool) -> list[Part]:
    if role_of_item(value.get("type")) is not None and "role" not in value:
        return content_parts([value])
    key = next((key for key in _CONTENT if value.get(key)), None)
    content = value[key] if key is not None else None
    if role == "tool":
        answered = content_parts(content) if isinstance(content, list | dict) else []
        if any(part.get("type") in _ANSWER_KINDS for part in answered):
            return [*answered, *_more(value, answered, {key})]
        return [_answer(value, key)]
    parts = list(_reasonings(value, nested_json=nested_json))
    parts += content_parts(content, nested_json=nested_json)
    return [*parts, *_more(value, parts, {key, *_REASONING})]


def _answer(value: dict[str, Any], key: str | None) -> Part:
    """The only part of a tool's message: the message itself is the answer."""
    said = {name: entry for name, entry in value.items() if name not in METADATA or name == "id"}
    if key not in (None, "content"):
        said["content"] = said.pop(key)
    return tool_response_part(said)


def _reasonings(value: dict[str, Any], *, nested_json: bool) -> Iterator[Part]:
    """The reasoning beside the content; what is said twice stands once."""
    said: set[str] = set()
    for key in _REASONING:
        found = value.get(key)
        if not found:
            continue
        items = nested_items(found) if nested_json and isinstance(found, str) else None
        if items:
            parts = content_parts([{"type": "reasoning", "content": items}])
        else:
            parts = [{"type": "reasoning", "content": found}] if isinstance(found, str) else content_parts(found)
        for part in parts:
            text = part.get("content")
            if not isinstance(text, str) or text not in said:
                yield part
            if isinstance(text, str):
                said.add(text)


def _more(value: dict[str, Any], parts: list[Part], used: set[str | None]) -> list[Part]:
    """What stands beside the content: calls that the content does not hold already, refusals, images, the rest."""
    found = [*_calls(value, parts), *_results(value)]
    refusal = value.get("refusal")
    if isinstance(refusal, str) and refusal:
        found.append({**text_part(refusal), "refusal": True})
    images = value.get("images")
    if isinstance(images, list):
        found += content_parts([{"type": "image", "data": i} if isinstance(i, str) else i for i in images])
        used |= {"images"}
    audio = value.get("audio")
    if isinstance(audio, dict):
        found += content_parts([{**audio, "type": "audio"}])
    if not (value.keys() <= _PLAIN_KEYS):
        texts = {text for part in parts if isinstance(text := part.get("content"), str)}
        for key, entry in value.items():
            if key not in used and key not in _DONE and entry and not _is_said(entry, texts):
                found += [{"type": key if key not in _OWN_TYPES else f"message_{key}", "content": entry}]
    return found


_PLAIN_KEYS: Final = frozenset(
    {"role", "content", "name", "parts", "tool_calls", "finish_reason", "refusal", "id", "type"}
)
_DONE: Final = _TAKEN | {"name", "parts", "tool_call_id", "tool_results", "audio"}
_OWN_TYPES: Final = frozenset({"text", "reasoning", "file", "blob", "uri", "compaction"})


def _is_said(entry: Any, texts: set[Any]) -> bool:
    """Whether a value beside the content repeats it, or says nothing."""
    if isinstance(entry, str):
        return entry in texts
    if isinstance(entry, list | dict):
        parts = content_parts(entry)
        return bool(parts) and all(part.get("type") == "text" and part.get("content") in texts for part in parts)
    return True


def _calls(value: dict[str, Any], parts: list[Part]) -> list[Part]:
    """The tool calls beside the content that the content does not hold already."""
    if value.keys() <= _NO_CALLS:
        return []
    listed: list[list[Any]] = []
    more = value.get("additional_kwargs")
    for holder in (value, more if isinstance(more, dict) else {}):
        for key in (*_CALLS, "function_call"):
            calls = holder.get(key)
            listed.append(calls if isinstance(calls, list) else [calls])
    if isinstance(value.get("function_call_name"), str):
        listed.append([{"name": value["function_call_name"], "arguments": value.get("function_call_arguments_json")}])
    known = [part for part in parts if part.get("type") in {"tool_call", "server_tool_call"}]
    return list(_new_calls(listed, known))


def _new_calls(lists: list[list[Any]], known: list[Part]) -> Iterator[Part]:
    """The calls of several lists, without those that an earlier list (or the content) has."""
    for calls in lists:
        built = [tool_call_part(call) for call in calls if isinstance(call, dict)]
        if len(built) * len(known) > _MOST_COMPARED:
            ids = {identity for other in known if isinstance(identity := other.get("id"), str)}
            new = [part for part in built if part.get("id") not in ids]
        else:
            new = [part for part in built if not any(_same_call(part, other) for other in known)]
        known = [*known, *new]
        yield from new


_NO_CALLS: Final = frozenset({"role", "content", "parts", "name", "finish_reason"})


_MOST_COMPARED: Final = 4096
"""Pairs of calls that are compared by what they say; of more, which no model makes at once, the ids must do."""


def _same_call(one: Part, other: Part) -> bool:
    """Whether two parts are one call: the same id, or where one has none the same name and arguments."""
    if one.get("id") and other.get("id"):
        return bool(one["id"] == other["id"])
    return one.get("name") == other.get("name") and one.get("arguments") == other.get("arguments")


def _results(value: dict[str, Any]) -> list[Part]:
    """Answers of tools that Cohere's first API lists beside the text."""
    results = value.get("tool_results")
    found: list[Part] = []
    for entry in results if isinstance(results, list) else []:
        if isinstance(entry, dict):
            call = entry.get("call")
            identity = {"id": call["id"]} if isinstance(call, dict) and call.get("id") else {}
            part = {"type": "tool_call_response", **identity, "response": entry.get("outputs")}
            found.append(rest(part, entry, frozenset({"outputs"})))
    return found
