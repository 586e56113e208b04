"""Exporters that ask for order: no batch overtakes another, whatever is tried again, reloaded, or waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import Code, Refused
from pipeline.signals import Outcome
from tests.unit.delivery.durable.storages import until
from tests.unit.delivery.durable.test_reload import Out, receiver_of, running, settings
from tests.unit.delivery.scripted import ScriptedExporter, batch_of, outcomes, rig, settle, started

AWAY = Refused("backend away", code=Code.UNAVAILABLE)


@pytest.fixture(autouse=True)
def _in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedExporter, "ordered", True)


async def test_a_batch_that_is_tried_again_holds_the_others_up() -> None:
    made = await started(rig(AWAY, AWAY))
    batches = [await made.consume(batch_of(number)) for number in range(4)]
    await settle()
    assert made.exporter.requests == [[0]]
    for _ in range(2):
        await made.clock.advance(100)
        await settle()
    assert made.exporter.requests == [[0], [0], [0], [1], [2], [3]]
    assert outcomes(batches) == [Outcome.DELIVERED] * 4


async def test_without_a_queue_senders_wait_for_each_other() -> None:
    made = await started(rig(AWAY, queue={"enabled": False}))
    tasks = [made.host.tasks.start(made.consume(batch_of(number)), "send") for number in range(3)]
    await settle()
    assert made.exporter.requests == [[0]]
    await made.clock.advance(100)
    for task in tasks:
        await task
    assert made.exporter.requests == [[0], [0], [1], [2]]


async def test_after_a_reload_the_old_stage_goes_first() -> None:
    old = await started(rig(5.0, timeout=60))
    for number in range(3):
        await old.consume(batch_of(number))
    await settle()
    new = await started(rig(host=old.host))
    await new.consume(batch_of(3))
    draining = old.host.tasks.start(old.stage.drain(60), "drain")
    await settle()
    assert new.exporter.requests == []
    await old.clock.advance(5)
    await draining
    await settle()
    assert (old.exporter.requests, new.exporter.requests) == ([[0], [1], [2]], [[3]])


async def test_a_stage_that_waits_for_its_turn_sends_within_its_drain() -> None:
    old = await started(rig(5.0, timeout=60))
    await old.consume(batch_of(0))
    await settle()
    new = await started(rig(host=old.host, batch={"min_size": 2, "flush_timeout": 50.0}))
    batches = [await new.consume(batch_of(number)) for number in (1, 2, 3)]
    draining = new.host.tasks.start(new.stage.drain(60), "drain")
    await settle()
    assert new.exporter.requests == []
    await old.clock.advance(5)
    await draining
    assert new.exporter.requests == [[1], [2], [3]]
    assert outcomes(batches) == [Outcome.DELIVERED] * 3


async def test_what_waits_for_its_turn_ends_when_the_drain_is_over() -> None:
    old = await started(rig(500.0, timeout=600))
    await old.consume(batch_of(0))
    await settle()
    new = await started(rig(host=old.host))
    batch = await new.consume(batch_of(1))
    await new.stage.stop()
    assert outcomes([batch]) == [Outcome.FAILED]
    await old.stage.stop()


@pytest.mark.parametrize(
    "change", [{"exporter": 1}, {"queue": "batch: {flush_timeout: 10ms}"}], ids=["exporter", "batch"]
)
async def test_a_reload_with_a_queue_on_disk_keeps_the_order(
    tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Out, "ordered", True)
    monkeypatch.setattr(Out, "is_open", False)
    monkeypatch.setattr(Out, "arrived", [])
    service = await running(tmp_path)
    for number in range(30):
        await receiver_of(service).send(number)
    for version in range(3):
        await service.change_to(settings(tmp_path, **{"exporter": version, **change}))
    Out.is_open = True
    await until(lambda: len(Out.arrived) >= 30)
    await service.stop()
    assert Out.arrived == list(range(30))
