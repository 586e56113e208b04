"""Metrics of `tail_sampling`: the Collector's names, and our own for what the Collector does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.telemetry.meter import Meter
from processors.tail_sampling.sampler import Sampler
from processors.tail_sampling.tally import AGE_BUCKETS_S, Ages, Tally

_COLLECTOR: Final = "otelcol_processor_tail_sampling_"
_OURS: Final = "penstock_sampling_"
_MS_BUCKETS: Final = (1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2000, 3000, 4000, 5000, 10000)

# Series by rule and tenant; beyond it tenants are counted together.
_MOST_SERIES: Final = 1000
_OTHERS: Final = "_other"


class SamplingMetrics:
    """Takes over what a sampler has counted."""

    def __init__(self, meter: Meter, component: str) -> None:
        """Make the series that are always there; `component` is the id, for what all processors count."""
        self._meter = meter
        self._labels: set[tuple[bool, str, str]] = set()
        counter = meter.counter
        self._new = counter(f"{_COLLECTOR}new_trace_id_received", "Counts the arrival of new traces")
        self._early = counter(f"{_COLLECTOR}sampling_trace_dropped_too_early", _TOO_EARLY)
        self._too_large = counter(f"{_COLLECTOR}traces_dropped_too_large", _TOO_LARGE)
        self._global = {
            decision: counter(f"{_COLLECTOR}global_count_traces_sampled", _GLOBAL, sampled=sampled, decision=decision)
            for decision, sampled in (("sampled", "true"), ("not_sampled", "false"), ("dropped", "false"))
        }
        self._cached = {
            kept: counter(f"{_COLLECTOR}early_releases_from_cache_decision", _CACHED, sampled=str(kept).lower())
            for kept in (True, False)
        }
        self._late = {
            kept: counter(f"{_OURS}late_spans", _LATE, outcome="kept" if kept else "dropped") for kept in (True, False)
        }
        self._streamed = counter(f"{_OURS}streamed_spans", "Spans of traces that had been kept early.")
        self._kept_early = counter(f"{_OURS}early_decisions", "Traces decided before their wait was over: certain.")
        self._shortened = counter(f"{_OURS}shortened_waits", "Traces decided before their wait was over: no room.")
        self._unwaited = counter(f"{_OURS}stateless_decisions", "Traces decided by their randomness alone: no room.")
        self._let_go = counter(f"{_OURS}traces_let_go", "Undecided traces whose spans come again to somebody else.")
        self._unscanned = counter(f"{_OURS}unscanned_parts", "Parts of requests that a policy failed to look at.")
        self._unreadable = counter(f"{_OURS}unreadable_traces", "Kept traces that the disk did not give back: lost.")
        self._spill_failures = counter(f"{_OURS}spill_failures", "Times that the disk began to fail: no spilling then.")
        labels = {"component": component, "reason": "not_sampled", "otel_signal": "traces"}
        self._dropped = meter.registry.counter("penstock_dropped_items", "Items dropped on purpose, by reason.", labels)
        self._ages = meter.histogram(f"{_COLLECTOR}sampling_trace_removal_age", _AGE, AGE_BUCKETS_S)
        self._timer = meter.histogram(f"{_COLLECTOR}sampling_decision_timer_latency", _TIMER, _MS_BUCKETS)

    def watch(
        self, sampler: Callable[[], Sampler], leaving_bytes: Callable[[], int], clock: Callable[[], float]
    ) -> None:
        """Gauges of the sampler that is at work and of what is on its way out."""
        watch = self._meter.watch
        watch(f"{_COLLECTOR}sampling_traces_on_memory", "Tracks the number of traces current on memory",
              lambda: len(sampler().open))  # fmt: skip
        watch(f"{_OURS}buffer_bytes", "Memory that undecided traces take.", lambda: sampler().store.held_bytes)
        watch(f"{_OURS}buffer_capacity_bytes", "Memory that undecided traces may take.",
              lambda: sampler().store.settings.max_bytes)  # fmt: skip
        watch(f"{_OURS}decision_lag_seconds", "How long ago the trace was due that should have been decided first.",
              lambda: sampler().lag_s(clock()))  # fmt: skip
        watch(f"{_OURS}spilled_bytes", "Room on disk that undecided traces take.",
              lambda: sampler().store.spill.disk_bytes)  # fmt: skip
        watch(f"{_OURS}leaving_bytes", "Bytes of kept spans that have not left.", leaving_bytes)
        watch(f"{_OURS}overload_step", "0 none, 1 waits are shortened, 2 new traces do not wait.",
              lambda: sampler().step)  # fmt: skip

    def spill_failed(self) -> None:
        """The disk has begun to fail."""
        self._spill_failures.inc()

    def tick(self, took_ms: float) -> None:
        """A look at what is due took so long."""
        self._timer.observe(took_ms)

    def publish(self, tally: Tally) -> None:
        """Add what was counted."""
        for series, count in (
            (self._new, tally.new_traces),
            (self._early, tally.shortened),
            (self._too_large, tally.too_large),
            (self._kept_early, tally.early),
            (self._shortened, tally.shortened),
            (self._unwaited, tally.unwaited),
            (self._let_go, tally.let_go),
            (self._unreadable, tally.unreadable),
            (self._unscanned, tally.unscanned),
            (self._streamed, tally.streamed_spans),
        ):
            if count:
                series.inc(count)
        for kept, spans in tally.late_spans.items():
            if spans:
                self._late[kept].inc(spans)
                self._cached[kept].inc(spans)
        self._dropped.inc(tally.dropped_spans)
        for (kept, rule, tenant), (traces, spans) in tally.decided.items():
            self._decided(kept, rule, tenant, traces, spans)
        _observe_all(self._ages, tally.removal_ages)

    def _decided(self, kept: bool, rule: str, tenant: str, traces: int, spans: int) -> None:
        self._global["sampled" if kept else "dropped" if rule else "not_sampled"].inc(traces)
        key = kept, rule, tenant
        if key not in self._labels:
            if len(self._labels) >= _MOST_SERIES:
                tenant = _OTHERS
            else:
                self._labels.add(key)
        outcome = "kept" if kept else "dropped"
        labels = {"rule": rule, "tenant": tenant}
        self._meter.counter(f"{_OURS}{outcome}_traces", f"Traces that were {outcome}.", **labels).inc(traces)
        self._meter.counter(f"{_OURS}{outcome}_spans", f"Spans of traces that were {outcome}.", **labels).inc(spans)


_GLOBAL: Final = "Global count of traces that were sampled or not by at least one policy"
_TOO_EARLY: Final = "Count of traces that needed to be decided before the configured wait time"
_TOO_LARGE: Final = "Count of traces that were dropped because they were too large"
_CACHED: Final = "Number of spans that were able to be immediately released due to a decision cache hit."
_LATE: Final = "Spans that came after their trace was decided, and followed it."
_AGE: Final = "Time (in seconds) from arrival of a new trace until its removal from memory"
_TIMER: Final = "Latency (in milliseconds) of each run of the sampling decision timer"


def _observe_all(histogram: Any, ages: Ages) -> None:
    """What `observe` would do for each, in one step for each bucket."""
    if not any(ages.counts):
        return
    histogram._sum.inc(ages.sum_s)  # noqa: SLF001 - prometheus_client has no way to enter many values at once
    for bucket, count in zip(histogram._buckets, ages.counts, strict=True):  # noqa: SLF001 - see above
        if count:
            bucket.inc(count)


__all__ = ["SamplingMetrics"]
