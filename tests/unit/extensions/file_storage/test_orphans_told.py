"""An operator is told once of queue files that nobody takes up."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.extensions.file_storage import FileStorage
from pipeline.registry import Kind
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import configured, make_host
from pipeline.worker import Worker
from tests.unit.delivery.durable.queue_files import queue_path, written
from tests.unit.delivery.durable.storages import until

MESSAGE = "No exporter of the configuration takes up this queue file. Put its data into another's queue."


async def ready(folder: Path, registry: MetricsRegistry, worker: int = 0) -> FileStorage:
    host = make_host("file_storage", kind=Kind.EXTENSION, registry=registry, worker=Worker(worker, 2))
    made = configured(FileStorage, host, directory=str(folder))
    assert isinstance(made, FileStorage)
    await made.start()
    made.pipelines_ready()
    return made


async def test_tells_of_a_stray_once_in_all_workers_and_reloads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(queue_path(tmp_path, "otlp/gone"), [1, 2])
    registry = MetricsRegistry()
    first = await ready(tmp_path, registry)
    await until(lambda: MESSAGE in caplog.messages)
    again, other = await ready(tmp_path, registry), await ready(tmp_path, MetricsRegistry(), worker=1)
    written(queue_path(tmp_path, "otlp/late"), [3])
    last = await ready(tmp_path, registry)
    await until(lambda: caplog.messages.count(MESSAGE) == 2)
    for storage in (first, again, other, last):
        storage.pipelines_not_ready()
        await storage.stop()
    fields = [record.__dict__["fields"] for record in caplog.records if record.message == MESSAGE]
    assert [(told["exporter"], told["requests"]) for told in fields] == [("otlp/gone", 2), ("otlp/late", 1)]
    assert fields[0]["command"] == f"penstock queue requeue '{path}' --exporter ID"
