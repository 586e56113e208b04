"""What traces have had is known within a bounded memory."""

from __future__ import annotations

from collections import OrderedDict

from pipeline.testing import FakeClock
from processors.limits.traces import TraceMemory


def test_what_a_trace_has_had_adds_up() -> None:
    memory = TraceMemory(FakeClock(), OrderedDict(), 100, 10, 60)
    memory.add(b"a", 30)
    memory.add(b"a", 20)
    assert (memory.left(b"a"), memory.left(b"b")) == (50, 100)


def test_the_one_unseen_for_longest_goes() -> None:
    memory = TraceMemory(FakeClock(), OrderedDict(), 100, 2, 60)
    for trace_id in (b"a", b"b", b"a", b"c"):
        memory.add(trace_id, 10)
    assert [memory.left(trace_id) for trace_id in (b"a", b"b", b"c")] == [80, 100, 90]
    assert len(memory) == 2


async def test_an_idle_one_goes() -> None:
    clock = FakeClock()
    memory = TraceMemory(clock, OrderedDict(), 100, 10, 60)
    memory.add(b"a", 10)
    await clock.advance(59)
    memory.add(b"b", 10)
    await clock.advance(2)
    assert (memory.left(b"a"), memory.left(b"b"), len(memory)) == (100, 90, 1)
