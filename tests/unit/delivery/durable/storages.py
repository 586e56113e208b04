"""A storage extension of a folder, and queues and stages that keep their files with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel
from pipeline.config.ids import ComponentId
from pipeline.delivery import SendingQueue
from pipeline.delivery.durable.file.store import files_of
from pipeline.delivery.durable.queue import DurableQueue
from pipeline.delivery.durable.settings import StorageSettings
from pipeline.registry import Kind
from pipeline.signals import Batch, Outcome, Signal
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import make_host
from tests.unit.delivery.durable.queue_files import ids_in

STORAGE = ComponentId("folder")


class Folder(Extension):
    """A storage without keys."""

    type = "folder"
    Config = ConfigModel

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__(ConfigModel(), make_host("folder", kind=Kind.EXTENSION))
        self.settings = settings

    def storage(self) -> StorageSettings:
        return self.settings


def storage_host(folder: Path, *, registry: MetricsRegistry | None = None, **settings: Any) -> Host:
    """A host of an exporter with the storage; what shares a registry is of one process."""
    extensions: dict[ComponentId, Extension] = {STORAGE: Folder(StorageSettings(folder, **settings))}
    return make_host("scripted", kind=Kind.EXPORTER, extensions=extensions, registry=registry)


def queue_in(folder: Path, host: Host | None = None, **keys: Any) -> DurableQueue:
    """A queue of traces, not started."""
    return DurableQueue(SendingQueue(storage=STORAGE, **keys), host or storage_host(folder), Signal.TRACES)


async def taken(queue: Any, ready: asyncio.Event) -> Batch:
    """The next batch, waited for."""
    async with asyncio.timeout(60):
        while (batch := queue.take()) is None:
            ready.clear()
            await ready.wait()
    assert isinstance(batch, Batch)
    return batch


def end(batch: Batch, outcome: Outcome = Outcome.DELIVERED, error: Any = None) -> None:
    batch.delivery.end(outcome, error)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another thread or process
            await asyncio.sleep(0.001)


def queue_file(folder: Path) -> Path:
    """The one queue file of a folder."""
    (path,) = folder.glob("*.db")
    return path


def modes_in(folder: Path) -> dict[str, int]:
    """Permissions by name of file."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


def rows_in(folder: Path) -> list[int]:
    """Ids of the rows of the one queue file, read as another process would."""
    return ids_in(queue_file(folder))


def spoil(folder: Path) -> None:
    """Write over every byte of the queue file and its log."""
    database, log, _ = files_of(queue_file(folder))
    for file in (database, log) if log.exists() else (database,):
        size = file.stat().st_size
        file.write_bytes(b"\xff" * size)
