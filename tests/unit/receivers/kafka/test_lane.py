"""One partition on its way into the pipelines."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.delivery.settings import RetryOnFailure
from pipeline.errors import DeliveryError, Refused, Rejected
from pipeline.kafka.encodings import decoder
from pipeline.receivers.kafka.dead_letter_writer import DeadLetterWriter
from pipeline.receivers.kafka.in_flight import InFlight
from pipeline.receivers.kafka.joining import Assembler, weight_of
from pipeline.receivers.kafka.lane import Lane, Partition, Surroundings
from pipeline.receivers.kafka.metrics import ItemCounters
from pipeline.registry import Kind
from pipeline.signals import Batch, Context, Delivery, Outcome, Rooms, Signal
from pipeline.testing import CollectingSink, FailingSink
from pipeline.testing.builders import trace_request
from pipeline.testing.clock import FakeClock
from pipeline.testing.host import make_host
from tests.unit.receivers.kafka.records import Rec, in_order

RETRY = RetryOnFailure(
    initial_interval=1.0, multiplier=2.0, max_interval=4.0, randomization_factor=0.0, max_elapsed_time=0.0
)


def span(number: int) -> bytes:
    return trace_request({"n": number}).SerializeToString()


class Driven:
    """A lane with a sink behind it."""

    def __init__(self, sink: object, retry: RetryOnFailure | None = RETRY, max_join_bytes: int = 0) -> None:
        self.clock = FakeClock()
        host = make_host("kafka", kind=Kind.RECEIVER, clock=self.clock)
        self.holds: list[bool] = []
        self.in_flight = InFlight(1 << 30)
        self.around = Surroundings(
            host=host,
            stages={Signal.TRACES: sink},  # type: ignore[dict-item]  # a stage
            in_flight=self.in_flight,
            dead_letters=DeadLetterWriter(host, None),
            retry=retry,
            max_join_bytes=max_join_bytes,
            counters={signal: ItemCounters.of(host, signal) for signal in Signal},
            hold=lambda _, wanted: self.holds.append(wanted),
        )
        assembler = Assembler(Signal.TRACES, decoder(Signal.TRACES, "otlp_proto"), joins_bytes=True, receiver="kafka")
        self.lane = Lane(Partition("t", 0), assembler, "otlp_proto", self.around)
        self.task = asyncio.ensure_future(self.lane.run())

    def take(self, records: Iterable[Rec]) -> None:
        taken = list(records)
        size = sum(map(weight_of, taken))
        self.in_flight.take(size)
        self.lane.take(taken, size)

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Open(CollectingSink):
    """Leaves deliveries to the test."""

    async def consume(self, batch: Batch) -> None:
        self.batches.append(batch)


@pytest.fixture
async def driven() -> AsyncIterator[Callable[..., Driven]]:
    made: list[Driven] = []

    def make(*arguments: object, **more: object) -> Driven:
        made.append(Driven(*arguments, **more))  # type: ignore[arg-type]  # passed through
        return made[-1]

    yield make
    for each in made:
        await each.end()


async def test_all_is_given_back_and_may_be_committed(driven: Callable[..., Driven]) -> None:
    run = driven(CollectingSink(), max_join_bytes=1 << 20)
    run.take([*in_order(span(1), None, span(2), b""), Rec(span(3), 9)])
    await run.clock.settle()
    assert run.lane.progress.to_commit() == 10
    assert run.lane.position == 10
    assert run.in_flight.used_bytes == 0


async def test_waits_between_offers(driven: Callable[..., Driven]) -> None:
    sink = FailingSink([Refused("full")] * 4 + [Refused("full", retry_after_s=30.0)])
    run = driven(sink)
    began = run.clock.monotonic()
    at: list[float] = []
    offer = sink.consume

    async def note(batch: Batch) -> None:
        at.append(run.clock.monotonic() - began)
        await offer(batch)

    sink.consume = note  # type: ignore[method-assign]  # watched by the test
    run.take(in_order(span(1)))
    for _ in range(400):
        await run.clock.advance(0.25)
    assert at == [0.0, 1.0, 3.0, 7.0, 11.0, 41.0]
    assert run.holds == [True, False]


@pytest.mark.parametrize("last", [Rejected("never"), ValueError("secret")])
async def test_a_refused_record_that_is_rejected_in_the_end_holds_nobody_up(
    driven: Callable[..., Driven], last: Any
) -> None:
    run = driven(FailingSink([Refused("full"), last]))
    run.take(in_order(span(1)))
    for _ in range(8):
        await run.clock.advance(0.25)
    assert run.lane.progress.to_commit() == 1
    assert run.holds == [True, False]


async def test_nothing_is_offered_while_the_group_is_shared_out(driven: Callable[..., Driven]) -> None:
    sink = CollectingSink()
    run = driven(sink)
    run.lane.suspend()
    run.take(in_order(span(1)))
    await run.clock.settle()
    assert sink.count == 0
    run.lane.resume()
    await run.clock.settle()
    assert sink.count == 1


async def test_what_ends_behind_the_end_is_not_ours(driven: Callable[..., Driven]) -> None:
    sink = Open()
    run = driven(sink)
    run.take(in_order(span(1), span(2)))
    await run.clock.settle()
    run.lane.close()
    assert run.in_flight.used_bytes == 0
    sink.batches[0].delivery.end(Outcome.DELIVERED)
    sink.batches[1].delivery.end(Outcome.FAILED, Refused("away"))
    await run.clock.settle()
    assert run.lane.progress.to_commit() is None
    run.take(in_order(span(3)))
    assert run.in_flight.used_bytes == 0


async def test_a_partition_far_ahead_is_held(driven: Callable[..., Driven]) -> None:
    run = driven(Blocked())
    run.take(in_order(*[bytes(5 << 20)] * 3))
    assert run.holds == [True]
    run.lane.close()


class Blocked(CollectingSink):
    """Takes forever."""

    async def consume(self, batch: Batch) -> None:
        await asyncio.Event().wait()

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        return


async def test_a_pipeline_that_breaks_holds_nobody_up(driven: Callable[..., Driven]) -> None:
    class Broken(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            if batch.records()[0].attributes["n"] == 1:
                raise ValueError("secret")
            await super().consume(batch)

    sink = Broken()
    run = driven(sink)
    run.take(in_order(span(1), span(2)))
    await run.clock.settle()
    assert sink.count == 1
    assert run.lane.progress.to_commit() == 2


async def test_a_pipeline_that_breaks_behind_its_answer_counts_once(driven: Callable[..., Driven]) -> None:
    """Or every rebalance would wait for a batch that nobody has."""

    class Torn(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            batch.delivery.end(Outcome.DELIVERED)
            raise ValueError("secret")

    run = driven(Torn())
    run.take(in_order(span(1)))
    await run.clock.settle()
    assert (run.lane.under_way, run.lane.progress.to_commit()) == (0, 1)


ANSWERS: dict[str, DeliveryError | None] = {
    "ok": None,
    "refused": Refused("not now"),
    "rejected": Rejected("never"),
    "failed later": None,
    "rejected later": None,
}


@given(
    values=st.lists(st.sampled_from(["good", "poison", "empty", "none"]), min_size=1, max_size=12),
    answers=st.lists(st.sampled_from(sorted(ANSWERS)), max_size=12),
    join=st.sampled_from([0, 1 << 20]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
async def test_every_good_record_arrives_and_all_is_committed(
    values: list[str], answers: list[str], join: int, seed: int
) -> None:
    """Whatever the pipeline says and in whatever order deliveries end; only what is rejected is missing."""

    class Fickle(CollectingSink):
        async def consume(self, batch: Batch) -> None:
            answer = answers.pop() if answers else "ok"
            error = ANSWERS[answer]
            if error is not None:
                if isinstance(error, Rejected):
                    rejected.update(record.attributes["n"] for record in batch.records())
                raise error
            self.batches.append(batch)
            outcome = (Outcome.DELIVERED, None)
            if answer == "failed later":
                outcome = (Outcome.FAILED, Refused("gave up"))  # type: ignore[assignment]  # an error
            elif answer == "rejected later":
                outcome = (Outcome.FAILED, Rejected("never"))  # type: ignore[assignment]  # an error
            open_ends.append((batch, outcome))

    rejected: set[object] = set()
    open_ends: list[tuple[Batch, tuple[Outcome, DeliveryError | None]]] = []
    sink = Fickle()
    run = Driven(sink, max_join_bytes=join)
    made = {"poison": b"\xff", "empty": b"", "none": None}
    run.take(in_order(*(span(n) if kind == "good" else made[kind] for n, kind in enumerate(values))))
    order = random.Random(seed)
    for _ in range(60):
        await run.clock.advance(5.0)
        order.shuffle(open_ends)
        for batch, (outcome, error) in open_ends[:2]:
            batch.delivery.end(outcome, error)
        del open_ends[:2]
    arrived = {record.attributes["n"] for batch in sink.batches for record in batch.records()}
    good = {n for n, kind in enumerate(values) if kind == "good"}
    await run.end()
    assert arrived | rejected >= good
    assert run.lane.progress.to_commit() == len(values)
    assert run.lane.progress.is_idle
    assert run.in_flight.used_bytes == 0
    assert run.lane.under_way == 0


async def test_large_records_are_decoded_beside_the_loop(driven: Callable[..., Driven]) -> None:
    sink = CollectingSink()
    run = driven(sink)
    where: list[str] = []
    decode = run.lane._assembler.decode

    def note(raw: bytes, context: Context) -> Batch:
        where.append(threading.current_thread().name)
        return decode(raw, context)

    run.lane._assembler = replace(run.lane._assembler, decode=note)
    run.take(in_order(span(1), span(2) + b"\xfa\x3f\xff\xff\xff\x02" + bytes((3 << 21) - 1)))
    async with asyncio.timeout(60):
        while sink.count < 2:
            await run.clock.settle()
            await asyncio.sleep(0.01)
    assert where[0] == threading.current_thread().name != where[1]


async def test_what_is_partly_rejected_is_counted_as_such(driven: Callable[..., Driven]) -> None:
    sink = Open()
    run = driven(sink, max_join_bytes=1 << 20)
    run.take(in_order(span(1), span(2)))
    await run.clock.settle()
    sink.batches[0].delivery.end(Outcome.FAILED, Rejected("one of them"))
    await run.clock.settle()
    assert run.lane.progress.to_commit() == 2
    labels = {"component": "kafka", "reason": "partly_rejected"}
    registry = run.around.host.meter.registry.collector
    assert registry.get_sample_value("penstock_receiver_lost_records_total", labels) == 2


async def test_an_error_nobody_foresaw_leaves_no_hole(driven: Callable[..., Driven]) -> None:
    run = driven(CollectingSink(), max_join_bytes=1 << 20)
    bury, calls = run.around.dead_letters.give_up, []

    async def fail_once(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("secret")
        await bury(*arguments)

    run.around.dead_letters.give_up = fail_once  # type: ignore[assignment, method-assign]  # broken by the test
    run.take(in_order(b"poison", span(1), b"poison"))
    for _ in range(4):
        await run.clock.advance(1.0)
    assert len(calls) == 3
    assert run.lane.progress.to_commit() == 3


class Deciding(Open):
    """Holds what it gets, and lets go of what is somebody else's."""

    async def consume(self, batch: Batch) -> None:
        await super().consume(batch)
        batch.delivery.held += 1
        batch.delivery.on_disowned(self._let_go)

    def _let_go(self, delivery: Delivery) -> None:
        delivery.held -= 1
        delivery.end(Outcome.FAILED, Refused("somebody else decides"))


