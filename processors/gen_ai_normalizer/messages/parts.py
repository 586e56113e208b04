"""Content of messages, in the shape of any provider's API, as parts of the conventions' schema.

Source: OpenTelemetry GenAI conventions, JSON schemas of input and output messages; APIs of OpenAI (chat, Responses),
Anthropic, Bedrock Converse, Gemini, Cohere, Mistral, and the message forms of Vercel AI SDK and LangChain.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import orjson

from processors.gen_ai_normalizer.messages.media import media_part
from processors.gen_ai_normalizer.messages.tools import (
    NOTHING,
    Item,
    Part,
    rest,
    server_call_parts,
    server_response_part,
    tool_call_part,
    tool_response_part,
)
from processors.gen_ai_normalizer.messages.words import KIND_KEYS, KINDS, KINDS_BY_KEY

_MAX_DEPTH: Final = 16


def text_part(text: str) -> Part:
    """A text part."""
    return {"type": "text", "content": text}


def content_parts(content: Any, *, nested_json: bool = False, depth: int = 0) -> list[Part]:
    """The parts of a message's content: text, a list of items, one item."""
    if isinstance(content, str):
        items = nested_items(content) if nested_json else None
        return content_parts(items) if items is not None else ([text_part(content)] if content else [])
    if isinstance(content, dict):
        return _item_parts(content, depth)
    if not isinstance(content, list):
        return [] if content is None else [text_part(str(content))]
    if depth > _MAX_DEPTH:
        return [{"type": "unknown", "items": content}]
    parts: list[Part] = []
    for item in content:
        if item.__class__ is dict and len(item) == _TEXT_FIELDS and item.get("type") == "text":
            text = item.get("text")
            if text.__class__ is str:
                parts += [{"type": "text", "content": text}] if text else []
                continue
        parts += content_parts(item, depth=depth + 1)
    return parts


_TEXT_FIELDS: Final = 2


def in_schema(part: Any) -> bool:
    """Whether a part has the form of the conventions, with nothing in it that has a better place."""
    if not isinstance(part, dict):
        return False
    kind = part.get("type", "")
    wanted = _SCHEMA.get(kind) if isinstance(kind, str) else None
    if wanted is None or wanted[0] not in part or not isinstance(part[wanted[0]], wanted[1]):
        return False
    if kind != "tool_call":
        return True
    arguments = part.get("arguments")
    return _FOREIGN_CALL.isdisjoint(part) and not (isinstance(arguments, str) and arguments[:1] in ("{", "["))


_SCHEMA: Final[dict[str, tuple[str, type]]] = {
    "text": ("content", str),
    "reasoning": ("content", str),
    "tool_call": ("name", str),
    "tool_call_response": ("response", object),
    "server_tool_call": ("server_tool_call", dict),
    "server_tool_call_response": ("server_tool_call_response", dict),
    "blob": ("content", str),
    "uri": ("uri", str),
    "file": ("file_id", str),
    "compaction": ("type", str),
}
"""The field by which a part of each type is known, and its type."""
_FOREIGN_CALL: Final = frozenset({"args", "input", "function", "toolName", "toolCallId", "call_id", "tool_call_id"})


def _item_parts(item: Item, depth: int) -> list[Part]:
    if in_schema(item):
        return [item]
    kind, word = _kind(item)
    if kind is None or depth > _MAX_DEPTH:
        return _generic(item)
    build = _BUILD[kind]
    for key in _INNER.get(kind, ()):
        inner = item.get(key)
        if isinstance(inner, dict):
            beside = {name: value for name, value in item.items() if name != key and name not in KIND_KEYS}
            return build(_Entry(inner, key, beside, depth))
    return build(_Entry(item, word, NOTHING, depth))


_INNER: Final[dict[str, tuple[str, ...]]] = {
    "tool_call": ("toolUse", "functionCall", "function_call", "tool_call", "toolCall", "content"),
    "tool_response": (
        "toolResult",
        "functionResponse",
        "function_response",
        "tool_call_result",
        "toolCallResult",
        "function_result",
    ),
    "reasoning": ("reasoningContent", "reasoning", "thinking"),
    "server_call": ("executableCode", "executable_code"),
    "server_response": ("codeExecutionResult", "code_execution_result"),
}
"""Keys beneath which an item may hold what it is, beside what more is said of it."""


def _kind(item: Item) -> tuple[str | None, str]:
    """What an item is, by the word that names its kind or by its keys; and that word or key."""
    for key in KIND_KEYS:
        word = item.get(key)
        if isinstance(word, str):
            found = KINDS.get(word) or _kind_of_word(word, item)
            if found is not None:
                return _thought(found, item), word
    for key, kind in KINDS_BY_KEY.items():
        if item.get(key) is not None:
            return _thought(kind, item), key
    return None, ""


def _kind_of_word(word: str, item: Item) -> str | None:
    lowered = word.lower()
    found = KINDS.get(lowered)
    if found is None and lowered.endswith("_tool_result"):
        return "server_response"
    if found is None and lowered.startswith(("tool-", "dynamic-tool")) and "toolCallId" in item:
        return "tool_state"
    return found


def _thought(kind: str, item: Item) -> str:
    return "reasoning" if kind == "text" and item.get("thought") is True else kind


def _generic(item: Item) -> list[Part]:
    """A part of a kind of its own; one that has the name of a known kind, and not its form, is of an unknown kind."""
    kind = next((item[key] for key in KIND_KEYS if isinstance(item.get(key), str) and item[key]), None)
    if kind is None or kind in _SCHEMA:
        kind = "unknown"
    return [item] if kind == item.get("type") else [{**item, "type": kind}]


