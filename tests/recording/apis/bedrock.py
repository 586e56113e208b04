"""Bedrock's Converse: bodies and binary events.

Source: Amazon Bedrock API reference, `Converse` and `ConverseStream`; the frames are those of `vnd.amazon.eventstream`.
"""

from __future__ import annotations

import json
import re
import struct
import urllib.parse
import zlib
from collections.abc import Iterator
from typing import Any

from tests.recording.answers import Asked, Reply, pieces
from tests.recording.apis.common import Chunk, text_of

_MODEL = re.compile(r"/model/([^/]+)/converse")
_FINISH = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TEXT_HEADER = 7
"""Type of a header whose value is text."""


def asked(path: str, body: dict[str, Any]) -> Asked:
    """A request for a turn of a conversation."""
    found = _MODEL.search(path)
    messages = [(entry["role"], text_of(entry.get("content"))) for entry in body["messages"]]
    if body.get("system"):
        messages.insert(0, ("system", text_of(body["system"])))
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    return Asked(
        provider="aws.bedrock",
        api="converse",
        model=urllib.parse.unquote(found.group(1)) if found else "",
        stream=path.endswith("converse-stream"),
        messages=tuple(messages),
        tools=tuple(tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool),
        params=body.get("inferenceConfig") or {},
    )


def finish(reply: Reply) -> str:
    """Why the model stopped, in Bedrock's words."""
    return _FINISH[reply.finish]


def body(_asked: Asked, reply: Reply) -> dict[str, Any]:
    """The body of a turn."""
    message = {"role": "assistant", "content": _blocks(reply)}
    return {
        "output": {"message": message},
        "stopReason": finish(reply),
        "usage": _usage(reply),
        "metrics": {"latencyMs": 120},
    }


def chunks(_asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """The frames of a streamed turn."""
    yield _frame("messageStart", {"role": "assistant"})
    for index, block in enumerate(_blocks(reply)):
        place = {"contentBlockIndex": index}
        if "toolUse" in block:
            use = block["toolUse"]
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            yield _frame("contentBlockStart", {**place, "start": start})
        for delta in _deltas(block):
            yield _frame("contentBlockDelta", {**place, "delta": delta}, content=True)
        yield _frame("contentBlockStop", place)
    yield _frame("messageStop", {"stopReason": finish(reply)})
    yield _frame("metadata", {"usage": _usage(reply), "metrics": {"latencyMs": 120}})


def _deltas(block: dict[str, Any]) -> list[dict[str, Any]]:
    if "toolUse" in block:
        return [{"toolUse": {"input": piece}} for piece in pieces(json.dumps(block["toolUse"]["input"]))]
    if "reasoningContent" in block:
        return [
            {"reasoningContent": {"text": piece}}
            for piece in pieces(block["reasoningContent"]["reasoningText"]["text"])
        ]
    return [{"text": piece} for piece in pieces(block["text"])]


def refusal(_status: int, message: str) -> dict[str, Any]:
    """The body of an error; its type is in a header."""
    return {"message": message}


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if reply.answer.thinking:
        found.append({"reasoningContent": {"reasoningText": {"text": reply.answer.thinking}}})
    if reply.answer.text:
        found.append({"text": reply.answer.text})
    calls = [{"toolUse": {"toolUseId": c.id, "name": c.name, "input": c.arguments}} for c in reply.calls]
    return [*found, *calls]


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    found = {
        "inputTokens": counts.uncached_tokens,
        "outputTokens": counts.output_tokens,
        "totalTokens": counts.total_tokens,
    }
    if counts.cached_tokens or counts.cache_write_tokens:
        found |= {"cacheReadInputTokens": counts.cached_tokens, "cacheWriteInputTokens": counts.cache_write_tokens}
    return found


def _frame(event: str, fields: dict[str, Any], *, content: bool = False) -> Chunk:
    headers = b"".join(
        bytes([len(name)]) + name.encode() + bytes([_TEXT_HEADER]) + struct.pack(">H", len(value)) + value.encode()
        for name, value in ((":event-type", event), (":content-type", "application/json"), (":message-type", "event"))
    )
    payload = json.dumps(fields).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return Chunk(head + struct.pack(">I", zlib.crc32(head)), content=content)
