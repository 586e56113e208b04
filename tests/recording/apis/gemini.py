"""Gemini's generateContent: bodies and events. Source: Gemini API reference, `models.generateContent`.

The counts of Gemini: the output (`candidatesTokenCount`) comes without thoughts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.recording.answers import Asked, Reply, pieces
from tests.recording.apis.common import Chunk, sse, text_of

_MODEL = re.compile(r"/models/([^/:]+):(\w+)")
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}


def asked(path: str, body: dict[str, Any]) -> Asked:
    """A request for content."""
    found = _MODEL.search(path)
    model, action = found.groups() if found else ("", "")
    messages = [(entry.get("role") or "user", text_of(entry.get("parts"))) for entry in body.get("contents", ())]
    system = body.get("systemInstruction")
    if system:
        messages.insert(0, ("system", text_of(system.get("parts"))))
    declared = [entry for tool in body.get("tools") or () for entry in tool.get("functionDeclarations", ())]
    return Asked(
        provider="gemini",
        api="generateContent",
        model=model,
        stream=action == "streamGenerateContent",
        messages=tuple(messages),
        tools=tuple(entry["name"] for entry in declared),
        params=body.get("generationConfig") or {},
    )


def finish(reply: Reply) -> str:
    """Why the model stopped, in Gemini's words."""
    return _FINISH[reply.finish]


def body(_asked: Asked, reply: Reply) -> dict[str, Any]:
    """The body of a response."""
    return _response(reply, _parts(reply), last=True)


def chunks(_asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """The events of a streamed response; the last has the counts."""
    steps = [[{**part, "text": piece}] for part in _parts(reply) if "text" in part for piece in pieces(part["text"])]
    steps += [[part] for part in _parts(reply) if "functionCall" in part]
    for index, parts in enumerate(steps):
        yield Chunk(sse(_response(reply, parts, last=index == len(steps) - 1)), content=True)


def refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an error."""
    word = {429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT"}.get(status, "INTERNAL")
    return {"error": {"code": status, "message": message, "status": word}}


def _parts(reply: Reply) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if reply.answer.thinking:
        found.append({"text": reply.answer.thinking, "thought": True})
    if reply.answer.text:
        found.append({"text": reply.answer.text})
    return [*found, *({"functionCall": {"name": call.name, "args": call.arguments}} for call in reply.calls)]


def _response(reply: Reply, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if last:
        candidate["finishReason"] = finish(reply)
    counts = reply.usage
    usage = {
        "promptTokenCount": counts.input_tokens,
        "totalTokenCount": counts.total_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": counts.input_tokens}],
    }
    if last:
        usage["candidatesTokenCount"] = counts.output_tokens - counts.reasoning_tokens
    if counts.cached_tokens:
        usage["cachedContentTokenCount"] = counts.cached_tokens
    if counts.reasoning_tokens:
        usage["thoughtsTokenCount"] = counts.reasoning_tokens
    head = {"modelVersion": reply.model, "responseId": reply.response_id}
    return {"candidates": [candidate], "usageMetadata": usage, **head}
