"""Calls of tools and their answers, in the shape of any API, as parts; and definitions of tools."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any, Final

import orjson

from processors.gen_ai_normalizer.messages.words import KIND_KEYS, SERVER_OUTCOMES, SERVER_TOOLS

Part = dict[str, Any]
Item = dict[str, Any]
NOTHING: Final[Item] = {}

_CALL_IDS: Final = ("call_id", "tool_call_id", "toolCallId", "toolUseId", "tool_use_id", "callId", "id")
_ANSWER_IDS: Final = (*_CALL_IDS[:-1], "tool_id", "id")
_NAMES: Final = ("name", "toolName", "tool_name", "functionName", "Name")
_ARGUMENTS: Final = ("arguments", "args", "input", "parameters", "tool_arguments", "toolInput", "Arguments")
_ANSWERS: Final = ("response", "result", "output", "content", "return_value", "value", "outputs", "Result")
_ANSWER_WRAPS: Final = frozenset({"type", "value"})


def tool_call_part(call: Item, beside: Item = NOTHING) -> Part:
    """A tool call in the form of any API; what stands beside it there stays in the part."""
    function = call.get("function")
    if not beside and function.__class__ is dict and call.keys() == _CHAT_CALL and function.keys() == _CHAT_FUNCTION:
        identity, name = call["id"], function["name"]
        if identity.__class__ is str and identity and name.__class__ is str and name:
            arguments = structure(function["arguments"])
            return {"type": "tool_call", "id": identity, "name": name, "arguments": arguments}
    inner = function if isinstance(function, dict) else call
    part: Part = {"type": "tool_call"}
    used = {*KIND_KEYS, "index", "function"} if inner is function else {*KIND_KEYS, "index"}
    if isinstance(function, str):
        used.add("function")
    _take(part, "id", call, _CALL_IDS, used)
    inner_used = used if inner is call else set()
    _take(part, "name", inner, _NAMES, inner_used)
    if "name" not in part:
        _take(part, "name", call, (*_NAMES, "function"), used)
    if not isinstance(part.get("name"), str):
        return {**beside, **call, "type": "unknown"}
    key = next((key for key in _ARGUMENTS if inner.get(key) is not None), None)
    if key is not None:
        inner_used.add(key)
        part["arguments"] = structure(inner[key])
    if inner is not call:
        rest(part, inner, inner_used)
    return rest(part, call, used, beside)


_CHAT_CALL: Final = {"id", "type", "function"}
_CHAT_FUNCTION: Final = {"name", "arguments"}


def tool_response_part(item: Item, beside: Item = NOTHING) -> Part:
    """What a tool answered; what stands beside it stays in the part."""
    part: Part = {"type": "tool_call_response"}
    used = set(KIND_KEYS)
    origin = item.get("origin")
    _take(part, "id", item, _ANSWER_IDS, used)
    if "id" not in part and isinstance(origin, dict):
        _take(part, "id", origin, _CALL_IDS, set())
    key = next((key for key in _ANSWERS if item.get(key) is not None), None)
    if key is not None:
        used.add(key)
        part["response"] = plain(item[key])
    else:
        part["response"] = None
    return rest(part, item, used, beside)


def server_call_parts(item: Item, word: str, beside: Item = NOTHING) -> list[Part]:
    """A call of a tool that runs where the model runs, and its answer where that stands beside it."""
    name = _server_tool(item, word, "_call")
    identity = _identity(item) or _identity(beside)
    said = {key: value for key, value in (item | beside).items() if key not in _SERVER_PLAIN and value is not None}
    outcome = {key: said.pop(key) for key in tuple(said) if key in SERVER_OUTCOMES}
    call = {"type": "server_tool_call", **identity, "name": name, "server_tool_call": {"type": name, **said}}
    answer = {"type": name, **outcome}
    answers = [{"type": "server_tool_call_response", **identity, "server_tool_call_response": answer}]
    return [call, *answers] if outcome else [call]


_SERVER_PLAIN: Final = frozenset({*_CALL_IDS, *KIND_KEYS, "name", "tool_name"})


def server_response_part(item: Item, word: str, beside: Item = NOTHING) -> Part:
    """What a tool answered that runs where the model runs."""
    said = {key: value for key, value in (item | beside).items() if key not in _SERVER_PLAIN and value is not None}
    answer = {"type": _server_tool(item, word, "_output", "_result", "_tool"), **said}
    identity = _identity(item) or _identity(beside)
    return {"type": "server_tool_call_response", **identity, "server_tool_call_response": answer}


def _server_tool(item: Item, word: str, *ends: str) -> str:
    name = item.get("name") or item.get("tool_name") or SERVER_TOOLS.get(word)
    for end in ends:
        word = word.removesuffix(end)
    return name if isinstance(name, str) else word


def _identity(item: Item) -> dict[str, Any]:
    found: Part = {}
    _take(found, "id", item, _ANSWER_IDS, set())
    return found


def _take(part: Part, field: str, item: Item, keys: tuple[str, ...], used: set[str]) -> None:
    """Fill a field of a part from the first key with a text (or number, which becomes one)."""
    for key in keys:
        value = item.get(key)
        if value and isinstance(value, str | int) and value is not True:
            used.add(key)
            part[field] = str(value)
            return


def rest(part: Part, item: Item, used: AbstractSet[str], beside: Item = NOTHING) -> Part:
    """Keep in a part what the item says that has no place of its own; a name that is taken gets a prefix."""
    if not beside and item.keys() <= used:
        return part
    for source, known in ((item, used), (beside, NOTHING)):
        for key, value in source.items():
            if key not in known and value is not None and value not in _EMPTY and part.get(key) != value:
                is_free = key not in part and (key != "id" or isinstance(value, str))
                part[key if is_free else f"source_{key}"] = value
    return part


_EMPTY: Final[tuple[Any, ...]] = ("", [], {})


def structure(value: Any) -> Any:
    """Arguments as a structure where they are JSON text."""
    if not isinstance(value, str) or value[:1] not in "{[":
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def plain(response: Any) -> Any:
    """A tool's answer without the content items around a single text, or the wrap that names its kind."""
    if isinstance(response, list) and len(response) == 1 and isinstance(response[0], dict):
        only = response[0]
        texts = [only[key] for key in ("text", "content") if isinstance(only.get(key), str)]
        return texts[0] if texts and only.keys() <= _TEXT_KEYS else response
    if isinstance(response, dict) and response.keys() == _ANSWER_WRAPS and isinstance(response["type"], str):
        return response["value"]
    return response


_TEXT_KEYS: Final = frozenset({"type", "text", "content"})


def tool_definition(value: Any) -> dict[str, Any] | None:
    """`{type, name, description, parameters}` out of what an API takes as the definition of a tool."""
    value = structure(value)
    if isinstance(value, dict) and "json_schema" in value:
        value = structure(value["json_schema"])
    if not isinstance(value, dict):
        return None
    inner = next(
        (value[key] for key in ("function", "toolSpec", "tool_spec") if isinstance(value.get(key), dict)), value
    )
    parameters = next((inner[key] for key in _SCHEMAS if inner.get(key) is not None), None)
    if isinstance(parameters, dict) and parameters.keys() == {"json"}:
        parameters = parameters["json"]
    kind = value.get("type")
    kind = kind if isinstance(kind, str) and kind else "function"
    name = inner.get("name") or (kind if kind != "function" else None)
    if not isinstance(name, str):
        return None
    definition = {"type": kind, "name": name, "description": inner.get("description")}
    filled = {**definition, "parameters": structure(parameters)}
    return {key: entry for key, entry in filled.items() if entry is not None}


_SCHEMAS: Final = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parameters_json_schema",
    "parametersJsonSchema",
    "parameters_schema",
    "args_schema",
)
