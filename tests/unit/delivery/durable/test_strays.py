"""Files that nobody takes up are found, and no others."""

from __future__ import annotations

from pathlib import Path

from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.strays import Stray, strays_in
from pipeline.signals import Signal
from tests.unit.delivery.durable.queue_files import queue_path, written


def test_a_file_of_an_exporter_that_is_gone(tmp_path: Path) -> None:
    own = written(queue_path(tmp_path), [1])
    written(queue_path(tmp_path, worker=1), [1])
    written(queue_path(tmp_path, "otlp/empty"), [])
    gone = written(queue_path(tmp_path, "otlp/gone"), [1, 2])
    logs = written(queue_path(tmp_path, signal=Signal.LOGS), [3])
    handed_in = written(queue_path(tmp_path, "otlp/x").with_suffix(".db.requeue-20260102T030405Z"), [4])
    written(queue_path(tmp_path, "otlp/y").with_suffix(".db.corrupt-20260102T030405Z"), [5])
    lock = FileLock(own, 0)
    found = strays_in(tmp_path)
    lock.release()
    assert sorted(found, key=lambda stray: stray.path) == sorted(
        [Stray(gone, "otlp/gone", 2, 2), Stray(logs, "otlp", 1, 1), Stray(handed_in, "otlp/x", 1, 1)],
        key=lambda stray: stray.path,
    )
