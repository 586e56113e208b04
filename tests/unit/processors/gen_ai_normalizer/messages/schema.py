"""The conventions' JSON schemas of messages, in short: what every part, message and instruction must have."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator


def _part(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "properties": {"type": {"const": kind}, "id": {"type": ["string", "null"]}, **properties},
        "required": ["type", *(name for name in properties if name not in {"arguments", "mime_type"})],
    }


_TEXT = {"type": "string"}
_OBJECT = {"type": "object", "required": ["type"], "properties": {"type": _TEXT}}
_KNOWN = {
    "text": _part("text", content=_TEXT),
    "reasoning": _part("reasoning", content=_TEXT),
    "tool_call": _part("tool_call", name=_TEXT, arguments={}),
    "tool_call_response": _part("tool_call_response", response={}),
    "server_tool_call": _part("server_tool_call", name=_TEXT, server_tool_call=_OBJECT),
    "server_tool_call_response": _part("server_tool_call_response", server_tool_call_response=_OBJECT),
    "blob": _part("blob", modality=_TEXT, content=_TEXT, mime_type=_TEXT),
    "uri": _part("uri", modality=_TEXT, uri=_TEXT, mime_type=_TEXT),
    "file": _part("file", modality=_TEXT, file_id=_TEXT, mime_type=_TEXT),
}
_PART = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": _TEXT},
    "allOf": [{"if": {"properties": {"type": {"const": kind}}}, "then": rule} for kind, rule in _KNOWN.items()],
}
_MESSAGE = {
    "type": "object",
    "required": ["role", "parts"],
    "properties": {
        "role": _TEXT,
        "parts": {"type": "array", "items": _PART},
        "name": {"type": ["string", "null"]},
        "finish_reason": _TEXT,
    },
}
_MESSAGES = Draft202012Validator({"type": "array", "items": _MESSAGE})
_PARTS = Draft202012Validator({"type": "array", "items": _PART})


def check_messages(messages: Any) -> None:
    """Raise an AssertionError that says where messages are not as the conventions want them."""
    errors = [f"{error.json_path}: {error.message}" for error in _MESSAGES.iter_errors(messages)]
    assert not errors, errors


def check_parts(parts: Any) -> None:
    """Raise an AssertionError that says where parts are not as the conventions want them."""
    errors = [f"{error.json_path}: {error.message}" for error in _PARTS.iter_errors(parts)]
    assert not errors, errors
