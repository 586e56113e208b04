"""Metrics of the process."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from pipeline.signals.memory import LEDGER
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.telemetry.process import ProcessMetrics, lag_histogram, memory_bytes, probe_loop


def test_process_metrics_are_read_when_asked() -> None:
    registry = MetricsRegistry()
    ProcessMetrics(registry)
    LEDGER.add(12345)
    try:
        value = registry.collector.get_sample_value
        assert (value("penstock_held_bytes") or 0) >= 12345
        assert (value("otelcol_process_uptime_total") or -1) >= 0
        assert (value("otelcol_process_cpu_seconds_total") or 0) > 0
        assert (value("otelcol_process_memory_rss") or 0) > 1 << 20
        assert (value("otelcol_process_runtime_total_sys_memory_bytes") or 0) > 1 << 20
    finally:
        LEDGER.add(-12345)


def test_memory_is_resident_and_data() -> None:
    assert set(memory_bytes()) == {"VmRSS", "VmData"}


async def test_probe_sees_a_blocked_loop() -> None:
    registry = MetricsRegistry()
    probe = asyncio.create_task(probe_loop(lag_histogram(registry)))
    await asyncio.sleep(0.01)
    time.sleep(0.2)  # noqa: ASYNC251 - blocking the loop is what is measured
    await asyncio.sleep(0.1)
    probe.cancel()
    with suppress(asyncio.CancelledError):
        await probe
    value = registry.collector.get_sample_value
    total = value("penstock_loop_lag_seconds_count") or 0
    below = value("penstock_loop_lag_seconds_bucket", {"le": "0.1"}) or 0
    assert total - below >= 1
