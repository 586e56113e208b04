"""Conversations, in the shape of any provider's API or library, as messages of the conventions' schema."""

from __future__ import annotations

from typing import Any, Final

from processors.gen_ai_normalizer.messages.parts import (
    Part,
    content_parts,
    text_part,
    tool_call_part,
    tool_response_part,
)
from processors.gen_ai_normalizer.vocabulary import finish_reason

Message = dict[str, Any]

_ROLES: Final = {
    "human": "user",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "function": "tool",
    "humanmessage": "user",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "systemmessage": "system",
    "toolmessage": "tool",
    "functionmessage": "tool",
}
_ENVELOPES: Final = ("messages", "generations", "choices", "candidates", "input", "output", "contents")
"""Keys below which requests and responses carry their messages."""
_BESIDE_A_CHOICE: Final = ("finish_reason", "finishReason", "generation_info")
_MAX_DEPTH: Final = 8


def to_messages(value: Any, role: str = "user", *, nested_json: bool = False, depth: int = 0) -> list[Message]:
    """Messages out of a list, a request, a response or a text; empty where there are none to see."""
    if depth > _MAX_DEPTH:
        return []
    if isinstance(value, str):
        return [{"role": role, "parts": [text_part(value)]}] if value else []
    if isinstance(value, list):
        return [
            found for entry in value for found in to_messages(entry, role, nested_json=nested_json, depth=depth + 1)
        ]
    return _of_mapping(value, role, nested_json=nested_json, depth=depth) if isinstance(value, dict) else []


def _of_mapping(value: dict[str, Any], role: str, *, nested_json: bool, depth: int) -> list[Message]:
    inner = _unwrapped(value)
    if inner is not None:
        return to_messages(inner, role, nested_json=nested_json, depth=depth + 1)
    if _is_message(value):
        return [to_message(value, role, nested_json=nested_json)]
    for key in ("message", "content"):
        if isinstance(value.get(key), dict):
            message = value[key] | {name: value[name] for name in _BESIDE_A_CHOICE if name in value}
            return to_messages(message, "assistant", nested_json=nested_json, depth=depth + 1)
    for key in _ENVELOPES:
        if isinstance(value.get(key), list | str) and value[key]:
            below = "assistant" if key in {"generations", "choices", "candidates", "output"} else role
            found = to_messages(value[key], below, nested_json=nested_json, depth=depth + 1)
            system = value.get("system") or value.get("instructions")
            return [*to_messages(system, "system"), *found] if isinstance(system, str) and found else found
    return []


def _unwrapped(value: dict[str, Any]) -> dict[str, Any] | None:
    """The message inside LangChain's serialised forms."""
    kwargs, data = value.get("kwargs"), value.get("data")
    if isinstance(kwargs, dict) and isinstance(value.get("id"), list) and value["id"]:
        return {"type": str(value["id"][-1]).lower(), **kwargs}
    if isinstance(data, dict) and isinstance(value.get("type"), str):
        return {**data, "type": value["type"]}
    return None


def _is_message(value: dict[str, Any]) -> bool:
    if any(isinstance(value.get(key), str) for key in ("role", "_role")) or isinstance(value.get("parts"), list):
        return True
    kind = value.get("type")
    if isinstance(kind, str) and (kind.lower() in _ROLES or kind in {"system", "tool"}):
        return "content" in value
    return isinstance(kind, str) and kind in _RESPONSES_ITEMS


_RESPONSES_ITEMS: Final = frozenset({"function_call", "function_call_output", "reasoning", "message"})
"""Items of OpenAI's Responses API that stand where a message stands."""


def to_message(value: dict[str, Any], role: str = "user", *, nested_json: bool = False) -> Message:
    """One message; one that is in the schema already is not changed."""
    found_role = _role(value, role)
    parts = _parts(value, found_role, nested_json=nested_json)
    message: Message = {"role": found_role, "parts": parts}
    name = value.get("name")
    if isinstance(name, str) and name and found_role != "tool":
        message["name"] = name
    reason = _finish_reason(value)
    if reason:
        message["finish_reason"] = reason
    return message


def _role(value: dict[str, Any], default: str) -> str:
    kind = value.get("type")
    if kind == "function_call_output":
        return "tool"
    if kind in {"function_call", "reasoning"}:
        return "assistant"
    role = value.get("role") or value.get("_role") or (kind if kind != "message" else None)
    if not isinstance(role, str):
        return default
    return _ROLES.get(role.lower(), role)


def _parts(value: dict[str, Any], role: str, *, nested_json: bool) -> list[Part]:
    if value.get("type") in {"function_call", "function_call_output", "reasoning"}:
        return content_parts([value])
    parts: list[Part] = []
    reasoning = value.get("reasoning_content") or value.get("reasoning")
    if isinstance(reasoning, str):
        parts.append({"type": "reasoning", "content": reasoning})
    content = next((value[key] for key in ("parts", "content", "contents", "text") if value.get(key)), None)
    if role == "tool" and "parts" not in value:
        content_is_answer = not (isinstance(content, list) and _has_answers(content))
        parts += [tool_response_part(value)] if content_is_answer else content_parts(content)
    else:
        parts += content_parts(content, nested_json=nested_json)
    parts += _calls(value, parts)
    refusal = value.get("refusal")
    return [*parts, text_part(refusal)] if isinstance(refusal, str) and refusal else parts


def _has_answers(content: list[Any]) -> bool:
    return any(isinstance(item, dict) and item.get("type") in {"tool-result", "tool_result"} for item in content)


def _calls(value: dict[str, Any], parts: list[Part]) -> list[Part]:
    """The tool calls beside the content that the content does not hold already."""
    calls = value.get("tool_calls") or value.get("toolCalls") or []
    single = value.get("function_call")
    listed = [*(calls if isinstance(calls, list) else []), *([single] if isinstance(single, dict) else [])]
    known = {part.get("id") for part in parts if part.get("type") == "tool_call" and part.get("id")}
    built = [tool_call_part(call) for call in listed if isinstance(call, dict)]
    return [part for part in built if part.get("id") not in known]


def _finish_reason(value: dict[str, Any]) -> str | None:
    for holder in (value, value.get("generation_info"), value.get("response_metadata")):
        if isinstance(holder, dict):
            reason = finish_reason(holder.get("finish_reason") or holder.get("finishReason"))
            if reason:
                return reason
    return None
