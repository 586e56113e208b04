"""When traces are due, and how they are found then."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.tail_sampling.config import DeadlineConfig
from processors.tail_sampling.deadlines import SLOT_S, Deadline, FixedWait, Quiet, Wheel
from processors.trace_buffer.trace import Trace


def trace(arrived_s: float = 0.0) -> Trace:
    made = Trace(bytes(16), 0, arrived_s, [])
    made.due_s = inf
    return made


def test_a_fixed_wait_runs_from_the_first_span() -> None:
    waiting = trace(5.0)
    waiting.last_s, waiting.has_root = 20.0, True
    assert FixedWait(30.0, 0.0).of(waiting) == 35.0


def test_a_root_may_shorten_a_fixed_wait_once() -> None:
    rule, waiting = FixedWait(30.0, 5.0), trace()
    waiting.due_s = rule.of(waiting)
    assert waiting.due_s == 30.0
    waiting.last_s, waiting.has_root = 10.0, True
    waiting.due_s = rule.of(waiting)
    assert waiting.due_s == 15.0
    waiting.last_s = 14.0
    assert rule.of(waiting) == 15.0
    late = trace()
    late.due_s, late.last_s, late.has_root = 30.0, 28.0, True
    assert rule.of(late) == 30.0


@pytest.mark.parametrize(
    ("last_s", "has_root", "spans", "size_bytes", "due_s"),
    [
        (10.0, False, 1, 1, 20.0),
        (10.0, True, 1, 1, 12.0),
        (297.0, False, 1, 1, 300.0),
        (299.0, True, 1, 1, 300.0),
        (10.0, True, 100, 1, 0.0),
        (10.0, False, 1, 1000, 0.0),
    ],
)
def test_a_trace_that_is_quiet_or_large_is_due(
    last_s: float, has_root: bool, spans: int, size_bytes: int, due_s: float
) -> None:
    waiting = trace()
    waiting.last_s, waiting.has_root, waiting.span_count, waiting.size_bytes = last_s, has_root, spans, size_bytes
    assert Quiet(DeadlineConfig(max_spans=100, max_bytes=1000)).of(waiting) == due_s


def found(wheel: Wheel, now_s: float, rule: Deadline | None = None) -> Iterator[Trace]:
    """What a look at the wheel finds due, as a sampler does it."""
    while (taken := wheel.take(now_s)) is not None:
        slot, traces = taken
        for each in traces:
            if wheel.is_in(each, slot):
                due_s = each.due_s if rule is None else rule.of(each)
                if due_s > now_s:
                    wheel.enter(each, due_s)
                else:
                    each.due_s = Wheel.NOWHERE_S
                    yield each


def test_a_trace_is_found_when_it_is_due_and_once() -> None:
    wheel, waiting = Wheel(), trace()
    wheel.enter(waiting, 1.0)
    assert list(found(wheel, 0.99)) == []
    assert list(found(wheel, 1.0)) == [waiting]
    assert list(found(wheel, 99.0)) == []


def test_a_deadline_may_move_forward_and_back() -> None:
    wheel, waiting, rule = Wheel(), trace(), Quiet(DeadlineConfig())
    wheel.enter(waiting, rule.of(waiting))
    waiting.last_s, waiting.has_root = 1.0, True
    wheel.enter(waiting, rule.of(waiting))
    waiting.last_s = 2.5
    assert list(found(wheel, 3.1, rule)) == []
    assert list(found(wheel, 4.4, rule)) == []
    assert list(found(wheel, 4.5, rule)) == [waiting]
    assert list(found(wheel, 99.0, rule)) == []


def test_lag_is_that_of_the_trace_that_has_been_due_for_longest() -> None:
    wheel = Wheel()
    assert wheel.lag_s(9.0) == 0
    for due_s in (1.0, 3.0):
        wheel.enter(trace(), due_s)
    assert wheel.lag_s(0.5) == 0
    assert wheel.lag_s(2.5) == 1.5
    wheel.take_first()
    assert wheel.lag_s(5.0) == 2.0


def test_what_is_put_back_is_found_again() -> None:
    wheel, first, second = Wheel(), trace(), trace()
    for each in (first, second):
        wheel.enter(each, 1.0)
    taken = wheel.take_first()
    assert taken is not None
    slot, traces = taken
    assert wheel.take_first() is None
    wheel.put_back(slot, traces[1:])
    assert list(found(wheel, 2.0)) == [second]
    assert wheel.take_first() is None


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=30), st.lists(st.floats(0, 20), max_size=20))
def test_every_trace_is_found_in_time_and_never_before(moves: list[tuple[float, float]], looks: list[float]) -> None:
    wheel = Wheel()
    traces = []
    for first_s, then_s in moves:
        each = trace()
        wheel.enter(each, first_s)
        if then_s < first_s:
            wheel.enter(each, then_s)
        traces.append((each, min(first_s, then_s)))
    seen: dict[int, float] = {}
    for now_s in [*sorted(looks), 30.0]:
        for each in found(wheel, now_s):
            assert id(each) not in seen
            seen[id(each)] = now_s
        for each, due_s in traces:
            assert (id(each) in seen) or now_s < due_s + SLOT_S
            assert id(each) not in seen or seen[id(each)] >= due_s
    assert len(seen) == len(traces)
