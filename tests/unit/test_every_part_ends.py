"""Random pipelines, backends, cancelled senders and stops: every part of every delivery ends, exactly once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.component import Host, Processor, Stage
from pipeline.config import ConfigModel
from pipeline.delivery import Batching, DeliveryConfig, DeliveryStage, RetryOnFailure, SendingQueue
from pipeline.errors import Code, Refused, Rejected
from pipeline.fanout import Branch, FanOut
from pipeline.registry import Kind
from pipeline.run import fuse
from pipeline.signals import Batch, Delivery, Outcome, Signal
from pipeline.testing import FakeClock, make_host
from processors.batch import BatchConfig, BatchProcessor
from processors.memory_limiter import MemoryLimiter, MemoryLimiterConfig
from tests.unit.delivery.scripted import Answer, ScriptedExporter, batch_of

ANSWERS: st.SearchStrategy[Answer] = st.sampled_from(
    [
        None,
        None,
        0.5,
        20.0,
        20.0,
        Refused("away", code=Code.UNAVAILABLE),
        Rejected("no"),
        Rejected("bad item", divisible=True),
        KeyError("bug"),
    ]
)
QUEUES = st.sampled_from(
    [
        {},
        {"enabled": False},
        {"wait_for_result": True},
        {"queue_size": 2, "num_consumers": 1},
        {"queue_size": 1, "block_on_overflow": True},
        {"queue_size": 1, "block_on_overflow": True, "wait_for_result": True},
        {"queue_size": 4, "sizer": "items", "num_consumers": 2, "block_on_overflow": True},
        {"batch": Batching(min_size=3, max_size=4)},
    ]
)
EXPORTERS = st.fixed_dictionaries(
    {"kind": st.just("exporter"), "queue": QUEUES, "answers": st.lists(ANSWERS, max_size=4), "default": ANSWERS}
)
DEAD_LETTERS = st.fixed_dictionaries({"kind": st.just("exporter"), "queue": QUEUES, "default": ANSWERS})
WITH_DEAD_LETTERS = st.builds(lambda one, other: one | {"dead_letters": other}, EXPORTERS, DEAD_LETTERS)
RUNS = st.lists(st.sampled_from(["write", "drop", "drop all", "raise", "refuse", "slow"]), min_size=1, max_size=3)


def _larger(trees: Any) -> Any:
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("run"), "steps": RUNS, "next": trees}),
        st.fixed_dictionaries({"kind": st.just("batch"), "size": st.integers(0, 6), "next": trees}),
        st.fixed_dictionaries({"kind": st.just("limiter"), "next": trees}),
        st.fixed_dictionaries(
            {"kind": st.just("fan-out"), "branches": st.lists(st.tuples(st.booleans(), trees), min_size=2, max_size=3)}
        ),
    )


TREES = st.recursive(st.one_of(EXPORTERS, WITH_DEAD_LETTERS), _larger, max_leaves=5)
# What happens in turn: a sender brings so many spans, seconds or turns of the loop pass, a sender is cancelled.
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 4)),
        st.tuples(st.just("send"), st.integers(1, 4)),
        st.tuples(st.just("turns"), st.integers(1, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("seconds"), st.integers(1, 12)),
    ),
    min_size=4,
    max_size=20,
)


class Step(Processor):
    """Does what its name says, now and then."""

    type = "step"
    Config = ConfigModel

    def __init__(self, what: str, host: Host) -> None:
        super().__init__(ConfigModel(), host)
        self._what = what
        self._calls = 0

    def process(self, batch: Batch) -> Batch | None:
        self._calls += 1
        records = batch.records()
        if self._what == "write":
            for record in records:
                record.attributes["seen"] = self._calls
        elif self._what == "drop":
            self.drop(batch, list(records)[::2], "test")
        elif self._what == "slow":
            time.sleep(0.003)  # over what the engine lets pass before others get their turn
        elif self._calls % 2 == 0:
            if self._what == "raise":
                raise ValueError
            if self._what == "refuse":
                raise Refused("later")
            return None
        return batch


class World:
    """A tree of stages that a test has drawn."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self.clock = FakeClock()
        self.host = make_host(clock=self.clock)
        self._stopping: list[Any] = []
        self._draining: list[DeliveryStage] = []
        self.entry = self._build(tree)

    def _build(self, tree: dict[str, Any]) -> Stage:
        kind = tree["kind"]
        if kind == "exporter":
            return self._exporter(tree)
        if kind == "fan-out":
            branches = [
                Branch(str(number), self._build(branch), mutates)
                for number, (mutates, branch) in enumerate(tree["branches"])
            ]
            return FanOut(branches, self.host.tasks, self.host.log)
        host = make_host(kind, clock=self.clock)
        out = self._build(tree["next"])
        made: list[Processor]
        if kind == "run":
            made = [Step(what, make_host("step", clock=self.clock)) for what in tree["steps"]]
        elif kind == "limiter":
            made = [MemoryLimiter(MemoryLimiterConfig(check_interval=1.0, limit_mib=4096), host)]
        else:
            made = [BatchProcessor(BatchConfig(send_batch_size=tree["size"], timeout=1.0), host)]
            self._stopping.insert(0, made[0])
        return fuse(made, out, self.host.tasks)

    def _exporter(self, tree: dict[str, Any], behind: DeliveryStage | None = None) -> DeliveryStage:
        if "dead_letters" in tree:
            behind = self._exporter(tree["dead_letters"])
        host = make_host("scripted", kind=Kind.EXPORTER, clock=self.clock)
        config = DeliveryConfig(
            sending_queue=SendingQueue(**{"batch": None, **tree["queue"]}),
            retry_on_failure=RetryOnFailure(randomization_factor=0.0, max_elapsed_time=40.0),
        )
        exporter = ScriptedExporter(config, host, tree.get("answers", ()))
        exporter.default = tree["default"]
        stage = DeliveryStage(exporter, config, host, Signal.TRACES, behind)
        self._draining.insert(0, stage)
        return stage

    async def start(self) -> None:
        for stage in self._draining:
            await stage.start()

    async def stop(self, deadline_s: float) -> None:
        """As a service stops: holders flush within the deadline, queues drain, then what is left is cut off."""
        for processor in self._stopping:
            await self._within(processor.stop(), deadline_s)
        for stage in self._draining:
            await self._within(stage.drain(deadline_s), deadline_s + 1)
        await self.host.tasks.stop()

    async def _within(self, work: Any, seconds: float) -> None:
        task = asyncio.ensure_future(work)
        await self.clock.advance(seconds)
        if not task.done():
            task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.done()


