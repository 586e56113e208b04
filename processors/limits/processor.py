"""Processor `limits`: the component. What it does is in `places` (values), `records` and `traces`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from pipeline.component import Host, Processor
from pipeline.signals import Batch, LogRecord, Record, Signal, Span
from processors.limits.config import LimitsConfig
from processors.limits.marker import Marker
from processors.limits.places import Places
from processors.limits.policy import NO_LIMIT, Policy
from processors.limits.records import SPAN, TRACE, Records
from processors.limits.tally import Tally
from processors.limits.traces import SHARE, TraceMemory, TracesByPipeline
from processors.limits.values import Values

CUT_ATTRIBUTE: Final = "penstock.limits.cut"
"""How many values of a record were cut or removed (int)."""
TRACE_TOO_LARGE: Final = "trace_too_large"
"""Why a span was dropped: its trace had no room for it (`over_trace: drop`)."""


class Limits(Processor):
    """Cuts what is too long for a backend: values, spans and traces by their bytes.

    JSON stays valid JSON: long strings in it become shorter first, then arrays lose their middle. The end of what was
    cut says how many bytes are missing, the record how many values (`penstock.limits.cut`). Numbers and booleans are
    never touched. It belongs in front of a backend that has such limits, such as Tempo, behind everything that reads
    texts.
    """

    type: ClassVar[str] = "limits"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    behind: ClassVar[frozenset[str]] = frozenset({"gen_ai_normalizer", "adversarial", "redaction"})
    Config = LimitsConfig
    config: LimitsConfig

    def __init__(self, config: LimitsConfig, host: Host) -> None:
        """Read the limits."""
        super().__init__(config, host)
        own = {key: limit.max_bytes for key, limit in config.attributes.items()}
        policy = Policy(config.max_attribute_bytes, own, config.keep, config.yielding())
        values = Values(Marker(config.marker))
        self._tally = Tally(host.meter)
        self._places = Places(policy, values, self._tally)
        self._records = Records(policy, values, self._tally)
        memory = config.trace_memory
        traces = host.shared(TracesByPipeline, TracesByPipeline)[host.pipeline]
        self._traces = TraceMemory(host.clock, traces, config.max_trace_bytes, memory.max_entries, memory.idle)

    @classmethod
    def sees_all_of(cls, config: LimitsConfig) -> Literal["", "traces", "series"]:
        """With a limit for traces it must see all spans of a trace."""
        return "traces" if config.max_trace_bytes else ""

    def process(self, batch: Batch) -> Batch:
        """Cut what is too long in every record, and in what the records share."""
        for resource in batch.resources():
            self._places.resource(resource)
        records: Sequence[Any] = batch.records()
        if records:
            # Sizes are those of the message.
            records[0].content.flush()
        places = self._places
        cut = places.span if batch.signal is Signal.TRACES else places.log
        for record in records:
            if count := cut(record):
                _mark(record, count)
        if records and (self.config.max_span_bytes or self.config.max_trace_bytes):
            records[0].content.flush()
            over = [record for record in records if not self._fit(record)]
            if over and self.config.over_trace == "drop":
                self.drop(batch, over, TRACE_TOO_LARGE)
        self._tally.write()
        return batch

    def _fit(self, record: Span | LogRecord) -> bool:
        """Bring a record under its limits; False where its trace has no room for it."""
        size = record.pb.ByteSize()
        limit = self.config.max_span_bytes or NO_LIMIT
        if size > limit:
            size = self._cut_to(record, size, limit, SPAN)
            if size > limit:
                self._tally.over(SPAN)
        trace_id = record.trace_id if self.config.max_trace_bytes and isinstance(record, Span) else b""
        return not trace_id or self._fit_into_trace(record, trace_id, size)

    def _fit_into_trace(self, record: Record, trace_id: bytes, size: int) -> bool:
        left = self._traces.left(trace_id)
        if size > left // SHARE:
            size = self._cut_to(record, size, max(0, left // SHARE), TRACE)
        if size > left:
            if self.config.over_trace == "drop":
                return False
            self._tally.over(TRACE)
        self._traces.add(trace_id, size)
        return True

    def _cut_to(self, record: Record, size: int, limit: int, name: str) -> int:
        size, count = self._records.fit(record, size, limit, name)
        if count:
            _mark(record, count)
        return size


def _mark(record: Record, count: int) -> None:
    before = record.attributes.get(CUT_ATTRIBUTE)
    record.attributes[CUT_ATTRIBUTE] = count + (before if type(before) is int else 0)
