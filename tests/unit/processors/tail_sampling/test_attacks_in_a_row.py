"""Attacks one after the other, by chance: what came is sent, dropped or failed, whole, and every handle ends once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.signals import Batch, Outcome
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.store import Store, StoreSettings
from tests.unit.processors.tail_sampling.test_attacks import check
from tests.unit.processors.tail_sampling.test_sampler import ALL, ERRORS, HALF, Out, batch, number_of, sampler

_BUDGET = {"name": "b", "type": "budget", "budget": {"spans_per_second": 20, "policies": [ERRORS, HALF]}}
_SIZES = {"name": "s", "type": "span_count", "span_count": {"min_spans": 3, "max_spans": 9}}
_POLICIES: list[list[dict[str, Any]]] = [[HALF], [ERRORS], [ERRORS, HALF], [ALL], [_SIZES], [_BUDGET]]


class Row:
    """A sampler, its successors, and what was done to them."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance, self.folder, self.out = random.Random(seed), folder, Out()
        choice, now_and_then = self.chance.choice, self.chance.random
        self.config: dict[str, Any] = {"policies": choice(_POLICIES), "weights": choice((True, False))}
        if now_and_then() < 0.5:
            most = choice((50, 400))
            self.config["deadline"] = {"settle": 1, "idle": 3, "max_spans": most, "early_keep": choice((True, False))}
        if now_and_then() < 0.4:
            self.config["num_traces"] = choice((5, 30))
        if self.config["weights"] and now_and_then() < 0.4:
            self.config["session"] = {}
        self.given: list[Batch] = []
        self.works: list[Iterator[None]] = []
        self.now_s = 0.0
        self.past: list[Sampler] = []
        self.held = self.made()

    def made(self, *more: dict[str, Any]) -> Sampler:
        made = sampler(self.out, **self.config | {"policies": [*self.config["policies"], *more]})
        folder = str(self.folder) if self.chance.random() < 0.3 else ""
        made.store = Store(StoreSettings(1 << 20, self.chance.choice((0, 5000)), folder, 1 << 30))
        return made

    def send(self) -> None:
        chance = self.chance
        numbers = [chance.randrange(60) for _ in range(chance.choice((1, 3, 30)))]
        if chance.random() < 0.05:
            numbers = numbers[:1] * chance.choice((300, 900))
        given = batch(
            *numbers,
            errors=[number for number in numbers if number % 7 == 0],
            child=chance.random() < 0.5,
            pad=chance.choice((0, 10, 2000)),
            session=chance.choice(("", "a", "b")),
            tracestate=chance.choice(("", "", "", "ot=th:8", "x=y")),
        )
        self.given.append(given)
        self.works.append(self.held.adding(given, self.now_s))

    def wait(self) -> None:
        self.now_s += self.chance.choice((0.05, 0.3, 1.0, 4.0))
        for turn, _ in enumerate(self.held.ticking(self.now_s)):
            if turn > self.chance.randrange(5):
                break

    def disown(self) -> None:
        if self.given:
            self.chance.choice(self.given).delivery.disown()

    def reload(self) -> None:
        self.work_on(1.0)
        before, self.held = self.held, self.made(*self.chance.choice(([], [ERRORS | {"name": "another"}])))
        self.held.take_over(before)
        for _ in before.sending():
            pass
        self.past.append(before)

    def work_on(self, share: float) -> None:
        for work in list(self.works):
            if self.chance.random() < share:
                steps = 1000 if share == 1 else 1
                for _ in range(steps):
                    if next(work, self) is self:
                        self.works.remove(work)
                        break


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_spans_are_sent_dropped_or_failed_and_no_trace_is_split(seed: int, tmp_path: Path) -> None:
    row = Row(seed, tmp_path)
    for _ in range(60):
        row.chance.choices((row.send, row.wait, row.disown, row.reload), (60, 25, 5 * (seed % 2), 6))[0]()
        row.work_on(0.6)
    row.work_on(1.0)
    row.held.flush(row.now_s)
    samplers = [*row.past, row.held]
    assert all(each.delivery.resolved and not each.delivery.held for each in row.given)
    assert not row.held.open
    assert row.held.store.held_bytes < 100_000
    dropped = sum(one.tally.dropped_spans for one in samplers)
    failed = sum(each.count for each in row.given if each.delivery.outcome is Outcome.FAILED)
    came = Counter(number_of(record.pb.trace_id) for each in row.given for record in each.records())
    assert 0 <= came.total() - len(row.out.spans) - dropped <= failed
    if not any(one.tally.let_go for one in samplers):
        assert {number: came[number] for number in row.out.traces()} == row.out.traces()
    if row.config["weights"]:
        for span in row.out.spans:
            check(span)
