"""Admission, result, drain: what a sender and an operator see of a delivery stage."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pipeline.config import ConfigModel
from pipeline.delivery import DeliveryStage
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Outcome, Rooms, Signal
from pipeline.testing import make_host
from tests.unit.delivery.scripted import ScriptedExporter, batch_of, ids_of, outcomes, rig, settle, started

AWAY = Refused("backend away", code=Code.UNAVAILABLE)
NEVER = Rejected("no", code=Code.PERMISSION_DENIED)


async def test_an_admitted_batch_arrives_and_its_delivery_ends() -> None:
    made = await started(rig())

    batch = await made.consume(batch_of(1, 2, 3))
    assert outcomes([batch]) == [None]
    await settle()

    assert made.exporter.arrived == [[1, 2, 3]]
    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert made.metric("sent_spans_total") == 3


async def test_an_unchanged_batch_goes_out_as_the_bytes_that_came_in() -> None:
    made = rig()
    raw: list[bytes] = []

    async def export(batch: object) -> None:
        raw.append(batch.serialize())  # type: ignore[attr-defined]  # a batch

    made.exporter.export = export  # type: ignore[method-assign]  # watches the bytes
    batch = batch_of(1)
    came_in = batch.serialize()
    await made.stage.consume(batch)
    await settle()

    assert raw[0] is came_in


async def test_an_empty_batch_ends_without_a_request() -> None:
    made = rig()

    batch = await made.consume(batch_of())
    await settle()

    assert outcomes([batch]) == [Outcome.DROPPED]
    assert made.exporter.requests == []


async def test_num_consumers_limits_what_is_under_way() -> None:
    made = await started(rig(queue={"num_consumers": 2}))
    made.exporter.default = 1.0

    for number in range(5):
        await made.consume(batch_of(number))
    await settle()
    assert made.exporter.under_way == 2
    assert made.metric("in_flight_requests", data_type="traces") == 2
    await made.clock.advance(3)

    assert made.exporter.arrived_ids == [0, 1, 2, 3, 4]
    assert made.exporter.most_under_way == 2
    assert made.metric("in_flight_requests", data_type="traces") == 0


async def test_a_full_queue_refuses_and_counts_and_what_is_under_way_fills_it() -> None:
    made = await started(rig(queue={"queue_size": 2, "num_consumers": 1}))
    made.exporter.default = 1.0

    await made.consume(batch_of(1))
    await made.consume(batch_of(2))
    await settle()
    with pytest.raises(Refused, match="sending queue is full"):
        await made.consume(batch_of(3, 4))

    assert made.metric("enqueue_failed_spans_total") == 2
    assert made.queue_size == 2
    assert made.metric("queue_capacity", data_type="traces") == 2
    await made.clock.advance(1)
    await made.consume(batch_of(5))
    await made.clock.advance(2)
    assert made.exporter.arrived_ids == [1, 2, 5]
    assert made.queue_size == 0


async def test_with_block_on_overflow_the_sender_waits_for_room() -> None:
    made = await started(rig(queue={"queue_size": 1, "block_on_overflow": True}))
    made.exporter.default = 1.0
    await made.consume(batch_of(1))

    waiting = asyncio.create_task(made.consume(batch_of(2)))
    await settle()
    assert not waiting.done()
    await made.clock.advance(1)

    assert waiting.done()
    await made.clock.advance(1)
    assert made.exporter.arrived_ids == [1, 2]


async def test_reserved_room_is_kept_for_its_batch_and_released_when_not_used() -> None:
    made = await started(rig(queue={"queue_size": 1}))
    rooms = Rooms()
    batch = batch_of(1)

    await made.stage.reserve(batch, rooms)
    with pytest.raises(Refused):
        await made.consume(batch_of(2))
    batch.rooms = rooms
    await made.consume(batch)
    rooms.release()
    await settle()

    assert made.exporter.arrived_ids == [1]
    assert made.queue_size == 0
    other = Rooms()
    await made.stage.reserve(batch_of(3), other)
    other.release()
    assert made.queue_size == 0


async def test_a_batch_that_grew_after_its_reservation_is_admitted_by_its_own_size() -> None:
    made = await started(rig(queue={"queue_size": 3, "sizer": "items", "num_consumers": 1}))
    made.exporter.default = 1.0
    rooms = Rooms()
    await made.stage.reserve(batch_of(1), rooms)
    grown = batch_of(1, 2, 3)
    grown.rooms = rooms

    await made.consume(grown)

    assert made.queue_size == 3
    await made.clock.advance(1)
    assert made.queue_size == 0


async def test_wait_for_result_gives_the_sender_the_backends_answer() -> None:
    made = rig(None, NEVER, queue={"wait_for_result": True})

    good = await made.consume(batch_of(1))
    bad = batch_of(2)
    with pytest.raises(Rejected) as caught:
        await made.stage.consume(bad)

    assert outcomes([good]) == [Outcome.DELIVERED]
    assert caught.value.code is Code.PERMISSION_DENIED
    # The sender owns what was refused.
    assert outcomes([bad]) == [None]
    bad.delivery.end(Outcome.FAILED, caught.value)


async def test_without_a_queue_the_sender_gets_the_error_and_its_details() -> None:
    refusal = Refused("later", code=Code.RESOURCE_EXHAUSTED, details=b"d", retry_after_s=7.0)
    made = rig(refusal, queue={"enabled": False}, retry={"enabled": False})

    batch = batch_of(1)
    with pytest.raises(Refused) as caught:
        await made.stage.consume(batch)

    assert (caught.value.details, caught.value.retry_after_s) == (b"d", 7.0)
    assert outcomes([batch]) == [None]
    assert made.metric("send_failed_spans_total") == 1


async def test_without_a_queue_a_refusal_is_retried_before_the_sender_hears_of_it() -> None:
    made = rig(AWAY, AWAY, queue={"enabled": False})

    sending = asyncio.create_task(made.consume(batch_of(1)))
    await made.clock.advance(20)

    assert outcomes([await sending]) == [Outcome.DELIVERED]


async def test_without_a_queue_lost_and_owed_data_are_told_as_owed() -> None:
    """A rejected item and a refused neighbour: the sender must resend, or the neighbour is lost."""

    def answer(ids: list[int]) -> Exception | None:
        if len(ids) > 1:
            return Rejected("bad item", divisible=True)
        return Rejected("bad item", divisible=True) if ids == [1] else AWAY

    made = rig(queue={"enabled": False}, retry={"enabled": False})
    made.exporter.default = answer

    with pytest.raises(Refused):
        await made.stage.consume(batch_of(1, 2))


@pytest.mark.parametrize("queue", [{"enabled": False}, {"wait_for_result": True}], ids=["direct", "wait_for_result"])
@pytest.mark.parametrize(("answer", "outcome"), [(1.0, Outcome.DELIVERED), (NEVER, Outcome.FAILED)])
async def test_a_sender_that_goes_away_does_not_stop_the_work(
    queue: dict[str, bool], answer: float | Exception, outcome: Outcome
) -> None:
    made = rig(answer, queue=queue)
    batch = batch_of(1)
    handle = batch.delivery
    sending = asyncio.create_task(made.stage.consume(batch))
    await asyncio.sleep(0)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await made.clock.advance(2)

    assert handle.resolved
    assert handle.outcome is outcome


async def test_what_a_sender_brought_that_gives_up_waiting_for_room_ends_as_still_owed() -> None:
    made = await started(rig(queue={"queue_size": 1, "block_on_overflow": True}))
    made.exporter.default = 1.0
    await made.consume(batch_of(1))
    batch = batch_of(2)
    waiting = asyncio.create_task(made.stage.consume(batch))
    await settle()

    waiting.cancel()
    await made.clock.advance(3)

    assert outcomes([batch]) == [Outcome.FAILED]
    assert isinstance(batch.delivery.error, Refused)
    assert made.exporter.arrived_ids == [1]
    assert made.queue_size == 0


async def test_a_drain_sends_what_waits_and_takes_nothing_more() -> None:
    made = await started(rig(queue={"num_consumers": 1}))
    made.exporter.default = 1.0
    batches = [await made.consume(batch_of(number)) for number in range(3)]

    draining = asyncio.create_task(made.stage.drain(10))
    await settle()
    with pytest.raises(Refused, match="shutting down"):
        await made.consume(batch_of(9))
    await made.clock.advance(4)

    await draining
    assert outcomes(batches) == [Outcome.DELIVERED] * 3


async def test_a_drain_goes_on_retrying_while_the_backend_is_away() -> None:
    made = await started(rig(retry={"initial_interval": 30.0}))
    made.exporter.default = AWAY
    batch = await made.consume(batch_of(1))
    await settle()

    draining = asyncio.create_task(made.stage.drain(10))
    await made.clock.advance(2)
    made.exporter.default = None
    await made.clock.advance(8)

    await draining
    assert outcomes([batch]) == [Outcome.DELIVERED]


async def test_what_is_left_at_the_deadline_has_failed_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    made = await started(rig(queue={"num_consumers": 1}, batch={"min_size": 2, "max_size": 2}))
    made.exporter.default = 100.0
    batches = [await made.consume(batch_of(number, number)) for number in range(3)]

    with caplog.at_level(logging.ERROR, "penstock.test"):
        draining = asyncio.create_task(made.stage.drain(2))
        await made.clock.advance(2)
        await draining

    assert outcomes(batches) == [Outcome.FAILED] * 3
    assert isinstance(batches[0].delivery.error, Refused)
    assert made.metric("send_failed_spans_total") == 6
    assert [record.message for record in caplog.records] == ["Exporting failed. Dropping data."]
    assert caplog.records[0].fields["dropped_items"] == 6  # type: ignore[attr-defined]  # set by Log
    assert made.queue_size == 0


async def test_a_stop_without_a_drain_ends_everything_at_once() -> None:
    made = await started(rig(AWAY, queue={"num_consumers": 1}))
    batches = [await made.consume(batch_of(number)) for number in range(2)]

    await made.stage.stop()
    await made.stage.stop()

    assert outcomes(batches) == [Outcome.FAILED] * 2


async def test_a_reservation_that_outlives_the_stage_is_refused_at_entry() -> None:
    made = await started(rig())
    batch = batch_of(1)
    batch.rooms = Rooms()
    await made.stage.reserve(batch, batch.rooms)
    await made.stage.stop()

    with pytest.raises(Refused, match="shutting down"):
        await made.consume(batch)
    assert made.queue_size == 0


async def test_an_exporter_can_be_replaced_while_running() -> None:
    made = rig()
    other = ScriptedExporter(made.exporter.config, made.host)

    made.stage.exporter = other
    await made.consume(batch_of(1))
    await settle()

    assert made.stage.exporter is other
    assert other.arrived_ids == [1]


async def test_an_exporter_without_delivery_keys_is_called_directly() -> None:
    made = rig(AWAY)
    stage = DeliveryStage(made.exporter, ConfigModel(), make_host("plain", clock=made.clock), Signal.TRACES)

    with pytest.raises(Refused):
        await stage.consume(batch_of(1))
    await stage.consume(batch_of(2))

    assert made.exporter.arrived_ids == [2]


async def test_queued_batches_hold_bytes_and_not_the_parsed_message() -> None:
    made = rig()
    seen: list[object] = []

    async def export(batch: object) -> None:
        seen.append(batch._content._message)  # type: ignore[attr-defined]  # what a queued batch holds

    made.exporter.export = export  # type: ignore[method-assign]  # looks inside
    batch = batch_of(1)
    ids_of(batch)
    await made.stage.consume(batch)
    await settle()

    assert seen == [None]
