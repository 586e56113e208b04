"""CPU microseconds per span of the OTLP/JSON codec: `python tests/benchmarks/json_codec.py`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline.signals import otlp_json
from pipeline.signals.repair import repair_utf8
from pipeline.signals.signal import Signal

SPANS = 100
ROUNDS = 30


def request() -> ExportTraceServiceRequest:
    """100 LLM spans of about 3.6 KB: 15 attributes, two of them long texts, one nested; all different."""
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "chat"
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "opentelemetry.instrumentation.openai.v1"
    for number in range(SPANS):
        _fill(scope_spans.spans.add(), number)
    return message


def _fill(span: Span, number: int) -> None:
    span.trace_id, span.span_id, span.parent_span_id = random.randbytes(16), random.randbytes(8), random.randbytes(8)
    span.name, span.kind = "chat gpt-4o-mini", Span.SPAN_KIND_CLIENT
    span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_000 + number, 1_700_000_001_000_000_000
    for index in range(8):
        span.attributes.add(key=f"gen_ai.request.value_{index}").value.string_value = _words(2)
    for index in range(3):
        span.attributes.add(key=f"gen_ai.usage.{index}_tokens").value.int_value = random.randrange(4000)
    span.attributes.add(key="gen_ai.request.temperature").value.double_value = random.random()
    reasons = span.attributes.add(key="gen_ai.response.finish_reasons").value.array_value
    reasons.values.add().string_value = "stop"
    span.attributes.add(key="gen_ai.input.messages").value.string_value = _words(300)
    message = span.attributes.add(key="gen_ai.output.messages").value.kvlist_value
    message.values.add(key="role").value.string_value = "assistant"
    message.values.add(key="content").value.string_value = _words(120)
    span.events.add(name="gen_ai.choice", time_unix_nano=1_700_000_000_500_000_000)


def _words(count: int) -> str:
    return " ".join("".join(random.choices("abcdefghijklmnop", k=6)) for _ in range(count))


def us_per_span(work: Callable[[], object]) -> float:
    """The best of some rounds, in CPU microseconds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time_ns()
        work()
        best = min(best, time.process_time_ns() - begin)
    return best / 1000 / SPANS


def main() -> None:
    """Print one line per direction."""
    message = request()
    wire, text = message.SerializeToString(), otlp_json.encode(message)
    print(f"protobuf {len(wire) // SPANS} B, JSON {len(text) // SPANS} B a span")
    print(f"encode       {us_per_span(lambda: otlp_json.encode(message)):6.1f} us/span")
    print(f"decode       {us_per_span(lambda: otlp_json.decode(Signal.TRACES, text)):6.1f} us/span")
    print(f"repair_utf8  {us_per_span(lambda: repair_utf8(Signal.TRACES, wire)):6.1f} us/span (only after a refusal)")


if __name__ == "__main__":
    main()
