"""LLM calls in words: the view that the `debug` exporter shows spans of the GenAI conventions with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from pipeline.signals import Span, Value

# Names are those of the OpenTelemetry GenAI semantic conventions 1.41, and Penstock's own.
_MESSAGES: Final = (
    ("gen_ai.system_instructions", "system"),
    ("gen_ai.input.messages", "user"),
    ("gen_ai.output.messages", "assistant"),
)
_TOKENS: Final = (
    ("in", "gen_ai.usage.input_tokens"),
    ("out", "gen_ai.usage.output_tokens"),
    ("cached", "gen_ai.usage.cache_read.input_tokens"),
    ("reasoning", "gen_ai.usage.reasoning.output_tokens"),
)
_MAX_MESSAGES: Final = 50
_LEAST_SHOWN_USD: Final = 1e-6
"""Below this six decimals show nothing."""


def view(span: Span) -> list[str] | None:
    """Operation, model, tokens, cost, times and messages of a GenAI span; None for any other span."""
    attributes = span.attributes
    if "gen_ai.operation.name" not in attributes:
        return None
    return [_call(span), *_figures(span), *_tool(attributes), *_messages(attributes)]


def _call(span: Span) -> str:
    attributes = span.attributes
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    subject = model or attributes.get("gen_ai.agent.name") or attributes.get("gen_ai.tool.name")
    provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system")
    words = (provider, attributes["gen_ai.operation.name"], subject)
    reasons = attributes.get("gen_ai.response.finish_reasons")
    ended = f" ({', '.join(_as_text(reason) for reason in reasons)})" if isinstance(reasons, list) and reasons else ""
    error = attributes.get("error.type")
    return " ".join(_as_text(word) for word in words if word) + ended + (f" failed: {_as_text(error)}" if error else "")


def _figures(span: Span) -> Iterator[str]:
    attributes = span.attributes
    tokens = [f"{name} {_as_text(attributes[key])}" for name, key in _TOKENS if key in attributes]
    if tokens:
        yield f"tokens: {', '.join(tokens)}"
    cost = attributes.get("penstock.cost.usd")
    if isinstance(cost, float | int):
        usd = f"{cost:.6f}" if not 0 < abs(cost) < _LEAST_SHOWN_USD else f"{cost:.1e}"
        yield f"cost: ${usd} ({_as_text(attributes.get('penstock.cost.quality', 'unknown'))})"
    elif "penstock.cost.unpriced" in attributes:
        yield f"cost: unknown ({_as_text(attributes['penstock.cost.unpriced'])})"
    times = list(_times(span))
    if times:
        yield f"time: {', '.join(times)}"


def _times(span: Span) -> Iterator[str]:
    duration_ns = span.end_time_unix_nano - span.start_time_unix_nano
    if duration_ns > 0:
        yield f"{duration_ns / 1e6:.0f} ms"
    first = span.attributes.get("gen_ai.response.time_to_first_chunk")
    if isinstance(first, float | int):
        yield f"first chunk after {first * 1e3:.0f} ms"
    each = span.attributes.get("penstock.latency.time_per_output_token")
    if isinstance(each, float | int):
        yield f"{each * 1e3:.1f} ms per output token"


def _tool(attributes: Mapping[str, Value]) -> Iterator[str]:
    for key, name in (("gen_ai.tool.call.arguments", "arguments"), ("gen_ai.tool.call.result", "result")):
        if key in attributes:
            yield f"{name}: {_as_text(attributes[key])}"


def _messages(attributes: Mapping[str, Value]) -> Iterator[str]:
    for key, role in _MESSAGES:
        if key in attributes:
            messages = _parsed(attributes[key])
            items = messages if isinstance(messages, list) else [messages]
            for item in islice(items, _MAX_MESSAGES):
                yield _message(item, role)
            if len(items) > _MAX_MESSAGES:
                yield f"... {len(items) - _MAX_MESSAGES} more"


def _message(item: Any, role: str) -> str:
    if not isinstance(item, dict):
        return f"{role}: {_as_text(item)}"
    parts = item.get("parts", item.get("content", item))
    shown = [_part(part) for part in parts] if isinstance(parts, list) else [_part(parts)]
    return f"{item.get('role', role)}: {' '.join(shown)}"


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return _as_text(part)
    kind = part.get("type")
    if kind == "tool_call":
        return f"[calls {part.get('name')}({_as_text(part.get('arguments', ''))})]"
    if kind == "tool_call_response":
        return f"[tool answers {_as_text(part.get('response', part.get('result', '')))}]"
    text = part.get("content", part.get("text"))
    return f"[{kind}]" if text is None else _as_text(text)


def _parsed(value: Value) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=repr).decode()
