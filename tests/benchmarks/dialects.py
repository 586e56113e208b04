"""What the normaliser costs by the way a span is written: in the conventions' words, or flattened."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline import registry
from pipeline.heap import settle
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured
from tests.benchmarks.payloads import TEXT_FREE, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.component import Processor
    from pipeline.signals import Batch

SPANS: Final = 100
REQUESTS: Final = 100
WARM_UP: Final = 20
NATIVE: Final = "native span, 15 attributes"
FLATTENED: Final = "flattened span, 60 attributes"
BARS_US: Final = {NATIVE: 5.0, FLATTENED: 25.0}
"""Most that a span may cost beyond its views."""
_START_NS: Final = 1_790_000_000_000_000_000
_TURNS: Final = 12
_TOOLS: Final = 3


def measure() -> dict[str, float]:
    """CPU microseconds per span of the normaliser alone, by how the spans are written."""
    native = requests(TEXT_FREE, spans=SPANS, count=REQUESTS + WARM_UP)
    return {NATIVE: _measure(native), FLATTENED: _measure(list(flattened(count=REQUESTS + WARM_UP)))}


def _measure(bodies: list[bytes]) -> float:
    processor: Processor = configured(registry.get(Kind.PROCESSOR, "gen_ai_normalizer"))
    # As in the program itself, where the garbage collector has other settings than in Python.
    settle()
    spent = [_run(processor, parse(Signal.TRACES, body)) for body in bodies]
    return statistics.median(spent[WARM_UP:]) / 1e3 / SPANS


def _run(processor: Processor, batch: Batch) -> int:
    for record in batch.records():
        record.attributes.get("gen_ai.request.model")
    start = time.process_time_ns()
    processor.process(batch)
    return time.process_time_ns() - start


def flattened(*, count: int, spans: int = SPANS, seed: int = 1) -> Iterator[bytes]:
    """Requests of spans as OpenLLMetry writes them before version 0.55: a key for each field of each message."""
    rng = random.Random(seed)
    for _ in range(count):
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.openai.v1"
        scope.scope.version = "0.50.1"
        scope.spans.extend(_span(rng) for _ in range(spans))
        yield request.SerializeToString()


def _span(rng: random.Random) -> Span:
    start = _START_NS + rng.randrange(10**12)
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8),
        name="openai.chat",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + rng.randrange(10**8, 10**10),
        attributes=[_pair(key, value) for key, value in _attributes(rng).items()],
    )


def _attributes(rng: random.Random) -> dict[str, str | int | float | bool]:
    input_tokens, output_tokens = rng.randrange(20, 4000), rng.randrange(1, 900)
    found: dict[str, str | int | float | bool] = {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.7,
        "llm.headers": "None",
        "llm.is_streaming": False,
        "gen_ai.openai.api_base": "https://api.openai.com/v1/",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{rng.randrange(16**12):012x}",
        "gen_ai.openai.system_fingerprint": "fp_44709d6fcb",
        "llm.usage.total_tokens": input_tokens + output_tokens,
        "gen_ai.usage.prompt_tokens": input_tokens,
        "gen_ai.usage.completion_tokens": output_tokens,
        "gen_ai.usage.cache_read_input_tokens": 0,
        "traceloop.workflow.name": "support",
        "traceloop.entity.path": "support.answer",
        "traceloop.association.properties.user_id": f"user-{rng.randrange(10**6)}",
        "traceloop.association.properties.session_id": f"conv-{rng.randrange(10**9)}",
        "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": _text(rng),
        "gen_ai.completion.0.tool_calls.0.id": f"call_{rng.randrange(16**12):012x}",
        "gen_ai.completion.0.tool_calls.0.name": "find_order",
        "gen_ai.completion.0.tool_calls.0.arguments": f'{{"order": {rng.randrange(10**6)}}}',
    }
    for index in range(_TURNS):
        found[f"gen_ai.prompt.{index}.role"] = "assistant" if index % 2 else "user"
        found[f"gen_ai.prompt.{index}.content"] = _text(rng)
    for index in range(_TOOLS):
        found[f"llm.request.functions.{index}.name"] = f"tool_{index}"
        found[f"llm.request.functions.{index}.description"] = "Finds an order by its number."
        found[f"llm.request.functions.{index}.parameters"] = '{"type": "object", "properties": {}}'
    return found | {"app.feature": "support", "app.turn": rng.randrange(90)}


def _text(rng: random.Random) -> str:
    return f"Where is my order {rng.randrange(10**9)}? It should have been here two days ago."


def _pair(key: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))
