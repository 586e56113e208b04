"""OpenAI's chat completions and embeddings: bodies and chunks.

Source: OpenAI API reference, `/v1/chat/completions` and `/v1/embeddings`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from tests.recording.answers import Asked, Reply, pieces
from tests.recording.apis.common import Chunk, sse, text_of

PARAMS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "seed",
    "stop",
    "n",
    "user",
    "stream_options",
    "tool_choice",
    "response_format",
    "presence_penalty",
    "frequency_penalty",
    "reasoning_effort",
    "encoding_format",
    "dimensions",
)


def asked_chat(_path: str, body: dict[str, Any]) -> Asked:
    """A request for a chat completion."""
    return Asked(
        provider="openai",
        api="chat.completions",
        model=body["model"],
        stream=bool(body.get("stream")),
        messages=tuple((entry["role"], text_of(entry.get("content"))) for entry in body["messages"]),
        tools=tuple(tool["function"]["name"] for tool in body.get("tools") or () if "function" in tool),
        params={key: body[key] for key in ("stream", *PARAMS) if body.get(key) is not None},
        with_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def usage(reply: Reply) -> dict[str, Any]:
    """Counts in OpenAI's form."""
    counts = reply.usage
    return {
        "prompt_tokens": counts.input_tokens,
        "completion_tokens": counts.output_tokens,
        "total_tokens": counts.total_tokens,
        "prompt_tokens_details": {"cached_tokens": counts.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def chat(_asked: Asked, reply: Reply) -> dict[str, Any]:
    """The body of a chat completion."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": reply.answer.text or None,
        "refusal": None,
        "annotations": [],
    }
    if reply.calls:
        message["tool_calls"] = _calls(reply)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    return {**_head(reply, "chat.completion"), "choices": [choice], "usage": usage(reply), "service_tier": "default"}


def chat_chunks(asked: Asked, reply: Reply) -> Iterator[Chunk]:
    """The events of a streamed chat completion."""
    yield _chunk(reply, {"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for piece in pieces(reply.answer.text):
        yield _chunk(reply, {"content": piece}, content=True)
    for index, call in enumerate(_calls(reply)):
        function = call["function"]
        head = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        yield _chunk(reply, {"tool_calls": [head]}, content=True)
        for piece in pieces(function["arguments"]):
            yield _chunk(reply, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, content=True)
    yield _chunk(reply, {}, finish=reply.finish)
    if asked.with_usage:
        yield Chunk(sse({**_head(reply, "chat.completion.chunk"), "choices": [], "usage": usage(reply)}))
    yield Chunk(b"data: [DONE]\n\n")


def asked_embeddings(_path: str, body: dict[str, Any]) -> Asked:
    """A request for embeddings; tokens in place of texts (LangChain sends them) count as one text."""
    found = body["input"] if isinstance(body["input"], list) else [body["input"]]
    texts = [entry if isinstance(entry, str) else "" for entry in found]
    params = {key: body[key] for key in PARAMS if body.get(key) is not None}
    messages = tuple(("input", text) for text in texts)
    return Asked("openai", "embeddings", body["model"], messages=messages, params=params, inputs=len(texts))


def embeddings(asked: Asked, reply: Reply) -> dict[str, Any]:
    """The body with one vector for each text."""
    size = int(asked.params.get("dimensions", 8))
    rows = [
        {"object": "embedding", "index": index, "embedding": _vector(text, size)}
        for index, (_, text) in enumerate(asked.messages)
    ]
    counts = {"prompt_tokens": reply.usage.input_tokens, "total_tokens": reply.usage.input_tokens}
    return {"object": "list", "data": rows, "model": asked.model, "usage": counts}


def _vector(text: str, size: int) -> list[float]:
    raw = [math.sin(1 + index + sum(text.encode())) for index in range(size)]
    length = math.sqrt(sum(value * value for value in raw))
    return [round(value / length, 6) for value in raw]


def refusal(status: int, message: str) -> dict[str, Any]:
    """The body of an error."""
    kind = {429: "rate_limit_exceeded", 400: "invalid_request_error"}.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def _head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": reply.response_id,
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "system_fingerprint": "fp_44709d6fcb",
    }


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in reply.calls
    ]


def _chunk(reply: Reply, delta: dict[str, Any], *, finish: str | None = None, content: bool = False) -> Chunk:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return Chunk(sse({**_head(reply, "chat.completion.chunk"), "choices": [choice]}), content=content)
