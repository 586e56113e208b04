"""Dead letters out of a queue on disk and into one; senders that go away while theirs is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.delivery import DeliveryConfig, DeliveryStage, SendingQueue
from pipeline.errors import Code, Refused, Rejected
from pipeline.signals import Outcome, Signal
from pipeline.testing import FakeClock
from tests.unit.delivery.durable.storages import STORAGE, rows_in, storage_host, until
from tests.unit.delivery.scripted import Rig, ScriptedExporter, batch_of, rig, settle, started

BAD = Rejected("bad span", code=Code.INVALID_ARGUMENT, divisible=True)


@pytest.fixture
def dead_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dead")


async def storing(folder: Path, behind: Rig) -> Rig:
    """A stage with its queue in `folder` whose dead letters go to `behind`; its backend rejects what has id 2."""
    host = storage_host(folder)
    config = DeliveryConfig(sending_queue=SendingQueue(storage=STORAGE))
    exporter = ScriptedExporter(config, host)
    exporter.default = lambda ids: BAD if 2 in ids else None
    stage = DeliveryStage(exporter, config, host, Signal.TRACES, behind.stage)
    return await started(Rig(stage, exporter, host, behind.clock))


async def test_a_row_goes_when_its_rejected_part_has_arrived_as_a_dead_letter(tmp_path: Path) -> None:
    behind = await started(rig())
    made = await storing(tmp_path, behind)

    await made.consume(batch_of(1, 2, 3))
    await until(lambda: made.queue_size == 0)
    await made.stage.stop()

    assert (made.exporter.arrived_ids, behind.exporter.arrived) == ([1, 3], [[2]])
    assert rows_in(tmp_path) == []


async def test_a_row_goes_when_its_rejected_part_is_on_disk_as_a_dead_letter(tmp_path: Path, dead_folder: Path) -> None:
    behind = await started(rig(queue={"storage": STORAGE}, host=storage_host(dead_folder)))
    behind.exporter.default = 60.0
    made = await storing(tmp_path, behind)

    await made.consume(batch_of(2))
    await until(lambda: made.queue_size == 0)
    await made.stage.stop()
    await behind.stage.stop()

    assert rows_in(tmp_path) == []
    assert len(rows_in(dead_folder)) == 1


async def test_a_row_stays_when_its_dead_letter_is_cut_short(tmp_path: Path) -> None:
    behind = await started(rig())
    behind.exporter.default = 60.0
    made = await storing(tmp_path, behind)

    await made.consume(batch_of(2))
    await until(lambda: behind.exporter.under_way == 1)
    await made.stage.drain(0)
    await behind.stage.drain(0)
    assert len(rows_in(tmp_path)) == 1


async def test_a_dead_letter_that_finds_no_room_waits(tmp_path: Path) -> None:
    behind = await started(rig(queue={"queue_size": 1, "num_consumers": 1}))
    behind.exporter.default = 60.0
    made = await storing(tmp_path, behind)

    for _ in range(4):
        await made.consume(batch_of(2))
    await until(lambda: behind.exporter.under_way == 1)
    await settle()
    assert made.queue_size == 4
    behind.exporter.default = None
    await behind.clock.advance(60.0)
    await until_with(made, lambda: made.queue_size == 0)
    await made.stage.stop()

    assert behind.exporter.arrived == [[2]] * 4
    assert made.metric("send_failed_spans_total") == 4
    assert rows_in(tmp_path) == []


async def test_a_dead_letter_that_is_refused_later_goes_again_and_its_neighbours_do_not(tmp_path: Path) -> None:
    behind = await started(rig(retry={"enabled": False}))
    behind.exporter.default = Refused("away")
    made = await storing(tmp_path, behind)

    await made.consume(batch_of(1, 2, 3))
    await until(lambda: len(behind.exporter.requests) == 1)
    await settle()
    asked = len(made.exporter.requests)
    await until_with(made, lambda: len(behind.exporter.requests) == 3)
    behind.exporter.default = None
    await until_with(made, lambda: made.queue_size == 0)
    await made.stage.stop()

    assert len(made.exporter.requests) == asked
    assert made.exporter.arrived_ids == [1, 3]
    assert behind.exporter.arrived == [[2]]
    assert rows_in(tmp_path) == []


async def test_a_dead_letter_that_waits_stays_on_disk_at_the_end(tmp_path: Path) -> None:
    behind = await started(rig(retry={"enabled": False}))
    behind.exporter.default = Refused("away")
    made = await storing(tmp_path, behind)

    await made.consume(batch_of(2))
    await until(lambda: len(behind.exporter.requests) == 1)
    await made.stage.stop()
    await made.host.tasks.stop()

    assert len(rows_in(tmp_path)) == 1


async def until_with(made: Rig, condition: Callable[[], bool]) -> None:
    """Let the time of the stage go on until something is so."""
    clock = made.host.clock
    assert isinstance(clock, FakeClock)
    async with asyncio.timeout(60):
        while not condition():
            await clock.advance(1.0)
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("turns", range(4))
async def test_a_sender_that_goes_away_leaves_a_part_that_ends_once(tmp_path: Path, turns: int) -> None:
    wrong: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: wrong.append(context))
    made = await started(rig(queue={"storage": STORAGE}, host=storage_host(tmp_path)))
    batch = batch_of(1)
    sender = asyncio.create_task(made.stage.consume(batch))
    for _ in range(turns + 1):
        await asyncio.sleep(0)
    sender.cancel()
    await asyncio.wait([sender])
    await until(lambda: batch.delivery.resolved)
    await until(lambda: made.queue_size == 0)
    await made.stage.stop()

    assert batch.delivery.outcome is Outcome.STORED
    assert made.exporter.arrived_ids == [1]
    assert wrong == []


async def test_a_sender_that_goes_away_while_it_waits_for_room_leaves_a_part_that_ends_once(tmp_path: Path) -> None:
    made = await started(
        rig(queue={"storage": STORAGE, "queue_size": 1, "block_on_overflow": True}, host=storage_host(tmp_path))
    )
    made.exporter.default = 60.0
    await made.consume(batch_of(1))
    batch = batch_of(2)
    sender = asyncio.create_task(made.stage.consume(batch))
    await asyncio.sleep(0.01)
    sender.cancel()
    await asyncio.wait([sender])
    await made.stage.stop()

    assert batch.delivery.outcome is Outcome.FAILED
    assert isinstance(batch.delivery.error, Refused)
    assert len(rows_in(tmp_path)) == 1
