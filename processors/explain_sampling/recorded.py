"""What a recording says of each trace in it: the truth that estimates are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from pipeline.signals import Batch
from processors.marks import ROLE
from processors.sampling.thresholds import ALWAYS, NEVER, probability_of, randomness_of
from processors.sampling.tracestate import TraceState

_COST: Final = "penstock.cost.usd"
_TOKENS: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
_TWICE: Final = frozenset({"aggregate", "duplicate"})
"""Roles of spans whose tokens and cost another span says, too."""
_ERROR: Final = 2


@dataclass(slots=True)
class RecordedTrace:
    """One trace, all its spans together; a span that came twice counts once, but for its bytes.

    Attributes:
        threshold_in: the largest T with which its spans were sampled before; ALWAYS where they were not, or where their
            `th` is wrong.
    """

    trace_id: bytes
    spans: int = 0
    size_bytes: int = 0
    tokens: float = 0.0
    cost_usd: float = 0.0
    is_error: bool = False
    start_unix_ns: int = 0
    end_unix_ns: int = 0
    threshold_in: int = ALWAYS
    span_ids: set[bytes] = field(default_factory=set)

    @property
    def stands_for(self) -> float:
        """How many traces it stands for already."""
        return 1 / probability_of(self.threshold_in)


MEASURES: Final[Mapping[str, Callable[[RecordedTrace], float]]] = {
    "traces": lambda _: 1.0,
    "spans": lambda trace: trace.spans,
    "errors": lambda trace: trace.is_error,
    "tokens": lambda trace: trace.tokens,
    "cost, USD": lambda trace: trace.cost_usd,
}
"""What is estimated, of one trace. Errors are traces with a failed span."""


class Recording:
    """All traces, in the order in which they began to come."""

    def __init__(self) -> None:
        """Nothing recorded yet."""
        self.traces: dict[bytes, RecordedTrace] = {}
        self.requests = 0

    def add(self, batch: Batch) -> None:
        """One request."""
        self.requests += 1
        for record in batch.records():
            span: Any = record.pb
            trace = self.traces.get(span.trace_id)
            if trace is None:
                trace = self.traces[span.trace_id] = RecordedTrace(span.trace_id, start_unix_ns=NEVER << 8)
            trace.size_bytes += span.ByteSize()
            if span.span_id not in trace.span_ids:
                _add(trace, span, record.attributes)

    def total(self, measure: Callable[[RecordedTrace], float]) -> float:
        """The truth, each trace times what it stands for already."""
        return sum(measure(trace) * trace.stands_for for trace in self.traces.values())


def _add(trace: RecordedTrace, span: Any, attributes: Mapping[str, Any]) -> None:
    trace.span_ids.add(span.span_id)
    trace.spans += 1
    trace.is_error = trace.is_error or span.status.code == _ERROR
    trace.start_unix_ns = min(trace.start_unix_ns, span.start_time_unix_nano)
    trace.end_unix_ns = max(trace.end_unix_ns, span.end_time_unix_nano)
    if span.trace_state:
        trace.threshold_in = max(trace.threshold_in, _threshold(span))
    if attributes.get(ROLE) not in _TWICE:
        trace.tokens += sum(_number(attributes.get(key)) for key in _TOKENS)
        trace.cost_usd += _number(attributes.get(_COST))


def _threshold(span: Any) -> int:
    state = TraceState.read(span.trace_state)
    threshold = state.threshold or ALWAYS
    randomness = randomness_of(span.trace_id) if state.randomness is None else state.randomness
    return threshold if randomness >= threshold else ALWAYS


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else 0.0
