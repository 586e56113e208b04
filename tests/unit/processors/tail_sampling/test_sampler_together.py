"""Traces that are taken in and decided together fare as they would one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline.signals import Delivery, Outcome
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.packing import Piece
from tests.unit.processors.tail_sampling.test_sampler import ALL, ERRORS, HALF, Out, batch, sampler

SLOW = {"name": "slow", "type": "latency", "latency": {"threshold_ms": 2000}}
BY_SESSION = {"name": "by", "type": "string_attribute", "string_attribute": {"key": "session.id", "values": ["s1"]}}

QUIET = {"settle": "1s", "idle": "3s", "early_keep": False}


def one_by_one(held: Sampler) -> Sampler:
    held._adds_together = held._decider.decides_together = False
    return held


def counts(held: Sampler) -> dict[str, Any]:
    tally = dict(vars(held.tally))
    ages = tally.pop("removal_ages")
    return tally | {"ages": ages.counts, "sum_s": pytest.approx(ages.sum_s)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policies", [[ERRORS, HALF], [HALF], [ERRORS, SLOW, BY_SESSION]])
@pytest.mark.parametrize(
    "waits", [{"decision_wait": "2s"}, {"deadline": {"settle": "1s", "idle": "3s", "early_keep": False}}]
)
def test_together_or_one_by_one(seed: int, policies: list[dict[str, Any]], waits: dict[str, Any]) -> None:
    setting: dict[str, Any] = {"policies": policies, **waits}
    outs = Out(), Out()
    together, alone = sampler(outs[0], **setting), one_by_one(sampler(outs[1], **setting))
    rng = random.Random(seed)
    deliveries: list[tuple[Delivery, Delivery]] = []
    for step in range(60):
        now_s = step * 0.37
        numbers = rng.choices(range(40), k=rng.choice([1, 3, 30]))
        errors, session = rng.sample(range(40), 3), rng.choice(["", "", "s1", "s2"])
        child, tracestate = rng.random() < 0.5, rng.choice(["", "", "ot=rv:00000000000001", "a=b"])
        pair = [
            batch(*numbers, errors=errors, child=child, session=session, tracestate=tracestate, pad=step % 3)
            for _ in range(2)
        ]
        for held, each in zip((together, alone), pair, strict=True):
            held.add(each, now_s)
            held.tick(now_s)
        deliveries.append((pair[0].delivery, pair[1].delivery))
        assert together.open.keys() == alone.open.keys()
        assert together.store._held_bytes == alone.store._held_bytes
    for held in (together, alone):
        held.tick(1000.0)
        assert not held.open
        assert held.store._held_bytes == 0
    assert sorted(map(str, outs[0].spans)) == sorted(map(str, outs[1].spans))
    assert counts(together) == counts(alone)
    assert together.decisions.kept._young.keys() == alone.decisions.kept._young.keys()
    assert all(one.outcome is other.outcome and one.resolved and not one.held for one, other in deliveries)


class Failing(Out):
    """Fails for one piece."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        self.calls += 1
        if self.calls == 2:
            raise ZeroDivisionError
        super().add(pieces, deliveries)


def test_an_error_while_a_trace_leaves_costs_no_other() -> None:
    out = Failing()
    held = sampler(out, policies=[ALL])
    held.add(batch(1, 2, 3, 4), 0.0)
    with pytest.raises(ZeroDivisionError):
        held.tick(31.0)
    held.tick(31.1)
    assert len(out.traces()) == 3
    assert not held.open


def test_an_error_of_who_is_told_of_a_drop_costs_no_other() -> None:
    def fail(_: Delivery) -> None:
        raise ZeroDivisionError

    out = Out()
    held = sampler(out, policies=[ERRORS])
    batches = [batch(1), batch(2), batch(3, errors=[3])]
    batches[0].delivery.on_resolved(fail)
    for each in batches:
        held.add(each, 0.0)
    with pytest.raises(ZeroDivisionError):
        held.tick(31.0)
    held.tick(31.1)
    outcomes = [each.delivery.outcome for each in batches]
    assert outcomes == [Outcome.DROPPED, Outcome.DROPPED, Outcome.DELIVERED]
    assert not held.open
