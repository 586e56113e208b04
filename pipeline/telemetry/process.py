"""Metrics of the process itself: time, memory, the delay of the event loop.

`process_runtime_heap_alloc_bytes` and `process_runtime_total_alloc_bytes` count what Go's allocator does; CPython keeps
no such sums, so they are left out. Memory is read from /proc and is left out where there is none.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pipeline.signals.memory import LEDGER
from pipeline.telemetry.meter import MetricsRegistry

LAG_BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
# Twenty wake-ups a second cost an idle process 0.2 % of a core.
_PROBE_INTERVAL_S: Final = 0.05
_STATUS: Final = Path("/proc/self/status")
_STATUS_LINE: Final = re.compile(r"^(VmRSS|VmData):\s+(\d+) kB$", re.MULTILINE)


def memory_bytes() -> dict[str, int]:
    """Resident memory (`VmRSS`) and memory obtained for data (`VmData`); empty where the system has no /proc."""
    try:
        text = _STATUS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    return {match[1]: int(match[2]) * 1024 for match in _STATUS_LINE.finditer(text)}


class ProcessMetrics:
    """Adds the process' metrics to a registry."""

    def __init__(self, registry: MetricsRegistry) -> None:
        """Begin to count uptime."""
        self._began = time.monotonic()
        registry.add_source(self.collect)

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        uptime_s = time.monotonic() - self._began
        yield CounterMetricFamily("otelcol_process_uptime", "Uptime of the process.", value=uptime_s)
        yield CounterMetricFamily(
            "otelcol_process_cpu_seconds", "Total CPU user and system time in seconds.", value=time.process_time()
        )
        memory = memory_bytes()
        if "VmRSS" in memory:
            yield GaugeMetricFamily(
                "otelcol_process_memory_rss", "Total physical memory (resident set size).", value=memory["VmRSS"]
            )
        if "VmData" in memory:
            yield GaugeMetricFamily(
                "otelcol_process_runtime_total_sys_memory_bytes",
                "Total bytes of memory obtained from the OS for data.",
                value=memory["VmData"],
            )
        yield GaugeMetricFamily(
            "penstock_held_bytes",
            "Bytes of telemetry held by batches, queues and buffers.",
            value=LEDGER.held_bytes + LEDGER.resting_bytes,
        )


def lag_histogram(registry: MetricsRegistry) -> Histogram:
    """The histogram that `probe_loop` fills."""
    return registry.histogram(
        "penstock_loop_lag_seconds", "How much later than asked the event loop woke a task.", {}, LAG_BUCKETS_S
    )


async def probe_loop(histogram: Histogram) -> None:
    """Measure the delay of the running event loop until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _PROBE_INTERVAL_S
        await asyncio.sleep(_PROBE_INTERVAL_S)
        histogram.observe(max(0.0, loop.time() - due))
