"""Anthropic's Messages: bodies and events. Source: Anthropic API reference, `/v1/messages`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.recording.answers import Asked, Reply, pieces
from tests.recording.apis.common import Chunk, sse, text_of

_PARAMS = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "thinking", "tool_choice", "metadata")
_FINISH = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def asked(_path: str, body: dict[str, Any]) -> Asked:
    """A request for a message."""
    messages = [(entry["role"], text_of(entry.get("content"))) for entry in body["messages"]]
    if body.get("system"):
        messages.insert(0, ("system", text_of(body["system"])))
    return Asked(
        provider="anthropic",
        api="messages",
        model=body["model"],
        stream=bool(body.get("stream")),
        messages=tuple(messages),
        tools=tuple(tool["name"] for tool in body.get("tools") or () if "name" in tool),
        params={key: body[key] for key in ("stream", *_PARAMS) if body.get(key) is not None},
    )


def finish(reply: Reply) -> str:
    """Why the model stopped, in Anthropic's words."""
    return _FINISH[reply.finish]


def body(_asked: Asked, reply: Reply) -> dict[str, Any]:
    """The body of a message."""
    return {
        **_head(reply),
        "content": _blocks(reply),
        "stop_reason": finish(reply),
        "stop_sequence": None,
        "usage": _usage(reply),
    }


def chunks(_asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """The events of a streamed message."""
    begun = {**_usage(reply), "output_tokens": 1}
    start = {**_head(reply), "content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
    yield _event("message_start", {"message": start})
    yield _event("ping", {})
    for index, block in enumerate(_blocks(reply)):
        yield from _block_events(index, block)
    delta = {"stop_reason": finish(reply), "stop_sequence": None}
    yield _event("message_delta", {"delta": delta, "usage": {"output_tokens": reply.usage.output_tokens}})
    yield _event("message_stop", {})


def _block_events(index: int, block: dict[str, Any]) -> Iterator[Chunk]:
    kind = block["type"]
    if kind == "tool_use":
        begun: dict[str, Any] = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": text} for text in pieces(json.dumps(block["input"]))]
    elif kind == "thinking":
        begun = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": text} for text in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    else:
        begun = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": text} for text in pieces(block["text"])]
    yield _event("content_block_start", {"index": index, "content_block": begun})
    for delta in deltas:
        yield _event("content_block_delta", {"index": index, "delta": delta}, content=True)
    yield _event("content_block_stop", {"index": index})


def refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an error."""
    kind = {429: "rate_limit_error", 400: "invalid_request_error", 529: "overloaded_error"}.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}}


def _head(reply: Reply) -> dict[str, Any]:
    return {"id": reply.response_id, "type": "message", "role": "assistant", "model": reply.model}


def _blocks(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if reply.answer.thinking:
        found.append({"type": "thinking", "thinking": reply.answer.thinking, "signature": "c2lnbmF0dXJl"})
    if reply.answer.text:
        found.append({"type": "text", "text": reply.answer.text})
    return [*found, *({"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in reply.calls)]


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    return {
        "input_tokens": counts.uncached_tokens,
        "cache_creation_input_tokens": counts.cache_write_tokens,
        "cache_read_input_tokens": counts.cached_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": counts.cache_write_tokens, "ephemeral_1h_input_tokens": 0},
        "output_tokens": counts.output_tokens,
        "service_tier": "standard",
    }


def _event(kind: str, fields: dict[str, Any], *, content: bool = False) -> Chunk:
    return Chunk(sse({"type": kind, **fields}, kind), content=content)
