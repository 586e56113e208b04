"""A sampler whose decisions others know, and that knows theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from pipeline.signals import Batch, Delivery, Outcome
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.policy import Decision, Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store, StoreSettings
from tests.unit.processors.tail_sampling.test_processor import ERRORS, spans

KEPT: Final = Fate(Decision(kept=True, rule="theirs", threshold=0))
DROPPED: Final = Fate(Decision(kept=False))


class Out:
    """What was kept."""

    def __init__(self) -> None:
        self.spans = 0

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        self.spans += sum(count for _, _, count in pieces)
        for delivery in deliveries:
            delivery.end(Outcome.DELIVERED)


class Log:
    """A topic that is read up to a time."""

    def __init__(self) -> None:
        self.known_s = 0.0
        self.written: list[tuple[int, bool, int]] = []

    def add(self, trace_id: bytes, fate: Fate, deliveries: Sequence[Delivery]) -> None:
        self.written.append((int.from_bytes(trace_id, "big"), fate.decision.kept, len(deliveries)))

    def covers(self, since_s: float) -> bool:
        return self.known_s >= since_s


class Shared:
    """A sampler with a log."""

    def __init__(self, **config: Any) -> None:
        settings = TailSamplingConfig(policies=ERRORS, **(config or {"decision_wait": 10.0}))
        rules = Rules(build_policies(settings.policies, Setting()), Setting())
        self.out, self.log = Out(), Log()
        self.sampler = Sampler(settings, rules, Store(StoreSettings(1 << 24)), self.out)
        self.sampler.log = self.log

    def add(self, batch: Batch, now_s: float) -> Delivery:
        self.sampler.add(batch, now_s)
        return batch.delivery


def test_decisions_are_written() -> None:
    shared = Shared()
    shared.log.known_s = 100.0
    shared.add(spans(1, 2), 1.0)
    shared.add(spans(2, error=True), 2.0)
    shared.sampler.tick(20.0)
    assert sorted(shared.log.written) == [(1, False, 1), (2, True, 2)]


def test_nobody_decides_who_does_not_know_what_others_have_decided() -> None:
    shared = Shared()
    delivery = shared.add(spans(1, error=True), 1.0)
    shared.sampler.tick(20.0)
    shared.log.known_s = 0.9
    shared.sampler.tick(30.0)
    undecided = delivery.resolved
    shared.log.known_s = 1.0
    shared.sampler.tick(30.2)
    assert [undecided, delivery.resolved, shared.out.spans] == [False, True, 1]


@pytest.mark.parametrize("config", [{"deadline": {"idle": 60.0}}, {"sampling_strategy": "span-ingest"}])
def test_nor_early(config: dict[str, Any]) -> None:
    early = Shared(**config)
    early.add(spans(1, error=True, root=False), 1.0)
    found = [early.out.spans]
    early.log.known_s = 1.0
    early.add(spans(1, root=False), 2.0)
    assert [*found, early.out.spans] == [0, 2]


@pytest.mark.parametrize(("fate", "arrive", "outcome"), [(KEPT, 3, Outcome.DELIVERED), (DROPPED, 0, Outcome.DROPPED)])
def test_what_others_have_decided_is_followed(fate: Fate, arrive: int, outcome: Outcome) -> None:
    shared = Shared()
    waiting = shared.add(spans(1, 1, error=not fate.decision.kept), 1.0)
    shared.sampler.adopt((1).to_bytes(16, "big"), fate)
    late = shared.add(spans(1), 2.0)
    assert [shared.out.spans, waiting.outcome, late.outcome] == [arrive, outcome, outcome]
    assert waiting.resolved
    assert late.resolved

    shared.log.known_s = 100.0
    shared.sampler.tick(50.0)
    assert shared.log.written == []
    assert not shared.sampler.open


def test_a_fate_may_come_before_its_trace() -> None:
    shared = Shared()
    shared.sampler.adopt((1).to_bytes(16, "big"), KEPT)
    shared.add(spans(1), 1.0)
    assert shared.out.spans == 1
