"""The memory of texts is bounded, and keeps what is asked for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from prometheus_client import Counter

from pipeline.testing import make_host
from processors.adversarial.lanes import Known, Lanes
from processors.adversarial.telemetry import Series, Telemetry
from processors.adversarial.verdict import Label, Origin, Verdict


def lanes(*, max_entries: int = 100, max_bytes: int = 1 << 20) -> Lanes:
    telemetry = Telemetry(make_host().meter, shadow=False)
    empty, off = telemetry.skipped("empty"), telemetry.skipped("origin")
    return Lanes(Origin, max_entries=max_entries, max_bytes=max_bytes, empty=empty, off=off)


def attack(key: int) -> Verdict:
    rules = (f"override_verb + {key}", f"reveal_verb + {key}", f"system_prompt + {key}")
    return Verdict(key / 1e6, Label.ATTACK, "indirect", rules, "plain", key, key)


def harmless(key: int) -> Verdict:
    return Verdict(key / 1e6, Label.PASS)


def put(memory: Lanes, *keys: int, verdict: Callable[[int], Verdict] = harmless, origin: Origin = Origin.USER) -> None:
    lane = memory.of[origin]
    series = Series(Counter("x", "", registry=None))
    learned = []
    for key in keys:
        known = Known(series)
        memory.put(lane, key, known)
        known.learn(verdict(key), series, alarms=True)
        learned.append((lane, key, known))
    memory.settle(learned)


def knows(memory: Lanes, key: int, origin: Origin = Origin.USER) -> bool:
    lane = memory.of[origin]
    return (lane.young.get(key) or memory.find(lane, key)) is not None


def test_what_is_asked_for_stays() -> None:
    memory = lanes(max_entries=100)
    put(memory, 1, 2)
    for start in range(1000, 2000, 10):
        put(memory, *range(start, start + 10))
        assert knows(memory, 1)
        assert len(memory) <= 120
    assert not knows(memory, 2)


def test_bytes_are_bounded_too() -> None:
    memory = lanes(max_entries=1 << 20, max_bytes=100_000)
    for start in range(0, 10_000, 10):
        put(memory, *range(start, start + 10))
    assert len(memory) < 300


def test_without_memory_nothing_is_known() -> None:
    memory = lanes(max_entries=0)
    put(memory, 1)
    assert not knows(memory, 1)


def test_origins_do_not_share() -> None:
    memory = lanes()
    put(memory, 1)
    assert not knows(memory, 1, Origin.TOOL)


def test_tool_calls_of_past_and_present_share() -> None:
    memory = lanes()
    put(memory, 1, origin=Origin.TOOL_CALL)
    assert memory.past_calls.young.get(1) is not None


@pytest.mark.parametrize("verdict", [harmless, attack])
def test_the_stated_size_holds(verdict: Callable[[int], Verdict]) -> None:
    count = 20_000
    memory = lanes(max_entries=4 * count, max_bytes=1 << 30)
    keys = range(1 << 40, (1 << 40) + count)
    tracemalloc.start()
    put(memory, *keys, verdict=verdict)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.4 * memory.size_bytes < used < memory.size_bytes