def nested_items(text: str) -> list[Any] | None:
    """Content parts that were written as JSON text; None for a text that only looks like it."""
    if text[:1] not in ("[", "{") or not ('"type"' in text or _BY_FIRST_KEY.match(text) or text[:2] == "[]"):
        return None
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    items = [items] if isinstance(items, dict) else items
    return items if all(isinstance(item, dict) and _kind(item)[0] is not None for item in items) else None


_BY_FIRST_KEY: Final = re.compile(rf"""\[?\s*{{\s*"(?:{"|".join(map(re.escape, KINDS_BY_KEY))})"\s*:""")


class _Entry(NamedTuple):
    """An item of content on its way to a part."""

    item: Item
    word: str
    """The word or key by which its kind was known."""
    beside: Item
    """What an item that only holds another says beside it."""
    depth: int


def _text(entry: _Entry) -> list[Part]:
    item, beside = entry.item, entry.beside
    for key in ("text", "content", "Text", "guardContent", "citationsContent", "value"):
        found = item.get(key)
        if isinstance(found, dict):
            inner = next((found[name] for name in ("value", "text", "content") if name in found), None)
            found = inner["text"] if isinstance(inner, dict) and isinstance(inner.get("text"), str) else inner
        if isinstance(found, str):
            return [rest(text_part(found), item, _used(item, key), beside)] if found else []
        if isinstance(found, list):
            parts = content_parts(found, depth=entry.depth + 1)
            return [*parts[:-1], rest(dict(parts[-1]), item, _used(item, key), beside)] if parts else []
    return _generic(item)


def _used(item: Item, key: str) -> frozenset[str]:
    """Keys of an item that need not be kept beside the text; the mapping around a text stays where it says more."""
    around = item[key]
    is_all = not isinstance(around, dict) or around.keys() <= _TEXT_KEYS
    return _KIND_KEYS | {key} if is_all else _KIND_KEYS


_TEXT_KEYS: Final = frozenset({"text", "content", "value"})
_KIND_KEYS: Final = frozenset({*KIND_KEYS, "thought"})


def _refusal(entry: _Entry) -> list[Part]:
    item, beside = entry.item, entry.beside
    key = next((key for key in ("refusal", "text", "content") if isinstance(item.get(key), str)), None)
    if key is None:
        return _generic(item)
    return [rest({**text_part(item[key]), "refusal": True}, item, _KIND_KEYS | {key}, beside)]


def _reasoning(entry: _Entry) -> list[Part]:
    item, beside = entry.item, entry.beside
    texts: list[str] = []
    used = set(_KIND_KEYS)
    for key in _REASONING:
        value = item.get(key)
        found = _joined(value, entry.depth)
        if found is not None and (not texts or found in texts):
            used.add(key)
            texts.append(found)
            if isinstance(value, dict):
                beside = {**beside, **{name: said for name, said in value.items() if name != "text"}}
    content = texts[0] if texts else ""
    return [rest({"type": "reasoning", "content": content}, item, used, beside)]


_REASONING: Final = ("content", "thinking", "text", "reasoning", "reasoningText", "reasoning_text", "summary")


def _joined(value: Any, depth: int) -> str | None:
    """The text of reasoning: itself, or that of a list of items, a line each."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        texts = [entry if isinstance(entry, str) else _joined(entry, depth + 1) for entry in value]
        known = [text for text in texts if text]
        return "\n".join(known) if known and len(known) == len(value) else None
    return value if isinstance(value, str) and value else None


def _tool_call(entry: _Entry) -> list[Part]:
    return [tool_call_part(entry.item, entry.beside)]


def _tool_response(entry: _Entry) -> list[Part]:
    return [tool_response_part(entry.item, entry.beside)]


def _tool_state(entry: _Entry) -> list[Part]:
    """A tool's part of a Vercel UI message: the call, and what it answered so far."""
    item = entry.item
    name = item.get("toolName") or str(item["type"]).removeprefix("tool-")
    part = {"type": "tool_call", "id": item["toolCallId"], "name": name, "arguments": item.get("input")}
    call = {key: value for key, value in part.items() if value is not None}
    answer = item.get("output") if item.get("output") is not None else item.get("errorText")
    parts = [rest(call, item, _KIND_KEYS | _STATE_KEYS)]
    if answer is not None:
        parts.append({"type": "tool_call_response", "id": item["toolCallId"], "response": answer})
    return parts


_STATE_KEYS: Final = frozenset({"toolName", "toolCallId", "input", "output", "errorText", "state"})


def _server_call(entry: _Entry) -> list[Part]:
    return server_call_parts(entry.item, entry.word, entry.beside)


def _server_response(entry: _Entry) -> list[Part]:
    return [server_response_part(entry.item, entry.word, entry.beside)]


def _media(entry: _Entry) -> list[Part]:
    return [media_part(entry.item)]


def _nothing(_: _Entry) -> list[Part]:
    return []


def _own(entry: _Entry) -> list[Part]:
    """An item with a name of the conventions, and not in their form."""
    return [{**entry.item, "type": "unknown"}]


_BUILD: Final[dict[str, Callable[[_Entry], list[Part]]]] = {
    "text": _text,
    "refusal": _refusal,
    "reasoning": _reasoning,
    "tool_call": _tool_call,
    "tool_response": _tool_response,
    "tool_state": _tool_state,
    "media": _media,
    "server_call": _server_call,
    "server_response": _server_response,
    "nothing": _nothing,
    "own": _own,
}


def is_content(item: Item) -> bool:
    """Whether a mapping is an item of content that is known, and no envelope around messages."""
    if in_schema(item):
        return True
    kind, word = _kind(item)
    return kind is not None and (word not in item or _ENVELOPES.isdisjoint(item))


_ENVELOPES: Final = frozenset({"message", "messages", "delta", "choices", "candidates", "generations"})
