"""When metrics are sent, and what becomes of them when nobody takes them."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.aggregation import Aggregation, Instrument, MetricsSender, Temporality
from pipeline.component import Host, Stage
from pipeline.errors import Refused, Rejected
from pipeline.signals import Batch, Rooms
from pipeline.testing import CollectingSink, FailingSink, FakeClock, make_host, metric_value

CALLS = Instrument("calls", integer=True)


class Sending:
    """An aggregation of calls that is sent to a sink every ten seconds."""

    def __init__(self, sink: Stage, temporality: Temporality = Temporality.DELTA) -> None:
        self.clock = FakeClock()
        self.host: Host = make_host("calls", clock=self.clock)
        self.aggregation = Aggregation("scope", series_limit_per_metric=10_000, temporality=temporality)
        self.sender = MetricsSender(self.aggregation, self.host, 10.0)
        self.sender.next = sink

    def call(self, times: int = 1, label: str = "x") -> None:
        now_ns = self.clock.time_ns()
        self.aggregation.series((), CALLS, (("a", label),), now_ns).add(times, now_ns)


def values(sink: CollectingSink) -> list[int]:
    return [record.pb.as_int for record in sink.records()]


async def test_sends_every_interval_what_there_is_and_the_rest_at_the_end() -> None:
    sink = CollectingSink()
    sending = Sending(sink)
    sending.sender.start()
    await sending.clock.advance(25)
    assert sink.batches == []
    sending.call()
    await sending.clock.advance(4)
    assert sink.batches == []
    await sending.clock.advance(2)
    assert values(sink) == [1]
    sending.call(2)
    await sending.host.tasks.stop()
    await sending.sender.stop()
    assert values(sink) == [1, 2]


@pytest.mark.parametrize("temporality", Temporality)
async def test_a_refused_point_is_part_of_the_next(temporality: Temporality) -> None:
    sink = FailingSink([Refused("full"), Refused("full")])
    sending = Sending(sink, temporality)
    for _ in range(4):
        sending.call()
        await sending.sender.flush()
    assert values(sink.taken) == ([3, 1] if temporality is Temporality.DELTA else [3, 4])
    assert metric_value(sending.host, "penstock_rejected_data_points_total") == 0


@pytest.mark.parametrize(("temporality", "lost", "expected"), [("DELTA", 2, [1]), ("CUMULATIVE", 0, [2, 1])])
async def test_what_is_rejected_for_good_is_counted_if_it_is_lost(
    temporality: str, lost: int, expected: list[int]
) -> None:
    sink = FailingSink([Rejected("malformed")])
    sending = Sending(sink, Temporality[temporality])
    sending.call()
    sending.call(label="y")
    await sending.sender.flush()
    sending.call()
    await sending.sender.flush()
    assert values(sink.taken) == expected
    assert metric_value(sending.host, "penstock_rejected_data_points_total") == lost


async def test_refusals_do_not_add_up_in_memory() -> None:
    sink = FailingSink([Refused("full")] * 50)
    sending = Sending(sink)
    for number in range(50):
        sending.call(label=str(number % 5))
        await sending.sender.flush()
    assert len(sending.aggregation) == 5
    await sending.sender.flush()
    assert sum(values(sink.taken)) == 50


async def test_many_points_are_written_without_holding_the_loop() -> None:
    sink = CollectingSink()
    sending = Sending(sink)
    for number in range(600):
        sending.call(label=str(number))
    flush = asyncio.create_task(sending.sender.flush())
    await asyncio.sleep(0)
    assert not flush.done()
    sending.call(label="0")
    await flush
    await sending.sender.flush()
    assert values(sink) == [1] * 601


@pytest.mark.parametrize("temporality", Temporality)
async def test_more_points_than_one_request_should_have_are_several(temporality: Temporality) -> None:
    sink = FailingSink([None, Refused("full")])
    sending = Sending(sink, temporality)
    for number in range(5000):
        sending.call(label=str(number))
    await sending.sender.flush()
    assert [batch.count for batch in sink.taken.batches] == [2000]
    sending.call(label="0")
    await sending.sender.flush()
    counts = [batch.count for batch in sink.taken.batches[1:]]
    if temporality is Temporality.DELTA:
        assert counts == [2000, 1001]
        assert sum(values(sink.taken)) == 5001
    else:
        assert counts == [2000, 2000, 1000]
        assert sum(values(sink.taken)) == 2000 + 5001


class _Hanging:
    """Takes nothing, and never says so."""

    async def consume(self, batch: Batch) -> None:
        await asyncio.Event().wait()

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """There is room."""


async def test_a_flush_that_is_broken_off_loses_nothing() -> None:
    sending, sink = Sending(_Hanging()), CollectingSink()
    sending.sender.start()
    sending.call()
    await sending.clock.advance(11)
    await sending.host.tasks.stop()
    sending.sender.next = sink
    await sending.sender.stop()
    assert values(sink) == [1]


class _Broken(_Hanging):
    async def consume(self, batch: Batch) -> None:
        raise ZeroDivisionError


async def test_an_error_of_another_kind_loses_nothing_and_is_the_supervisors() -> None:
    sending, sink = Sending(_Broken()), CollectingSink()
    sending.call()
    with pytest.raises(ZeroDivisionError):
        await sending.sender.flush()
    sending.sender.next = sink
    await sending.sender.flush()
    assert values(sink) == [1]
