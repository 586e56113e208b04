"""Requests to send: spans as LLM instrumentations write them, all different, with and without text."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_START_NS = 1_790_000_000_000_000_000
_SYLLABLES = ("ka", "lo", "mi", "ter", "an", "su", "re", "vo", "ni", "pa", "dor", "el", "qui", "sha", "be", "tum")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one span looks like: `text_chars` of prompt and of completion each, 0 for a span without text."""

    name: str
    text_chars: int


TEXT = Shape("3.6 KB", 1390)
TEXT_FREE = Shape("660 B", 0)


def requests(shape: Shape, *, spans: int, count: int, seed: int = 1, spans_a_trace: int = 1) -> list[bytes]:
    """`count` serialised export requests of `spans` spans each; no two spans are alike, and no trace is in two."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(_SYLLABLES, k=rng.randint(1, 4))) for _ in range(4000)]
    return [_request(shape, spans, rng, words, spans_a_trace) for _ in range(count)]


def _request(shape: Shape, spans: int, rng: random.Random, words: list[str], spans_a_trace: int) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(
        [_text("service.name", "chat"), _text("deployment.environment.name", "bench"), _text("host.name", "node-1")]
    )
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    scope.scope.version = "2.4"
    scope.spans.extend(_span(shape, rng, words) for _ in range(spans))
    for index, span in enumerate(scope.spans):
        span.trace_id = scope.spans[index - index % spans_a_trace].trace_id
    return request.SerializeToString()


def _span(shape: Shape, rng: random.Random, words: list[str]) -> Span:
    start = _START_NS + rng.randrange(10**12)
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8),
        name="chat gpt-4o-mini",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + rng.randrange(10**8, 10**10),
        attributes=_attributes(shape, rng, words),
    )


def _attributes(shape: Shape, rng: random.Random, words: list[str]) -> list[KeyValue]:
    attributes = [
        _text("gen_ai.operation.name", "chat"),
        _text("gen_ai.provider.name", "openai"),
        _text("gen_ai.request.model", "gpt-4o-mini"),
        _text("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        _text("gen_ai.response.id", f"chatcmpl-{rng.randrange(16**12):012x}"),
        _text("server.address", "api.openai.com"),
        _text("gen_ai.conversation.id", f"conv-{rng.randrange(10**9)}"),
        _number("server.port", 443),
        _number("gen_ai.usage.input_tokens", rng.randrange(20, 4000)),
        _number("gen_ai.usage.output_tokens", rng.randrange(1, 900)),
        _number("gen_ai.request.max_tokens", 1024),
        KeyValue(key="gen_ai.request.temperature", value=AnyValue(double_value=0.7)),
        _text("user.id", f"user-{rng.randrange(10**6)}"),
        _text("app.request.path", f"/v1/conversations/{rng.randrange(10**6)}/turns/{rng.randrange(90)}"),
        _text("app.feature", "support"),
    ]
    if shape.text_chars:
        attributes.append(_text("gen_ai.input.messages", _messages("user", shape.text_chars, rng, words)))
        attributes.append(_text("gen_ai.output.messages", _messages("assistant", shape.text_chars, rng, words)))
    return attributes


def _messages(role: str, chars: int, rng: random.Random, words: list[str]) -> str:
    text = " ".join(rng.choices(words, k=chars // 4))[:chars]
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))
