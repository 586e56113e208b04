"""OpenAI's Responses: bodies and events. Source: OpenAI API reference, `/v1/responses`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.recording.answers import Asked, Reply, pieces
from tests.recording.apis.common import Chunk, sse, text_of

_PARAMS = (
    "temperature",
    "top_p",
    "max_output_tokens",
    "reasoning",
    "user",
    "tool_choice",
    "previous_response_id",
    "text",
    "store",
    "parallel_tool_calls",
    "truncation",
)


def asked(_path: str, body: dict[str, Any]) -> Asked:
    """A request for a response."""
    found = body.get("input") or []
    entries = [{"role": "user", "content": found}] if isinstance(found, str) else found
    messages = [(str(entry.get("role") or entry.get("type")), text_of(entry.get("content"))) for entry in entries]
    if body.get("instructions"):
        messages.insert(0, ("system", body["instructions"]))
    return Asked(
        provider="openai",
        api="responses",
        model=body["model"],
        stream=bool(body.get("stream")),
        messages=tuple(messages),
        tools=tuple(tool["name"] for tool in body.get("tools") or () if "name" in tool),
        params={key: body[key] for key in ("stream", *_PARAMS) if body.get(key) is not None},
    )


def body(asked: Asked, reply: Reply, *, status: str = "completed") -> dict[str, Any]:
    """The body of a response."""
    done = status == "completed"
    return {
        "id": reply.response_id,
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": next((text for role, text in asked.messages if role == "system"), None),
        "max_output_tokens": asked.params.get("max_output_tokens"),
        "model": reply.model,
        "output": _items(reply) if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": asked.params.get("temperature", 1.0),
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": asked.params.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": _usage(reply) if done else None,
        "user": None,
        "metadata": {},
    }


def chunks(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """The events of a streamed response."""
    for number, (kind, fields, content) in enumerate(_events(asked, reply)):
        yield Chunk(sse({"type": kind, "sequence_number": number, **fields}, kind), content=content)


def _events(asked: Asked, reply: Reply) -> Iterator[tuple[str, dict[str, Any], bool]]:
    started = body(asked, reply, status="in_progress")
    yield "response.created", {"response": started}, False
    yield "response.in_progress", {"response": started}, False
    for index, item in enumerate(_items(reply)):
        place = {"item_id": item["id"], "output_index": index}
        yield from _item_events(item, place)
        yield "response.output_item.done", {"output_index": index, "item": item}, False
    yield "response.completed", {"response": body(asked, reply)}, False


def _item_events(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    head = {"output_index": place["output_index"]}
    if item["type"] == "function_call":
        yield "response.output_item.added", {**head, "item": {**item, "arguments": "", "status": "in_progress"}}, False
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {**place, "delta": piece}, True
        done = {**place, "arguments": item["arguments"], "name": item["name"]}
        yield "response.function_call_arguments.done", done, False
        return
    if item["type"] == "reasoning":
        yield "response.output_item.added", {**head, "item": item}, False
        return
    part = item["content"][0]
    place = {**place, "content_index": 0}
    yield "response.output_item.added", {**head, "item": {**item, "content": [], "status": "in_progress"}}, False
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}, False
    for piece in pieces(part["text"]):
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}, True
    yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}, False
    yield "response.content_part.done", {**place, "part": part}, False


def _items(reply: Reply) -> list[dict[str, Any]]:
    tail = reply.response_id.removeprefix("resp_")
    found: list[dict[str, Any]] = []
    if reply.answer.thinking:
        summary = [{"type": "summary_text", "text": reply.answer.thinking}]
        found.append({"id": f"rs_{tail}", "type": "reasoning", "summary": summary})
    if reply.answer.text:
        content = [{"type": "output_text", "text": reply.answer.text, "annotations": [], "logprobs": []}]
        message = {"id": f"msg_{tail}", "type": "message", "role": "assistant", "status": "completed"}
        found.append({**message, "content": content})
    for call in reply.calls:
        fields = {"call_id": call.id, "name": call.name, "arguments": json.dumps(call.arguments)}
        found.append({"id": f"fc_{call.id[5:]}", "type": "function_call", "status": "completed", **fields})
    return found


def _usage(reply: Reply) -> dict[str, Any]:
    counts = reply.usage
    return {
        "input_tokens": counts.input_tokens,
        "input_tokens_details": {"cached_tokens": counts.cached_tokens},
        "output_tokens": counts.output_tokens,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning_tokens},
        "total_tokens": counts.total_tokens,
    }