class Sender:
    """One batch and the task that brings it."""

    def __init__(self, entry: Stage, batch: Batch) -> None:
        self._entry = entry
        self._batch = batch
        self.delivery = batch.delivery
        self._is_begun = False
        self.task = asyncio.ensure_future(self._bring())

    async def _bring(self) -> None:
        self._is_begun = True
        await self._entry.consume(self._batch)

    def check(self) -> None:
        """Told of an error, the sender has one part; else the part has ended."""
        assert self.task.done()
        owns = not self._is_begun or (not self.task.cancelled() and self.task.exception() is not None)
        assert self.delivery.resolved is not owns, self.task
        if owns:
            self.delivery.end(Outcome.DROPPED)
            assert self.delivery.resolved


@contextmanager
def handles_are_used_rightly() -> Iterator[None]:
    """Notes every part that ends twice, and every handle that is forked after its end, whoever hides it."""
    errors: list[str] = []

    def watched(method: Any) -> Any:
        def call(*args: Any, **keys: Any) -> Any:
            try:
                return method(*args, **keys)
            except RuntimeError as error:
                errors.append(str(error))
                raise

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("end", "fork", "withdraw"):
            patch.setattr(Delivery, name, watched(getattr(Delivery, name)))
        yield
    assert errors == []


ENDLESS_S: Final = 200.0


async def play(tree: dict[str, Any], actions: list[tuple[str, int]], *, patient: bool) -> None:
    world = World(tree)
    await world.start()
    senders: list[Sender] = []
    for action, value in actions:
        if action == "send":
            senders.append(Sender(world.entry, batch_of(*range(value))))
        elif action == "cancel" and value < len(senders):
            senders[value].task.cancel()
        elif action == "seconds":
            await world.clock.advance(value)
        else:
            for _ in range(value):
                await asyncio.sleep(0)
    await world.stop(ENDLESS_S if patient else 0.0)
    await asyncio.wait([sender.task for sender in senders] or [asyncio.ensure_future(asyncio.sleep(0))], timeout=5)
    for sender in senders:
        sender.check()


@settings(deadline=None, max_examples=200)
@given(tree=TREES, actions=ACTIONS, patient=st.booleans())
def test_every_part_ends_exactly_once(tree: dict[str, Any], actions: list[tuple[str, int]], patient: bool) -> None:
    with handles_are_used_rightly():
        asyncio.run(asyncio.wait_for(play(tree, actions, patient=patient), 60))
