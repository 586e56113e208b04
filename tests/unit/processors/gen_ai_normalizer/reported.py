"""Spans and log records that report calls, for the tests of roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.signals import LogRecord, Span
from pipeline.testing import START_NS, logs, traces

USAGE: Final[dict[str, Any]] = {"gen_ai.usage.input_tokens": 53, "gen_ai.usage.output_tokens": 48}
MODEL: Final[dict[str, Any]] = {"gen_ai.request.model": "gpt-4o-mini"}
CLIENT, SERVER = 3, 2


def answered(response_id: str, **more: Any) -> dict[str, Any]:
    """Attributes of a call with usage and a response id."""
    return {**USAGE, **MODEL, "gen_ai.response.id": response_id, **more}


def span(
    number: int,
    attributes: Mapping[str, Any] = USAGE,
    *,
    scope: str = "openai",
    process: str = "shop",
    trace: int = 1,
    parent: int = 99,
    at: tuple[float, float] = (0, 1),
    kind: int = CLIENT,
) -> Span:
    """A span with this id, from `at[0]` to `at[1]` seconds; parent 0 is none."""
    (found,) = traces(attributes, scope=scope, resource={"service.name": process}).records()
    assert isinstance(found, Span)
    found.trace_id, found.span_id = trace.to_bytes(16, "big"), number.to_bytes(8, "big")
    found.parent_span_id = parent.to_bytes(8, "big") if parent else b""
    found.start_time_unix_nano, found.end_time_unix_nano = (START_NS + round(time_s * 1e9) for time_s in at)
    found.kind = kind
    return found


def event(
    attributes: Mapping[str, Any] = USAGE, *, trace: int = 0, inside: int = 0, at: float = 1, flags: int = 0
) -> LogRecord:
    """A log record, written inside a span at `at` seconds."""
    (found,) = logs("answered", attributes=attributes).records()
    assert isinstance(found, LogRecord)
    found.trace_id = trace.to_bytes(16, "big") if trace else b""
    found.span_id = inside.to_bytes(8, "big") if inside else b""
    found.time_unix_nano = START_NS + round(at * 1e9)
    found.pb.flags = flags
    return found
