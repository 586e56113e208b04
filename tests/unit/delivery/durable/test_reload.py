"""A service that is reloaded, stopped and started again with a queue on disk: nothing is lost, nothing sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.component import Component, Exporter, Receiver
from pipeline.config import ComponentId, ConfigModel, load
from pipeline.delivery import DeliveryConfig
from pipeline.errors import Refused, StartError
from pipeline.extensions.file_storage import FileStorage
from pipeline.service import Service
from pipeline.signals import Batch, Signal
from tests.unit.delivery.durable.storages import rows_in, until
from tests.unit.delivery.scripted import batch_of, ids_of


class Nothing(ConfigModel):
    """No keys but one that makes another configuration."""

    version: int = 0
    fail: bool = False


class In(Receiver):
    """Fed by the test."""

    type = "in"
    Config = Nothing

    async def start(self) -> None:
        if self.config.fail:
            raise OSError("told to")

    async def send(self, *ids: int) -> Batch:
        batch = batch_of(*ids)
        await self.next[Signal.TRACES].consume(batch)
        return batch


class OutConfig(DeliveryConfig):
    """Delivery with a key that makes another configuration."""

    version: int = 0


class Out(Exporter):
    """Keeps what it is given while `is_open`, and refuses all else."""

    type = "out"
    Config = OutConfig
    is_open: ClassVar[bool] = True
    arrived: ClassVar[list[int]] = []

    async def export(self, batch: Batch) -> None:
        if not Out.is_open:
            raise Refused("away")
        Out.arrived.extend(ids_of(batch))


COMPONENTS: dict[str, dict[str, type[Component]]] = {
    "receivers": {"in": In},
    "exporters": {"out": Out},
    "extensions": {"file_storage": FileStorage},
    "processors": {},
    "connectors": {},
}


class Catalog:
    """Knows the components of this file."""

    def names(self, kind: str) -> list[str]:
        return sorted(COMPONENTS[kind])

    def get(self, kind: str, type_name: str) -> type[Any]:
        return COMPONENTS[kind][type_name]


TEXT = """
receivers: {in: {RECEIVER}}
exporters:
  out:
    version: EXPORTER
    retry_on_failure: {initial_interval: 10ms, max_interval: 20ms}
    sending_queue: {storage: file_storage, QUEUE}
extensions: {file_storage: {directory: FOLDER, FILES}}
service:
  extensions: [file_storage]
  drain_timeout: 1s
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [in], exporters: [out]}
"""


def settings(folder: Path, exporter: int = 0, queue: str = "", files: str = "", receiver: str = "") -> Any:
    text = TEXT.replace("FOLDER", str(folder)).replace("EXPORTER", str(exporter)).replace("QUEUE", queue)
    return load([f"yaml:{text.replace('FILES', files).replace('RECEIVER', receiver)}"], catalog=Catalog())


@pytest.fixture(autouse=True)
def _open() -> Iterator[None]:
    Out.is_open, Out.arrived = True, []
    yield
    Out.is_open, Out.arrived = True, []


def receiver_of(service: Service) -> In:
    receiver = service.graph.receivers[ComponentId("in")]
    assert isinstance(receiver, In)
    return receiver


async def running(folder: Path) -> Service:
    service = Service(settings(folder))
    await service.start()
    return service


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"exporter": 1},
        {"queue": "sizer: items, queue_size: 30"},
        {"queue": "batch: {flush_timeout: 10ms}"},
        {"files": "fsync: true, timeout: 2s, compaction: {on_rebound: true, check_interval: 10ms}"},
    ],
    ids=["nothing", "exporter", "size", "batch", "storage"],
)
async def test_a_reload_hands_the_queue_over(tmp_path: Path, change: dict[str, Any]) -> None:
    service = await running(tmp_path)
    Out.is_open = False
    for number in range(12):
        await receiver_of(service).send(number)

    await service.change_to(settings(tmp_path, **change))
    for number in range(12, 20):
        await receiver_of(service).send(number)
    Out.is_open = True

    await until(lambda: len(Out.arrived) == 20)
    await service.stop()
    assert sorted(Out.arrived) == list(range(20))
    assert rows_in(tmp_path) == []


async def test_a_reload_that_fails_leaves_the_queue_with_the_stage_that_had_it(tmp_path: Path) -> None:
    service = await running(tmp_path)
    Out.is_open = False
    for number in range(12):
        await receiver_of(service).send(number)

    with pytest.raises(StartError, match="failed to start"):
        await service.change_to(settings(tmp_path, exporter=1, queue="queue_size: 5", receiver="fail: true"))
    for number in range(12, 14):
        await receiver_of(service).send(number)
    Out.is_open = True

    await until(lambda: len(Out.arrived) == 14)
    await service.stop()
    assert sorted(Out.arrived) == list(range(14))


async def test_a_storage_that_moves_leaves_nothing_in_the_old_place(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    service = await running(old)
    Out.is_open = False
    await receiver_of(service).send(1)

    await service.change_to(settings(new))
    await receiver_of(service).send(2)
    Out.is_open = True

    await until(lambda: len(Out.arrived) == 2)
    await service.stop()
    assert rows_in(old) == rows_in(new) == []


async def test_what_a_process_leaves_the_next_one_sends(tmp_path: Path) -> None:
    service = await running(tmp_path)
    Out.is_open = False
    for number in range(12):
        await receiver_of(service).send(number)
    await service.stop()
    assert len(rows_in(tmp_path)) == 12
    Out.is_open = True

    service = await running(tmp_path)

    await until(lambda: len(Out.arrived) == 12)
    await service.stop()
    assert sorted(Out.arrived) == list(range(12))
