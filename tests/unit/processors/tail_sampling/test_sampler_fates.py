"""Traces that do not end as most do: without room, with claims that were lost, with rules that changed meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.errors import Refused
from pipeline.signals import Batch, Delivery, Outcome, Signal
from pipeline.signals.intake import parse
from processors.sampling.thresholds import NEVER
from processors.sampling.tracestate import TraceState
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.overload import Step
from processors.tail_sampling.policy import Decision
from processors.tail_sampling.sampler import Sampler
from processors.tail_sampling.sessions import randomness_of_session
from tests.unit.processors.tail_sampling.test_sampler import ALL, ERRORS, HALF, Out, batch, number_of, sampler

TIER = {"name": "tier", "type": "string_attribute", "string_attribute": {"key": "tier", "values": ["gold"]}}
LIMITED = {"name": "none", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 0}}
ELSEWHERE = Fate(Decision(kept=True, rule="theirs", threshold=0))


class Log:
    """Writes decisions down; all is known."""

    def __init__(self) -> None:
        self.written: list[tuple[int, bool, list[Delivery]]] = []

    def add(self, trace_id: bytes, fate: Fate, deliveries: Sequence[Delivery]) -> None:
        self.written.append((number_of(trace_id), fate.decision.kept, list(deliveries)))

    def covers(self, _: float) -> bool:
        return True


def full(out: Out, **config: Any) -> Sampler:
    """A sampler with 100 traces, numbered from 0, which takes no more: new ones are decided by R alone."""
    held = sampler(out, num_traces=100, weights=True, overload={"sampling_percentage": 50}, **config)
    while held.step is not Step.STATELESS:
        held.add(batch(held.tally.new_traces), 0.0)
    assert held.tally.new_traces < 110
    return held


def rv_of(span: Any) -> int | None:
    return TraceState.read(span.trace_state).randomness


# No room --------------------------------------------------------------------------------------------------------------


def test_what_was_decided_without_a_wait_stays_so_when_there_is_room_again() -> None:
    out = Out()
    held = full(out)
    numbers = range(1000, 1040)
    held.add(batch(*numbers), 0.0)
    kept = dict(out.traces())
    assert 8 < len(kept.keys() & set(numbers)) < 32
    held.flush(1.0)
    held.add(batch(2000), 60.0)
    assert held.step is Step.NORMAL
    held.add(batch(*numbers, errors=numbers), 61.0)
    held.flush(62.0)
    assert {number: out.traces().get(number, 0) for number in numbers} == {
        number: 2 if number in kept else 0 for number in numbers
    }


def test_what_is_decided_without_a_wait_is_told_to_others() -> None:
    out, log = Out(), Log()
    held = full(out)
    held.log = log
    given = batch(1000, 1001)
    held.add(given, 0.0)
    kept = out.traces()
    assert [(number, is_kept) for number, is_kept, _ in log.written] == [(n, n in kept) for n in (1000, 1001)]
    assert [deliveries for _, _, deliveries in log.written] == [[given.delivery]] * 2


def test_what_is_decided_without_a_wait_shares_the_fate_of_its_session() -> None:
    out = Out()
    held = full(out, session={})
    before = len(out.spans)
    for session in range(20):
        held.add(batch(*range(1000 + 10 * session, 1010 + 10 * session), session=f"s{session}"), 0.0)
    expected = [randomness_of_session(f"s{session}") for session in range(20)]
    wanted = [randomness for randomness in expected for _ in range(10) if randomness >= NEVER // 2]
    assert [rv_of(span) for span in out.spans[before:]] == wanted
    assert 0 < len(wanted) < 200


# Sessions -------------------------------------------------------------------------------------------------------------


def test_an_early_keep_says_which_randomness_its_session_has() -> None:
    out = Out()
    held = sampler(out, deadline={}, session={}, weights=True, policies=[ERRORS, HALF])
    held.add(batch(1, errors=[1], session="a", child=True), 0.0)
    held.add(batch(1, session="a"), 0.1)
    assert [rv_of(span) for span in out.spans] == [randomness_of_session("a")] * 2


def test_what_was_sampled_before_is_decided_by_its_own_randomness() -> None:
    """Its session has another one: R of half of them is below, of the others above the threshold."""
    out = Out()
    held = sampler(out, session={}, weights=True, policies=[HALF])
    for number in range(20):
        rv = "f" * 14 if number % 2 else "4" + "0" * 13
        held.add(batch(number, session=f"s{number // 4}", tracestate=f"ot=rv:{rv};th:4"), 0.0)
    held.flush(1.0)
    assert sorted(out.traces()) == [*range(1, 20, 2)]
    assert {span.trace_state for span in out.spans} == {"ot=rv:ffffffffffffff;th:8"}


# Size -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spare", "kept"), [(0, {1: 1}), (-1, {})])
def test_a_trace_may_be_as_large_as_the_largest(spare: int, kept: dict[int, int]) -> None:
    probe = sampler(Out(), policies=[ALL])
    probe.add(batch(1, pad=500), 0.0)
    [waiting] = probe.open.values()
    out = Out()
    held = sampler(out, maximum_trace_size_bytes=waiting.size_bytes + spare, policies=[ALL])
    held.add(batch(1, pad=500), 0.0)
    held.flush(1.0)
    assert out.traces() == kept


# Late spans -----------------------------------------------------------------------------------------------------------


def test_late_spans_keep_the_threshold_they_came_with() -> None:
    out = Out()
    held = sampler(out, policies=[ALL], weights=True)
    held.add(batch(1), 0.0)
    held.flush(1.0)
    held.add(batch(1, tracestate="ot=rv:ffffffffffffff;th:c"), 2.0)
    assert [span.trace_state for span in out.spans] == ["ot=th:0", "ot=rv:ffffffffffffff;th:c"]


# Claims ---------------------------------------------------------------------------------------------------------------


def failed(delivery: Delivery) -> bool:
    return delivery.outcome is Outcome.FAILED and isinstance(delivery.error, Refused)


def test_nothing_is_decided_of_what_somebody_else_brings_again() -> None:
    """Also where the claim is lost between two looks, and the next look finds the trace due."""
    out = Out()
    held = sampler(out, policies=[ALL])
    lost, ours = batch(1), batch(2)
    held.add(lost, 0.0)
    held.add(ours, 0.0)
    lost.delivery.disown()
    held.flush(1.0)
    assert out.traces() == {2: 1}
    assert failed(lost.delivery)
    assert ours.delivery.outcome is Outcome.DELIVERED
    assert held.store.held_bytes == 0
    held.add(batch(1), 2.0)
    assert len(held.open) == 1


def test_a_claim_that_was_lost_with_the_predecessor_counts_with_its_successor() -> None:
    out = Out()
    old = sampler(out, policies=[ALL])
    lost = batch(1)
    old.add(lost, 0.0)
    lost.delivery.disown()
    new = sampler(out, policies=[ALL])
    new.take_over(old)
    new.tick(0.1)
    assert not new.open
    assert failed(lost.delivery)


def test_what_is_given_up_leaves_nothing_behind() -> None:
    held = sampler(Out(), policies=[ALL])
    given = batch(1, 2, pad=1000)
    held.add(given, 0.0)
    held.give_up()
    assert failed(given.delivery)
    assert not held.open
    assert held.store.held_bytes == 0


@pytest.mark.parametrize("drops", [False, True])
def test_others_may_decide_while_all_is_let_go(drops: bool) -> None:
    out = Out()
    held = sampler(out, policies=[ALL])
    held.add(batch(*range(600)), 0.0)
    work = held.dropping(1.0) if drops else held.flushing(1.0)
    next(work)
    left = [*held.open]
    adopted = left[::2]
    for found in adopted:
        held.adopt(found, ELSEWHERE)
    for _ in work:
        pass
    assert len(left) > 100
    assert not held.open
    assert out.traces() == dict.fromkeys(sorted(map(number_of, adopted)) if drops else range(600), 1)


# Other rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [{}, {"deadline": {}}])
@pytest.mark.parametrize("others", [[], [LIMITED]])
@pytest.mark.parametrize("more", [0, 1])
def test_facts_of_waiting_traces_are_gathered_anew_for_other_rules(
    more: int, others: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    """With a span that comes before the decision, and without; by rules that look at many at once, or at each."""
    out = Out()
    old = sampler(out, policies=[ERRORS])
    old.add(attributed(1, "gold"), 0.0)
    old.add(attributed(2, "tin"), 0.0)
    new = sampler(out, policies=[TIER, *others], **config)
    new.take_over(old)
    for number in (1, 2) * more:
        new.add(attributed(number, "tin"), 1.0)
    new.tick(31.0)
    assert out.traces() == {1: 1 + more}
    assert new.tally.unscanned == 0


def attributed(number: int, tier: str) -> Batch:
    given = batch(number)
    message: Any = given.message
    message.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="tier").value.string_value = tier
    return parse(Signal.TRACES, message.SerializeToString())


def test_the_store_of_a_predecessor_gets_the_bounds_of_its_successor() -> None:
    out = Out()
    old, new = sampler(out, 1 << 30, policies=[ALL]), sampler(out, 1 << 20, policies=[ALL])
    old.add(batch(1, pad=1 << 19), 0.0)
    waiting = old.store
    new.take_over(old)
    assert new.store is waiting
    assert (new.store.settings.max_bytes, old.store.settings.max_bytes) == (1 << 20, 1 << 30)
    assert 0.4 < new.pressure < 0.7


def test_what_somebody_else_brings_again_is_not_dropped_at_the_end() -> None:
    held = sampler(Out(), policies=[ALL])
    lost, ours = batch(1), batch(2)
    held.add(lost, 0.0)
    held.add(ours, 0.0)
    lost.delivery.disown()
    for _ in held.dropping(1.0):
        pass
    assert failed(lost.delivery)
    assert ours.delivery.outcome is Outcome.DROPPED
    assert all(each.delivery.resolved for each in (lost, ours))
