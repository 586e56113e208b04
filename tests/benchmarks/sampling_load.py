"""Load for sampling: requests whose traces never come twice, and which of them simple policies keep."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.benchmarks.payloads import Shape, requests

SPANS_A_REQUEST = 100
_ID_BYTES = 16
_DIFFERENT = 40
# No trace of the load takes exactly so long: whether such a one is kept differs from version to version.
LONG_MS, MANY_TOKENS = 9011, 800
POLICIES = [
    {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
    {"name": "slow", "type": "latency", "latency": {"threshold_ms": LONG_MS}},
    {
        "name": "large",
        "type": "numeric_attribute",
        "numeric_attribute": {"key": "gen_ai.usage.output_tokens", "min_value": MANY_TOKENS, "max_value": 10**6},
    },
]
"""What both collectors keep: about a fifth."""


@dataclass(frozen=True, slots=True)
class _Template:
    body: bytes
    places: list[list[int]]
    """Of the trace id of each span, by trace."""
    kept: list[bool]


class Load:
    """Requests of 100 spans; each time they are asked for, their traces have other ids."""

    def __init__(self, shape: Shape, *, spans_a_trace: int = 1, spans: int = SPANS_A_REQUEST, seed: int = 1) -> None:
        """Make a few dozen, from which the others differ in ids."""
        bodies = requests(shape, spans=spans, count=_DIFFERENT, spans_a_trace=spans_a_trace, seed=seed)
        self._templates = [_template(body) for body in bodies]
        self._rng = random.Random(seed)

    def take(self, count: int) -> Iterator[bytes]:
        """So many requests."""
        for index in range(count):
            yield self._renewed(self._templates[index % _DIFFERENT])[0]

    def take_with_kept(self, count: int) -> tuple[list[bytes], set[bytes]]:
        """So many requests, and the ids of the traces in them that `POLICIES` keep."""
        bodies, kept = [], set()
        for index in range(count):
            template = self._templates[index % _DIFFERENT]
            body, ids = self._renewed(template)
            bodies.append(body)
            kept |= {trace_id for trace_id, is_kept in zip(ids, template.kept, strict=True) if is_kept}
        return bodies, kept

    def kept_spans(self, count: int) -> int:
        """Spans in so many requests that `POLICIES` keep."""
        templates = (self._templates[index % _DIFFERENT] for index in range(count))
        return sum(
            len(places)
            for template in templates
            for places, is_kept in zip(template.places, template.kept, strict=True)
            if is_kept
        )

    def _renewed(self, template: _Template) -> tuple[bytes, list[bytes]]:
        body, ids = bytearray(template.body), []
        for places in template.places:
            trace_id = self._rng.randbytes(_ID_BYTES)
            ids.append(trace_id)
            for place in places:
                body[place : place + _ID_BYTES] = trace_id
        return bytes(body), ids


def _template(body: bytes) -> _Template:
    traces: dict[bytes, list[Span]] = {}
    for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans:
        traces.setdefault(span.trace_id, []).append(span)
    places = {trace_id: list(_places(body, trace_id)) for trace_id in traces}
    assert all(len(places[trace_id]) == len(spans) for trace_id, spans in traces.items())
    return _Template(body, list(places.values()), [_is_kept(spans) for spans in traces.values()])


def _places(body: bytes, trace_id: bytes) -> Iterator[int]:
    found = body.find(trace_id)
    while found >= 0:
        yield found
        found = body.find(trace_id, found + 1)


def _is_kept(spans: Sequence[Span]) -> bool:
    start, end = min(span.start_time_unix_nano for span in spans), max(span.end_time_unix_nano for span in spans)
    tokens = (
        each.value.int_value for span in spans for each in span.attributes if each.key == "gen_ai.usage.output_tokens"
    )
    return (end - start) // 10**6 > LONG_MS or any(count >= MANY_TOKENS for count in tokens)
