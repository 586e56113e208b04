"""Memory limiter: refuses by what is held, resumes when it is gone, and does not latch on the resident size."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.errors import Refused
from pipeline.signals import LEDGER, Rooms
from pipeline.testing import CollectingSink, FakeClock, make_host, metric_value, traces
from pipeline.worker import Worker
from processors.memory_limiter import MemoryLimiter, MemoryLimiterConfig, memory_bytes

MIB = 1 << 20


def limiter(rss: int = 0, clock: FakeClock | None = None, **config: Any) -> MemoryLimiter:
    host = make_host("memory_limiter", clock=clock or FakeClock())
    settings = MemoryLimiterConfig(**({"check_interval": 1.0, "limit_mib": 100} | config))
    processor = MemoryLimiter(settings, host, rss=lambda: rss)
    processor.next = CollectingSink()
    return processor


@pytest.fixture(autouse=True)
def nothing_waits() -> None:
    """What other tests have left in circles is no telemetry."""
    if LEDGER.resting_bytes:
        gc.collect()


@pytest.fixture
def held() -> Any:
    """Bytes entered into the ledger for the length of a test."""
    entered: list[int] = []

    def hold(size_bytes: int) -> None:
        LEDGER.add(size_bytes)
        entered.append(size_bytes)

    yield hold
    LEDGER.add(-sum(entered))


async def test_passes_while_little_is_held() -> None:
    processor = limiter()
    processor.check()
    await processor.consume(traces({}, {}))
    assert metric_value(processor.host, "otelcol_processor_memory_limiter_accepted_spans_total") == 2


async def test_refuses_above_the_soft_limit_and_resumes(held: Any) -> None:
    processor = limiter()
    held(30 * MIB)
    processor.check()
    with pytest.raises(Refused, match="data refused due to high memory usage"):
        await processor.consume(traces({}))
    with pytest.raises(Refused):
        await processor.reserve(traces({}), Rooms())
    assert metric_value(processor.host, "otelcol_processor_memory_limiter_refused_spans_total") == 2
    used, limit = (metric_value(processor.host, f"penstock_memory_limiter_{name}_bytes") for name in ("used", "limit"))
    assert used > limit == 80 * MIB
    held(-30 * MIB)
    processor.check()
    await processor.consume(traces({}))


async def test_a_burst_between_two_checks_is_refused_at_the_hard_limit(held: Any) -> None:
    processor = limiter()
    processor.check()
    held(40 * MIB)
    with pytest.raises(Refused):
        await processor.consume(traces({}))


async def test_what_waits_as_bytes_alone_counts_once() -> None:
    processor = limiter()
    LEDGER.rest(70 * MIB)
    try:
        processor.check()
        await processor.consume(traces({}))
        LEDGER.rest(40 * MIB)
        with pytest.raises(Refused):
            await processor.consume(traces({}))
        LEDGER.rest(-40 * MIB)
    finally:
        LEDGER.rest(-70 * MIB)


def test_the_resident_size_refuses_only_while_telemetry_is_held(held: Any) -> None:
    processor = limiter(rss=500 * MIB)
    processor.check()
    assert not processor._refusing
    held(10 * MIB)
    processor.check()
    assert processor._refusing


async def test_measures_again_every_interval(held: Any) -> None:
    clock = FakeClock()
    processor = limiter(clock=clock)
    await processor.start()
    await clock.settle()
    held(30 * MIB)
    await clock.advance(1)
    with pytest.raises(Refused):
        await processor.consume(traces({}))
    await processor.stop()


@pytest.mark.parametrize(
    ("config", "hard_mib", "soft_mib"),
    [
        ({"limit_mib": 100}, 100, 80),
        ({"limit_mib": 100, "spike_limit_mib": 30}, 100, 70),
        ({"limit_mib": 100, "limit_percentage": 50}, 100, 80),
    ],
)
def test_limits(config: dict[str, Any], hard_mib: int, soft_mib: int) -> None:
    processor = limiter(**config)
    assert (processor.hard_bytes, processor.soft_bytes) == (hard_mib * MIB, soft_mib * MIB)


def test_percentages_are_of_the_memory_there_is() -> None:
    processor = limiter(limit_mib=0, limit_percentage=50, spike_limit_percentage=10)
    assert processor.hard_bytes == memory_bytes() * 50 // 100
    assert processor.hard_bytes - processor.soft_bytes == memory_bytes() * 10 // 100


@pytest.mark.parametrize("name", ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"])
def test_a_cgroup_limit_counts(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("1048576\n")
    assert memory_bytes(tmp_path) == MIB
    file.write_text("max\n")
    assert memory_bytes(tmp_path) > MIB


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"limit_mib": 1}, "'check_interval' must be greater than zero"),
        ({"check_interval": 1.0}, "'limit_mib' or 'limit_percentage' must be greater than zero"),
        ({"check_interval": 1.0, "limit_mib": 5, "spike_limit_mib": 5}, "'spike_limit_mib' must be smaller"),
        ({"check_interval": 1.0, "limit_percentage": 101}, "less than or equal to 100"),
        (
            {"check_interval": 1.0, "limit_percentage": 10, "spike_limit_percentage": 10},
            "'spike_limit_percentage' must be smaller",
        ),
    ],
)
def test_a_configuration_that_makes_no_sense_is_an_error(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MemoryLimiterConfig(**config)


def test_garbage_is_collected_at_most_once_an_interval(held: Any) -> None:
    clock = FakeClock()
    processor = limiter(clock=clock)
    held(30 * MIB)
    processor.check()
    collected = processor._collected_at
    clock._now = 5.0
    processor.check()
    assert processor._collected_at == collected
    clock._now = 40.0
    processor.check()
    assert processor._collected_at == 40.0


@pytest.mark.parametrize(
    ("config", "whole"),
    [({"limit_mib": 100, "spike_limit_mib": 30}, 100 * MIB), ({"limit_mib": 0, "limit_percentage": 50}, None)],
)
def test_workers_divide_the_limits(config: dict[str, Any], whole: int | None) -> None:
    settings = MemoryLimiterConfig(check_interval=1.0, **config)
    host = make_host("memory_limiter", worker=Worker(3, 4))
    processor, alone = MemoryLimiter(settings, host), MemoryLimiter(settings, make_host("memory_limiter"))
    assert processor.hard_bytes == alone.hard_bytes // 4
    assert processor.soft_bytes == alone.soft_bytes // 4
    assert whole is None or alone.hard_bytes == whole
