"""How often garbage is collected above the limits."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.signals import LEDGER
from pipeline.testing import FakeClock, make_host
from processors.memory_limiter import MemoryLimiter, MemoryLimiterConfig

MIB = 1 << 20
SOFT, HARD = 30, 40  # held MiB, counted threefold, of a limit of 100 MiB


@pytest.fixture(autouse=True)
def nothing_waits() -> None:
    """What other tests have left in circles is no telemetry."""
    if LEDGER.resting_bytes:
        gc.collect()


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Iterator[None]:
    """So many MiB of telemetry are held."""
    LEDGER.add(request.param * MIB)
    yield
    LEDGER.add(-request.param * MIB)


def collections(config: dict[str, Any], seconds: int) -> list[int]:
    """The seconds at which garbage is collected when memory is measured every second and none is freed."""
    clock = FakeClock()
    settings = MemoryLimiterConfig(**{"check_interval": 1.0, "limit_mib": 100, **config})
    limiter = MemoryLimiter(settings, make_host("memory_limiter", clock=clock), rss=lambda: 100 * MIB)
    times = []
    for second in range(seconds):
        before = limiter._collected_at
        limiter.check()
        if limiter._collected_at != before:
            times.append(second)
        clock._now += 1.0
    return times


@pytest.mark.parametrize(
    ("held", "key"),
    [(SOFT, "min_gc_interval_when_soft_limited"), (HARD, "min_gc_interval_when_hard_limited")],
    indirect=["held"],
)
def test_least_pause_between_collections(held: None, key: str) -> None:
    longest = {key.replace("min", "max"): 0.0}
    assert collections({key: 4.0, **longest}, 13) == [0, 4, 8, 12]
    assert collections({key: 0.0, **longest}, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    ("held", "key"),
    [(SOFT, "max_gc_interval_when_soft_limited"), (HARD, "max_gc_interval_when_hard_limited")],
    indirect=["held"],
)
def test_longest_pause_when_collections_free_little(held: None, key: str) -> None:
    least = {key.replace("max", "min"): 0.0}
    assert collections({key: 5.0, **least}, 18) == [0, 1, 3, 7, 12, 17]
    assert collections({key: 60.0, **least}, 18) == [0, 1, 3, 7, 15]