def offsets(sink: Open) -> list[str]:
    return [batch.context.metadata["kafka.offset"][0] for batch in sink.batches]


async def test_what_was_let_go_is_offered_again_in_order_when_the_partition_stays(
    driven: Callable[..., Driven],
) -> None:
    sink = Deciding()
    run = driven(sink)
    run.take(in_order(span(1), span(2), span(3)))
    await run.clock.settle()
    assert len(sink.batches) == 3
    sink.batches[1].delivery.held -= 1
    sink.batches[1].delivery.end(Outcome.DELIVERED)

    run.lane.suspend()
    run.lane.disown()
    await run.clock.settle()
    assert run.lane.under_way == 0
    assert run.lane.progress.to_commit() is None
    sink.batches.clear()

    run.lane.resume()
    await run.clock.settle()
    assert offsets(sink) == ["0", "2"]
    for batch in sink.batches:
        batch.delivery.end(Outcome.DELIVERED)
    assert run.lane.progress.to_commit() == 3
    assert run.in_flight.used_bytes == 0


async def test_what_is_being_read_when_the_group_is_shared_out_waits(
    driven: Callable[..., Driven], monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Open()
    run = driven(sink)

    def is_slow(*_: object) -> bool:
        run.lane.suspend()
        return False

    monkeypatch.setattr(Assembler, "is_slow", is_slow)
    run.take(in_order(span(1)))
    await run.clock.settle()
    assert sink.batches == []

    run.lane.resume()
    await run.clock.settle()
    assert len(sink.batches) == 1


async def test_who_decides_learns_that_the_partition_is_somebody_elses(driven: Callable[..., Driven]) -> None:
    sink = Open()
    run = driven(sink)
    run.take(in_order(span(1)))
    await run.clock.settle()
    (batch,) = sink.batches
    states = [batch.delivery.is_disowned]
    run.lane.close()
    assert [*states, batch.delivery.is_disowned] == [False, True]

    batch.delivery.end(Outcome.DELIVERED)
    assert run.lane.progress.to_commit() is None
