"""Load for sampling: requests whose traces never come twice, and which of them simple policies keep."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from processors.sampling.hashing import fnv1a_64
from tests.benchmarks.payloads import Shape, requests

SPANS_A_REQUEST = 100
_ID_BYTES = 16
_DIFFERENT = 40
# No trace of the load takes exactly so long: whether such a one is kept differs from version to version.
LONG_MS, MANY_TOKENS = 9011, 800
_SHARE = 0.1
_SALTED = fnv1a_64(b"default-hash-seed")
_LARGEST_HASH = int(_SHARE * 2**64)

Policies = list[dict[str, Any]]
_ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
_SLOW = {"name": "slow", "type": "latency", "latency": {"threshold_ms": LONG_MS}}
_LARGE = {
    "name": "large",
    "type": "numeric_attribute",
    "numeric_attribute": {"key": "gen_ai.usage.output_tokens", "min_value": MANY_TOKENS, "max_value": 10**6},
}
_BASELINE = {"name": "baseline", "type": "probabilistic", "probabilistic": {"sampling_percentage": 100 * _SHARE}}
BASELINE: Policies = [_ERRORS, _SLOW, _BASELINE]
"""Keep about a fifth, and look at no attribute."""
ATTRIBUTE: Policies = [_ERRORS, _SLOW, _LARGE]
"""Keep about a fifth, and look at an attribute of each span."""
EVERYTHING: Policies = [{"name": "all", "type": "always_sample"}]


@dataclass(frozen=True, slots=True)
class _Trace:
    """A trace in the body of a request: where its id stands, and what policies find in it."""

    places: list[int]
    is_slow: bool
    is_large: bool

    def is_kept(self, trace_id: bytes, rules: frozenset[str]) -> bool:
        return (
            self.is_slow
            or "all" in rules
            or ("large" in rules and self.is_large)
            or ("baseline" in rules and fnv1a_64(trace_id, _SALTED) <= _LARGEST_HASH)
        )


class Load:
    """Requests; each time they are asked for, their traces have other ids.

    Attributes:
        kept: traces handed out so far that the policies keep.
        kept_spans: their spans.
    """

    def __init__(
        self,
        shape: Shape,
        policies: Policies = EVERYTHING,
        *,
        spans_a_trace: int = 1,
        spans: int = SPANS_A_REQUEST,
        seed: int = 1,
    ) -> None:
        """Make a few dozen, from which the others differ in ids."""
        bodies = requests(shape, spans=spans, count=_DIFFERENT, spans_a_trace=spans_a_trace, seed=seed)
        self._templates = [(body, _traces(body)) for body in bodies]
        self._rules = frozenset(policy["name"] for policy in policies)
        self._rng = random.Random(seed)
        self.kept: set[bytes] = set()
        self.kept_spans = 0

    def take(self, count: int) -> Iterator[bytes]:
        """So many requests."""
        for index in range(count):
            yield self._renewed(*self._templates[index % _DIFFERENT])

    def _renewed(self, body: bytes, traces: Sequence[_Trace]) -> bytes:
        renewed = bytearray(body)
        for trace in traces:
            trace_id = self._rng.randbytes(_ID_BYTES)
            if trace.is_kept(trace_id, self._rules):
                self.kept.add(trace_id)
                self.kept_spans += len(trace.places)
            for place in trace.places:
                renewed[place : place + _ID_BYTES] = trace_id
        return bytes(renewed)


def _traces(body: bytes) -> list[_Trace]:
    found: dict[bytes, list[Span]] = {}
    for span in ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans:
        found.setdefault(span.trace_id, []).append(span)
    return [_Trace(list(_places(body, trace_id)), *_facts(spans)) for trace_id, spans in found.items()]


def _places(body: bytes, trace_id: bytes) -> Iterator[int]:
    found = body.find(trace_id)
    while found >= 0:
        yield found
        found = body.find(trace_id, found + 1)


def _facts(spans: Sequence[Span]) -> tuple[bool, bool]:
    """Whether it is slow, and large."""
    start, end = min(span.start_time_unix_nano for span in spans), max(span.end_time_unix_nano for span in spans)
    tokens = (
        each.value.int_value for span in spans for each in span.attributes if each.key == "gen_ai.usage.output_tokens"
    )
    return (end - start) // 10**6 > LONG_MS, any(count >= MANY_TOKENS for count in tokens)
