"""A delivery stage whose queue is on disk: retries, shutdown, batches, and what of it an operator sees."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.delivery import RetryOnFailure, SendingQueue
from pipeline.delivery.settings import DeliveryConfig, delivery_of
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Outcome
from tests.unit.delivery.durable.storages import STORAGE, rows_in, storage_host, until
from tests.unit.delivery.scripted import Answer, Rig, batch_of, ids_of, rig, settle, started

AWAY = Refused("backend away", code=Code.UNAVAILABLE)


async def stored(
    folder: Path, *answers: Answer, default: Answer = None, queue: dict[str, Any] | None = None, **more: Any
) -> Rig:
    """A started stage with its queue in `folder`; `answers` come first, then `default` for ever."""
    made = rig(*answers, queue={"storage": STORAGE, **(queue or {})}, host=storage_host(folder), **more)
    made.exporter.default = default
    return await started(made)


async def test_what_is_admitted_is_stored_sent_and_gone(tmp_path: Path) -> None:
    made = await stored(tmp_path)

    batch = await made.consume(batch_of(1, 2))
    await until(lambda: bool(made.exporter.arrived))

    assert batch.delivery.outcome is Outcome.STORED
    assert made.exporter.arrived == [[1, 2]]
    await until(lambda: made.queue_size == 0)
    await made.stage.stop()
    assert rows_in(tmp_path) == []


async def test_at_shutdown_what_the_backend_does_not_take_stays_quietly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = await stored(tmp_path, default=AWAY)
    for number in range(15):
        await made.consume(batch_of(number))
    await until(lambda: len(made.exporter.requests) == 10)

    with caplog.at_level(logging.WARNING, "penstock"):
        draining = asyncio.create_task(made.stage.drain(5))
        await made.clock.advance(6)
        await draining

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert made.metric("send_failed_spans_total") == 0
    assert len(rows_in(tmp_path)) == 15
    again = await stored(tmp_path)
    await until(lambda: len(again.exporter.arrived) == 15)
    assert again.exporter.arrived_ids == list(range(15))
    await again.stage.stop()


async def test_at_shutdown_what_the_backend_takes_within_the_deadline_is_sent(tmp_path: Path) -> None:
    made = await stored(tmp_path, AWAY, AWAY, queue={"num_consumers": 1})
    for number in range(5):
        await made.consume(batch_of(number))

    draining = asyncio.create_task(made.stage.drain(30))
    while not draining.done():
        await made.clock.advance(1)
        await asyncio.sleep(0.001)

    assert made.exporter.arrived_ids == [0, 1, 2, 3, 4]
    assert rows_in(tmp_path) == []


async def test_an_end_at_once_keeps_what_is_under_way(tmp_path: Path) -> None:
    made = await stored(tmp_path, default=1000.0, timeout=0)
    await made.consume(batch_of(1))
    await until(lambda: made.exporter.under_way == 1)

    await made.stage.stop()

    assert len(rows_in(tmp_path)) == 1


async def test_without_a_written_limit_retries_never_end(tmp_path: Path) -> None:
    made = await stored(tmp_path, *[AWAY] * 40, retry={"max_interval": 300.0})
    await made.consume(batch_of(1))

    while not made.exporter.arrived:
        await made.clock.advance(300)
        await asyncio.sleep(0.001)

    assert made.clock.monotonic() > 3600
    await made.stage.stop()


def test_the_limit_of_retries_is_the_written_one_or_none_with_storage() -> None:
    def limit(retry: RetryOnFailure, **queue: Any) -> float:
        found = delivery_of(DeliveryConfig(sending_queue=SendingQueue(**queue), retry_on_failure=retry))[2]
        assert found is not None
        return found.max_elapsed_time

    assert limit(RetryOnFailure()) == 300
    assert limit(RetryOnFailure(), storage=STORAGE) == 0
    assert limit(RetryOnFailure(max_elapsed_time=60.0), storage=STORAGE) == 60
    assert limit(RetryOnFailure(), storage=STORAGE, enabled=False) == 300


@pytest.mark.parametrize("retry", [{"max_elapsed_time": 40.0}, {"enabled": False}])
async def test_a_written_limit_is_honoured_and_what_it_gives_up_is_counted(
    tmp_path: Path, retry: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    made = await stored(tmp_path, default=AWAY, retry=retry)
    await made.consume(batch_of(1, 2))
    await until(lambda: bool(made.exporter.requests))

    await made.clock.advance(60)
    await until(lambda: made.queue_size == 0)

    assert made.metric("send_failed_spans_total") == 2
    assert any(message.startswith("Exporting failed. Dropping data.") for message in caplog.messages)
    await made.stage.stop()
    assert rows_in(tmp_path) == []


async def test_what_the_backend_rejects_is_isolated_and_leaves_the_disk(tmp_path: Path) -> None:
    def poison(ids: list[int]) -> Exception | None:
        return Rejected("bad item", divisible=True) if 3 in ids else None

    made = await stored(tmp_path, default=poison)

    await made.consume(batch_of(*range(8)))
    await until(lambda: made.queue_size == 0)

    assert made.exporter.arrived_ids == [0, 1, 2, 4, 5, 6, 7]
    assert made.metric("send_failed_spans_total") == 1
    await made.stage.stop()
    assert rows_in(tmp_path) == []


async def test_requests_are_put_together_and_their_rows_go_when_all_parts_have_arrived(tmp_path: Path) -> None:
    made = await stored(
        tmp_path, queue={"num_consumers": 1}, batch={"min_size": 4, "max_size": 4, "flush_timeout": 3600.0}
    )
    await asyncio.gather(*(made.consume(batch_of(3 * number, 3 * number + 1, 3 * number + 2)) for number in range(4)))

    await until(lambda: len(made.exporter.arrived) == 3)

    assert [len(request) for request in made.exporter.arrived] == [4, 4, 4]
    assert made.exporter.arrived_ids == list(range(12))
    await until(lambda: made.queue_size == 0)
    await made.stage.stop()
    assert rows_in(tmp_path) == []


async def test_of_a_request_that_was_cut_the_row_stays_while_one_part_is_left(tmp_path: Path) -> None:
    def only_small_ids(ids: list[int]) -> Exception | None:
        return AWAY if max(ids) > 1 else None

    made = await stored(tmp_path, default=only_small_ids, batch={"min_size": 2, "max_size": 2})
    await made.consume(batch_of(0, 1, 2, 3))
    await until(lambda: len(made.exporter.requests) == 2)

    await made.stage.stop()

    assert made.exporter.arrived == [[0, 1]]
    again = await stored(tmp_path)
    await until(lambda: bool(again.exporter.arrived))
    assert again.exporter.arrived == [[0, 1, 2, 3]]
    await again.stage.stop()


async def test_a_queue_that_is_full_on_disk_is_full_after_a_restart(tmp_path: Path) -> None:
    made = await stored(tmp_path, default=AWAY, queue={"sizer": "items", "queue_size": 5})
    await made.consume(batch_of(1, 2, 3))
    await made.stage.stop()

    again = await stored(tmp_path, default=AWAY, queue={"sizer": "items", "queue_size": 5})

    assert again.queue_size == 3
    with pytest.raises(Refused, match="sending queue is full"):
        await again.consume(batch_of(4, 5, 6))
    assert ids_of(await again.consume(batch_of(4, 5))) == [4, 5]
    await again.stage.stop()


async def test_at_shutdown_a_backend_that_takes_nothing_is_not_asked_about_all_of_a_long_backlog(
    tmp_path: Path,
) -> None:
    made = await stored(tmp_path, default=60.0, retry={"enabled": False})
    await asyncio.gather(*(made.consume(batch_of(number)) for number in range(400)))
    made.exporter.default = AWAY
    draining = asyncio.create_task(made.stage.drain(100))
    await settle()
    await made.clock.advance(5)
    async with asyncio.timeout(60):
        await draining

    assert 100 <= len(made.exporter.requests) < 150
    assert len(rows_in(tmp_path)) == 400
