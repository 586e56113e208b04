"""Content of messages, in the shape of any provider's API, as parts of the conventions' schema.

Source: OpenTelemetry GenAI conventions, JSON schemas of input and output messages; APIs of OpenAI (chat, Responses),
Anthropic, Bedrock Converse, Gemini, Cohere, Mistral, and the message forms of Vercel AI SDK and LangChain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

Part = dict[str, Any]
Item = dict[str, Any]


def text_part(text: str) -> Part:
    """A text part."""
    return {"type": "text", "content": text}


def tool_call_part(call: Item) -> Part:
    """A tool call in the form of OpenAI (`function`), Anthropic, Vercel, LangChain or OpenLLMetry."""
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    name = inner.get("name") or call.get("toolName") or call.get("tool_name")
    arguments = next((inner[key] for key in ("arguments", "args", "input") if inner.get(key) is not None), None)
    part = {"type": "tool_call", "id": _id(call, "id", "tool_call_id", "toolCallId", "call_id"), "name": name}
    return _filled({**part, "arguments": _structure(arguments)})


def tool_response_part(item: Item) -> Part:
    """What a tool answered."""
    keys = ("response", "result", "output", "content")
    response = next((item[key] for key in keys if item.get(key) is not None), None)
    call_id = _id(item, "id", "tool_call_id", "tool_use_id", "toolCallId", "toolUseId", "call_id")
    return _filled({"type": "tool_call_response", "id": call_id, "response": _plain(response)})


def content_parts(content: Any, *, nested_json: bool = False) -> list[Part]:
    """The parts of a message's content: text, a list of items, one item."""
    if isinstance(content, str):
        items = _nested(content) if nested_json else None
        return content_parts(items) if items is not None else ([text_part(content)] if content else [])
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return [] if content is None else [text_part(str(content))]
    return [part for item in content for part in _item_parts(item)]


def _item_parts(item: Any) -> Iterator[Part]:
    if isinstance(item, str):
        yield text_part(item)
    elif isinstance(item, dict):
        kind = item.get("type")
        build = _BY_TYPE.get(kind) if isinstance(kind, str) else _by_key(item)
        yield build(item) if build else item if kind else {"type": "unknown", **item}


def _nested(text: str) -> list[Any] | None:
    """Content parts that were written as JSON text; None for a text that only looks like it."""
    if text[:2] not in ("[{", "[]", '{"'):
        return None
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    items = [items] if isinstance(items, dict) else items
    known = all(isinstance(item, dict) and (item.get("type") in _BY_TYPE or "text" in item) for item in items)
    return items if known else None


def _text(item: Item) -> Part:
    if "content" in item and "text" not in item:
        return item
    text = item.get("text")
    return text_part(text if isinstance(text, str) else "")


def _reasoning(item: Item) -> Part:
    for key in ("content", "thinking", "text", "reasoning", "reasoningText"):
        found: Any = item.get(key)
        if isinstance(found, dict):
            found = found.get("text")
        if isinstance(found, str):
            return {"type": "reasoning", "content": found}
    return {"type": "reasoning", "content": _joined(item.get("summary"))}


def _joined(summary: Any) -> str:
    texts = [entry.get("text", "") for entry in summary if isinstance(entry, dict)] if isinstance(summary, list) else []
    return "\n".join(text for text in texts if isinstance(text, str))


def _media(item: Item) -> Part:
    url = _url(item)
    if isinstance(url, str) and url.startswith("data:"):
        header, _, encoded = url.removeprefix("data:").partition(";base64,")
        return {"type": "blob", "modality": _modality(item), "mime_type": header, "content": encoded}
    if isinstance(url, str):
        return {"type": "uri", "modality": _modality(item), "uri": url}
    inner: Any = next((item[key] for key in ("source", "file", "input_audio", "image") if item.get(key)), None)
    source: Item = inner if isinstance(inner, dict) else item
    data = source.get("data") or source.get("base64")
    if isinstance(data, str):
        mime_type = source.get("media_type") or source.get("mediaType") or source.get("mimeType")
        return _filled({"type": "blob", "modality": _modality(item), "mime_type": mime_type, "content": data})
    file_id = source.get("file_id") or source.get("fileId")
    return _filled({"type": "file", "modality": _modality(item), "file_id": file_id})


