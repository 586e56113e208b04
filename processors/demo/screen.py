"""What the demo shows: a row per call as it arrives, and what it came to in the end."""

from __future__ import annotations

import queue
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.calls import Call, calls, masked_in_logs, spans
from processors.demo.masking import Change, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(slots=True)
class Totals:
    """Sums over all that arrived."""

    spans: int = 0
    log_records: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: Counter[str] = field(default_factory=Counter)
    """Calls without a price, by reason; those that failed before they cost anything are not among them."""
    redacted: Counter[str] = field(default_factory=Counter)

    def add(self, call: Call) -> None:
        """Count one call."""
        self.calls += 1
        self.input_tokens += call.input_tokens or 0
        self.output_tokens += call.output_tokens or 0
        self.cost_usd += call.cost_usd or 0.0
        if call.unpriced:
            self.unpriced[call.unpriced] += 1

    def include(self, spans: int, log_records: int) -> bool:
        """Whether so many have arrived."""
        return self.spans >= spans and self.log_records >= log_records

    def line(self) -> str:
        """All of it in one line."""
        reasons = f": {_list(self.unpriced)}" if self.unpriced else ""
        return (
            f"{self.calls} calls in {self.spans} spans and {self.log_records} log records: "
            f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out, ${self.cost_usd:.4f} "
            f"({self.unpriced.total()} calls without a price{reasons}); "
            f"{self.redacted.total()} values masked ({_list(self.redacted) or 'none'})"
        )


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


class Screen:
    """Takes what the collector sends and prints a row per call.

    Log records carry the text of some instrumentations' calls and arrive apart from the spans: a row waits for
    `flush` so that what was masked in them is counted with the call.
    """

    def __init__(self, show: Callable[[str], object]) -> None:
        """Print lines with `show`."""
        self.arrived: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self.totals = Totals()
        self.change: Change | None = None
        """An attribute of a remembered span that came out changed."""
        self._originals: dict[bytes, Span] = {}
        self._show = show
        self._waiting: list[Call] = []
        self._masked_in_logs: dict[bytes, Counter[str]] = {}

    def take(self, signal: str, body: bytes) -> None:
        """Hand over an export request; may be called from any thread."""
        self.arrived.put((signal, body))

    def remember(self, requests: Iterable[Any]) -> None:
        """Keep spans as they are before the collector has them; `change` will show what became of one."""
        self._originals.update((span.span_id, span) for request in requests for span in spans(request))

    def pump(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        """Work on what arrives for so long, or until a condition holds; returns whether it held."""
        deadline = time.monotonic() + seconds
        while not until():
            try:
                signal, body = self.arrived.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return until()
            self._work_on(signal, body)
        return True

    def flush(self) -> None:
        """Print the rows of the calls that have arrived."""
        for call in sorted(self._waiting, key=lambda call: call.ended_unix_ns):
            if call.span_id:
                call.redacted.update(self._masked_in_logs.pop(call.span_id, Counter()))
            self._show(call.row())
        self._waiting.clear()

    def _work_on(self, signal: str, body: bytes) -> None:
        if signal == "traces":
            self._take_spans(ExportTraceServiceRequest.FromString(body))
        elif signal == "logs":
            self._take_logs(ExportLogsServiceRequest.FromString(body))

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for span in spans(request):
            self.totals.spans += 1
            original = self._originals.get(span.span_id)
            if self.change is None and original is not None:
                self.change = next(changes(original, span), None)
        for call in calls(request):
            self.totals.add(call)
            self.totals.redacted.update(call.redacted)
            self._waiting.append(call)

    def _take_logs(self, request: ExportLogsServiceRequest) -> None:
        self.totals.log_records += sum(len(s.log_records) for group in request.resource_logs for s in group.scope_logs)
        for span_id, masked in masked_in_logs(request):
            self.totals.redacted.update(masked)
            if span_id:
                self._masked_in_logs.setdefault(span_id, Counter()).update(masked)
        for call in calls(request):
            self.totals.add(call)
            self._waiting.append(call)
