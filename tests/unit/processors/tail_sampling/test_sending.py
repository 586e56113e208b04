"""Large traces leave a portion at a time, whole, and end once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Refused
from pipeline.signals import Outcome
from pipeline.signals.wire import encode_varint
from processors.tail_sampling.sending import MAX_BYTES, MAX_SPANS, cut
from processors.trace_buffer.store import Store, StoreSettings
from tests.unit.processors.tail_sampling.test_sampler import ALL, Out, batch, sampler


def span(size_bytes: int) -> bytes:
    return b"\x12" + encode_varint(size_bytes) + b"x" * size_bytes


@given(st.lists(st.sampled_from([0, 1, 127, 128, 5000, 300_000, MAX_BYTES, MAX_BYTES + 1]), min_size=1, max_size=12))
def test_parts_are_the_whole(sizes: list[int]) -> None:
    body = b"".join(map(span, sizes))
    parts = list(cut(body, len(sizes)))
    assert b"".join(part for part, _ in parts) == body
    assert sum(count for _, count in parts) == len(sizes)
    assert all(len(part) <= MAX_BYTES or count == 1 for part, count in parts)


def test_parts_have_few_spans() -> None:
    parts = list(cut(span(3) * (2 * MAX_SPANS + 1), 2 * MAX_SPANS + 1))
    assert [count for _, count in parts] == [MAX_SPANS, MAX_SPANS, 1]


def test_a_giant_leaves_whole_with_room_for_others_in_between() -> None:
    out = Out()
    held = sampler(out, policies=[ALL], weights=True)
    first, second = batch(*[1] * 2000), batch(*[1] * 700, 2)
    held.add(first, 0.0)
    held.add(second, 0.0)
    turns = sum(1 for _ in held.ticking(31.0))
    assert turns > 8
    assert out.traces() == {1: 2700, 2: 1}
    assert all(span.trace_state == "ot=th:0" for span in out.spans)
    assert [each.delivery.outcome for each in (first, second)] == [Outcome.DELIVERED] * 2
    assert held.store.held_bytes < 2000


def test_a_giant_that_could_not_be_sent_has_failed() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    given_spans = batch(*[1] * 2000)
    held.add(given_spans, 0.0)
    steps = held.ticking(31.0)
    next(steps)
    next(steps)
    held.give_up()
    assert given_spans.delivery.outcome is Outcome.FAILED
    assert isinstance(given_spans.delivery.error, Refused)
    assert held.store.held_bytes < 2000


class Broken(Store):
    """Its disk does not give anything back."""

    def pieces(self, trace: Any) -> Iterator[Any]:
        raise OSError(5, "Input/output error")


def test_what_cannot_be_read_has_failed_and_others_go_on() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    held.store = Broken(StoreSettings(1 << 20))
    lost = batch(*[1] * 300)
    held.add(lost, 0.0)
    held.flush(1.0)
    assert lost.delivery.outcome is Outcome.FAILED
    with pytest.raises(Refused, match="disk"):
        raise lost.delivery.error or AssertionError
    assert not out.spans
    assert held.tally.unreadable == 1


def test_small_ones_that_cannot_be_read_have_failed_too() -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    held.store = Broken(StoreSettings(1 << 20))
    lost = batch(1, 1, 1)
    held.add(lost, 0.0)
    held.flush(1.0)
    assert lost.delivery.outcome is Outcome.FAILED
    with pytest.raises(Refused, match="Input/output error"):
        raise lost.delivery.error or AssertionError
    assert lost.delivery.resolved
    assert (held.tally.unreadable, held.store.held_bytes) == (1, 0)


def test_who_sends_may_be_overtaken() -> None:
    """By whoever stops; what is large and was decided since is not lost by that."""
    out = Out()
    held = sampler(out, policies=[ALL])
    numbers = [1] * 700, [2] * 700
    first, second = (batch(*spans) for spans in numbers)
    held.add(first, 0.0)
    slow = held.flushing(1.0)
    for _ in range(3):
        next(slow)
    assert 0 < len(out.spans) < 700
    for _ in held.sending():
        pass
    assert len(out.spans) == 700
    held.add(second, 2.0)
    next(held.flushing(2.0))
    for _ in slow:
        pass
    held.tick(3.0)
    assert out.traces() == {1: 700, 2: 700}
    assert [each.delivery.outcome for each in (first, second)] == [Outcome.DELIVERED] * 2
