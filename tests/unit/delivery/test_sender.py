"""Attempts: which errors are retried, when, and what the log says."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Outcome
from tests.unit.delivery.scripted import batch_of, outcomes, rig, settle, started

AWAY = Refused("backend away", code=Code.UNAVAILABLE)


async def test_a_refused_request_is_sent_again_after_growing_waits(caplog: pytest.LogCaptureFixture) -> None:
    made = await started(rig(AWAY, AWAY, AWAY))

    with caplog.at_level(logging.INFO, "penstock.test"):
        batch = await made.consume(batch_of(1))
        for wait_s, attempts in ((4.9, 1), (0.2, 2), (7.4, 3), (11.3, 4)):
            assert outcomes([batch]) == [None]
            await made.clock.advance(wait_s)
            assert len(made.exporter.requests) == attempts

    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert {record.message for record in caplog.records} == {"Exporting failed. Will retry the request after interval."}
    assert [record.fields["interval"] for record in caplog.records] == ["5s", "7.5s", "11.25s"]  # type: ignore[attr-defined]  # set by Log


async def test_the_backends_own_wait_is_honoured() -> None:
    made = await started(rig(Refused("busy", retry_after_s=60.0)))

    await made.consume(batch_of(1))
    await made.clock.advance(59)
    assert len(made.exporter.requests) == 1
    await made.clock.advance(2)

    assert made.exporter.arrived_ids == [1]


async def test_after_max_elapsed_time_the_data_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    made = await started(rig(retry={"max_elapsed_time": 30.0}))
    made.exporter.default = AWAY

    batch = await made.consume(batch_of(1, 2))
    await made.clock.advance(40)

    assert len(made.exporter.requests) == 4
    assert outcomes([batch]) == [Outcome.FAILED]
    assert str(batch.delivery.error) == "no more retries left: backend away"
    assert made.metric("send_failed_spans_total") == 2
    assert caplog.records[-1].message == "Exporting failed. Dropping data."


async def test_with_max_elapsed_time_zero_retries_never_end() -> None:
    made = await started(rig(retry={"max_elapsed_time": 0.0}))
    made.exporter.default = AWAY

    batch = await made.consume(batch_of(1))
    await made.clock.advance(3600)

    assert outcomes([batch]) == [None]
    made.exporter.default = None
    await made.clock.advance(60)
    assert outcomes([batch]) == [Outcome.DELIVERED]


async def test_a_rejected_request_is_not_sent_again() -> None:
    made = await started(rig(Rejected("no", code=Code.PERMISSION_DENIED)))

    batch = await made.consume(batch_of(1, 2))
    await settle()

    assert made.exporter.requests == [[1, 2]]
    assert outcomes([batch]) == [Outcome.FAILED]
    assert batch.delivery.error is not None
    assert batch.delivery.error.code is Code.PERMISSION_DENIED


async def test_without_retry_the_log_tells_how_to_turn_it_on(caplog: pytest.LogCaptureFixture) -> None:
    made = await started(rig(AWAY, retry={"enabled": False}))

    await made.consume(batch_of(1))
    await settle()

    assert caplog.records[-1].message == (
        "Exporting failed. Dropping data."
        " Try enabling retry_on_failure config option to retry on retryable errors."
    )  # fmt: skip


async def test_without_a_queue_the_log_tells_how_to_turn_it_on(caplog: pytest.LogCaptureFixture) -> None:
    made = rig(Rejected("no"), queue={"enabled": False})

    with pytest.raises(Rejected):
        await made.consume(batch_of(1))

    assert caplog.records[-1].message == (
        "Exporting failed. Rejecting data. Try enabling sending_queue to survive temporary failures."
    )
    assert caplog.records[-1].fields["rejected_items"] == 1  # type: ignore[attr-defined]  # set by Log


async def test_an_attempt_that_takes_too_long_is_cut_off_and_retried() -> None:
    made = await started(rig(1000.0, timeout=2.0))

    batch = await made.consume(batch_of(1))
    await made.clock.advance(2)
    assert made.exporter.under_way == 0
    await made.clock.advance(5)

    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert made.exporter.requests == [[1], [1]]


async def test_timeout_zero_is_no_limit() -> None:
    made = await started(rig(1000.0, timeout=0.0))

    batch = await made.consume(batch_of(1))
    await made.clock.advance(999)
    assert outcomes([batch]) == [None]
    await made.clock.advance(1)

    assert outcomes([batch]) == [Outcome.DELIVERED]


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError("no route"), TimeoutError()])
async def test_network_errors_are_retried(error: Exception) -> None:
    made = await started(rig(error))

    batch = await made.consume(batch_of(1))
    await made.clock.advance(6)

    assert outcomes([batch]) == [Outcome.DELIVERED]


async def test_an_exporter_that_raises_on_one_item_loses_only_that_item() -> None:
    made = await started(rig())
    made.exporter.default = lambda ids: KeyError("bug") if 3 in ids else None

    batch = await made.consume(batch_of(1, 2, 3, 4, 5))
    await settle()

    assert made.exporter.arrived_ids == [1, 2, 4, 5]
    assert outcomes([batch]) == [Outcome.FAILED]
    assert made.metric("send_failed_spans_total") == 1
    assert str(batch.delivery.error) == "exporter failed: KeyError"


async def test_a_cancellation_from_inside_the_exporter_does_not_end_the_consumer() -> None:
    made = await started(rig(queue={"num_consumers": 1}))
    made.exporter.answers = [_raise_cancelled]

    batches = [await made.consume(batch_of(1)), await made.consume(batch_of(2))]
    await made.clock.advance(6)

    assert outcomes(batches) == [Outcome.DELIVERED] * 2


def _raise_cancelled(_: list[int]) -> Exception | None:
    raise asyncio.CancelledError


async def test_one_poisonous_span_in_a_thousand_is_lost_alone_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = await started(rig())
    made.exporter.default = lambda ids: Rejected("bad", divisible=True) if 437 in ids else None

    await made.consume(batch_of(*range(1000)))
    await settle()

    assert made.exporter.arrived_ids == [number for number in range(1000) if number != 437]
    assert len(made.exporter.requests) < 25
    assert (made.metric("sent_spans_total"), made.metric("send_failed_spans_total")) == (999, 1)
    assert [record.fields["dropped_items"] for record in caplog.records] == [1]  # type: ignore[attr-defined]  # set by Log


async def test_poison_in_merged_requests_fails_only_the_request_it_came_in() -> None:
    made = await started(rig(batch={"min_size": 8}))
    made.exporter.default = lambda ids: Rejected("bad", divisible=True) if 5 in ids else None

    batches = [await made.consume(batch_of(*range(start, start + 2))) for start in (0, 2, 4, 6)]
    await settle()

    assert outcomes(batches) == [Outcome.DELIVERED, Outcome.DELIVERED, Outcome.FAILED, Outcome.DELIVERED]
    assert made.exporter.arrived_ids == [0, 1, 2, 3, 4, 6, 7]


async def test_a_request_over_the_backends_limit_is_split_until_it_fits() -> None:
    made = await started(rig())
    made.exporter.default = lambda ids: Rejected("too large", divisible=True) if len(ids) > 10 else None

    batch = await made.consume(batch_of(*range(100)))
    await settle()

    assert made.exporter.arrived_ids == list(range(100))
    assert outcomes([batch]) == [Outcome.DELIVERED]


async def test_a_backend_that_takes_nothing_is_not_asked_about_every_item() -> None:
    made = await started(rig())
    made.exporter.default = Rejected("wrong tenant", code=Code.INVALID_ARGUMENT, divisible=True)

    batch = await made.consume(batch_of(*range(1000)))
    for _ in range(20):
        await settle()

    assert len(made.exporter.requests) < 200
    assert outcomes([batch]) == [Outcome.FAILED]
    assert made.metric("send_failed_spans_total") == 1000


async def test_a_piece_that_is_refused_is_retried_like_a_request() -> None:
    answers = [Rejected("bad", divisible=True), AWAY, None, None]
    made = await started(rig(*answers))

    batch = await made.consume(batch_of(1, 2))
    await made.clock.advance(6)

    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert sorted(made.exporter.arrived) == [[1], [2]]


async def test_a_shortage_of_memory_is_no_fault_of_the_data() -> None:
    made = await started(rig(MemoryError(), MemoryError()))

    batch = await made.consume(batch_of(1, 2))
    await made.clock.advance(20)

    assert outcomes([batch]) == [Outcome.DELIVERED]
    assert made.exporter.arrived == [[1, 2]]


class Panic(BaseException):
    """As libraries in Rust raise it."""


async def test_what_is_no_exception_costs_its_item_and_no_consumer() -> None:
    def panic(ids: list[int]) -> None:
        if 2 in ids:
            raise Panic

    made = await started(rig(queue={"num_consumers": 1}))
    made.exporter.default = panic

    batches = [await made.consume(batch_of(1, 2)), await made.consume(batch_of(3))]
    await settle()

    assert outcomes(batches) == [Outcome.FAILED, Outcome.DELIVERED]
    assert made.exporter.arrived_ids == [1, 3]