def _url(item: Item) -> Any:
    """The address in `image_url` (text or mapping), `image.image.url`, `source.url`, `url` or `fileUri`."""
    for key in ("image_url", "image", "source", "file", "input_audio"):
        inner = item.get(key)
        if isinstance(inner, str) and (inner.startswith("data:") or "://" in inner):
            return inner
        if isinstance(inner, dict):
            found = _url(inner)
            if found:
                return found
    return item.get("url") or item.get("fileUri") or item.get("uri")


def _modality(item: Item) -> str:
    kind = str(item.get("type") or "")
    if "audio" in kind:
        return "audio"
    return "document" if "file" in kind or "document" in kind else "image"


def _gemini_call(item: Item) -> Part:
    return tool_call_part(item["functionCall"] if "functionCall" in item else item["function_call"])


def _gemini_response(item: Item) -> Part:
    return tool_response_part(item["functionResponse"] if "functionResponse" in item else item["function_response"])


def _converse_call(item: Item) -> Part:
    use = item["toolUse"]
    return tool_call_part({**use, "id": use.get("toolUseId")})


def _converse_response(item: Item) -> Part:
    return tool_response_part(item["toolResult"])


def _converse_reasoning(item: Item) -> Part:
    return _reasoning(item["reasoningContent"])


def _gemini_text(item: Item) -> Part:
    return _reasoning(item) if item.get("thought") is True else _text(item)


def _gemini_media(item: Item) -> Part:
    return _media(item.get("inlineData") or item.get("fileData") or item)


def _as_is(item: Item) -> Part:
    return item


Builder = Callable[[Item], Part]

_BY_TYPE: Final[dict[str, Builder]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "refusal"), _text),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking"), _reasoning),
    **dict.fromkeys(("tool_use", "tool-call", "function_call", "function", "tool_call"), tool_call_part),
    **dict.fromkeys(("tool_result", "tool-result", "function_call_output", "tool_call_response"), tool_response_part),
    **dict.fromkeys(("image", "image_url", "input_image", "input_audio", "file", "input_file", "document"), _media),
    **dict.fromkeys(("blob", "uri", "server_tool_call", "server_tool_call_response", "compaction"), _as_is),
}

_BY_KEY: Final[tuple[tuple[str, Builder], ...]] = (
    ("text", _gemini_text),
    ("toolUse", _converse_call),
    ("toolResult", _converse_response),
    ("reasoningContent", _converse_reasoning),
    ("functionCall", _gemini_call),
    ("function_call", _gemini_call),
    ("functionResponse", _gemini_response),
    ("function_response", _gemini_response),
    ("inlineData", _gemini_media),
    ("fileData", _gemini_media),
    ("image", _media),
    ("thinking", _reasoning),
)


def _by_key(item: Item) -> Builder | None:
    """How to read an item without a type (Bedrock Converse, Gemini)."""
    for key, build in _BY_KEY:
        if item.get(key) is not None and (build not in _NEEDS_MAPPING or isinstance(item[key], dict)):
            return build
    return None


_NEEDS_MAPPING: Final = (_converse_call, _converse_response, _converse_reasoning, _gemini_call, _gemini_response)


def _id(item: Item, *keys: str) -> Any:
    return next((item[key] for key in keys if item.get(key)), None)


def _structure(value: Any) -> Any:
    """Arguments as a structure where they are JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _plain(response: Any) -> Any:
    """A tool's answer without the content items around a single text."""
    if isinstance(response, list) and len(response) == 1 and isinstance(response[0], dict):
        text = response[0].get("text")
        return text if isinstance(text, str) else response
    return response


def _filled(part: Part) -> Part:
    return {key: value for key, value in part.items() if value is not None}
