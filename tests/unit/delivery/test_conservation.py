"""Whatever a backend does, every batch that was consumed ends exactly once, and the counters add up."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Delivery, Outcome
from tests.unit.delivery.scripted import Answer, Rig, batch_of, rig, started

ANSWERS: st.SearchStrategy[Answer] = st.sampled_from(
    [
        None,
        None,
        0.5,
        20.0,
        Refused("away"),
        Refused("busy", code=Code.UNAVAILABLE, retry_after_s=3.0),
        Rejected("no"),
        Rejected("bad item", divisible=True),
        ConnectionResetError("reset"),
        KeyError("bug"),
    ]
)
QUEUES = st.sampled_from(
    [
        {},
        {"enabled": False},
        {"wait_for_result": True},
        {"queue_size": 3, "num_consumers": 1},
        {"queue_size": 8, "sizer": "items", "num_consumers": 2},
        {"queue_size": 2, "block_on_overflow": True},
    ]
)
BATCHES = st.one_of(
    st.none(), st.sampled_from([{"min_size": 4}, {"min_size": 2, "max_size": 5}, {"min_size": 0, "max_size": 1}])
)
# What happens in turn: a batch of so many spans, seconds that pass, or a sender that is cancelled while it waits.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("consume"), st.integers(0, 6)),
        st.tuples(st.just("advance"), st.integers(1, 12)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    min_size=1,
    max_size=14,
)


class Senders:
    """Tasks that hand batches over, and what each of them was told."""

    def __init__(self, made: Rig) -> None:
        self._made = made
        self._tasks: list[asyncio.Task[None]] = []
        self._next_id = 0
        self.batches: list[Batch] = []
        self.handles: list[Delivery] = []

    def send(self, count: int) -> None:
        batch = batch_of(*range(self._next_id, self._next_id + count))
        self._next_id += count
        self.batches.append(batch)
        self.handles.append(batch.delivery)
        self._tasks.append(asyncio.create_task(self._made.stage.consume(batch)))

    def cancel(self, index: int) -> None:
        if index < len(self._tasks):
            self._tasks[index].cancel()

    async def finish(self) -> list[object]:
        """None for a batch that was admitted, else the error."""
        return await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def items(self) -> int:
        return self._next_id


async def play(made: Rig, steps: list[tuple[str, int]]) -> tuple[Senders, list[object]]:
    senders = Senders(made)
    for step, value in steps:
        if step == "consume":
            senders.send(value)
        elif step == "cancel":
            senders.cancel(value)
        else:
            await made.clock.advance(value)
    await made.clock.settle()
    draining = asyncio.create_task(made.stage.drain(10))
    await made.clock.advance(11)
    await draining
    return senders, await senders.finish()


@settings(deadline=None, max_examples=150)
@given(
    answers=st.lists(ANSWERS, max_size=12),
    default=ANSWERS,
    queue=QUEUES,
    batch=BATCHES,
    steps=STEPS,
)
def test_every_batch_ends_exactly_once(
    answers: list[Answer], default: Answer, queue: dict[str, Any], batch: dict[str, Any] | None, steps: Any
) -> None:
    if batch is not None and queue.get("sizer") == "items":
        batch = batch | {"sizer": "items"}

    async def run() -> None:
        made = await started(rig(*answers, queue=queue, batch=batch, retry={"max_elapsed_time": 40.0}))
        made.exporter.default = default
        senders, told = await play(made, steps)
        for sent, handle, answer in zip(senders.batches, senders.handles, told, strict=True):
            check_one(sent, handle, answer)
        check_sums(made, senders, told)

    asyncio.run(run())


def check_one(batch: Batch, handle: Delivery, told: object) -> None:
    """A refused batch is still the sender's; an admitted one has ended; a cancelled sender's is either."""
    if isinstance(told, DeliveryError):
        assert not handle.resolved
        assert batch.delivery is handle
    elif told is None:
        assert handle.resolved
        assert (handle.outcome is Outcome.DROPPED) is (batch.count == 0)
    else:
        assert isinstance(told, asyncio.CancelledError)
        assert batch.delivery is handle or handle.resolved is batch.delivery.resolved


def check_sums(made: Rig, senders: Senders, told: list[object]) -> None:
    arrived = made.exporter.arrived_ids
    assert len(arrived) == len(set(arrived)), "an item was sent again after it had arrived"
    assert made.metric("sent_spans_total") == len(arrived)
    counted = len(arrived) + made.metric("send_failed_spans_total") + made.metric("enqueue_failed_spans_total")
    queue = made.stage._queue
    if queue is None:
        # There is no enqueue to fail: a sender that comes after the drain has begun is refused and not counted.
        counted += _items_told(senders, told, "shutting down")
    # A sender that left before its batch was admitted has taken it back, uncounted.
    assert senders.items - _items_told(senders, told, "") <= counted <= senders.items
    assert queue is None or queue.size == 0


def _items_told(senders: Senders, told: list[object], text: str) -> int:
    """Items of the batches whose sender was told just this (the empty text: it was cancelled)."""
    pairs = zip(senders.batches, told, strict=True)
    return sum(batch.count for batch, answer in pairs if answer is not None and str(answer) == text)
