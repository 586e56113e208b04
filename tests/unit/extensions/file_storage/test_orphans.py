"""Files that nobody takes up are found, and no others."""

from __future__ import annotations

from pathlib import Path

from pipeline.delivery.durable.file.lock import FileLock
from pipeline.extensions.file_storage.orphans import Orphan, orphans_in
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
    found = orphans_in(tmp_path)
    lock.release()
    assert sorted(found, key=lambda orphan: orphan.path) == sorted(
        [Orphan(gone, "otlp/gone", 2, 2), Orphan(logs, "otlp", 1, 1), Orphan(handed_in, "otlp/x", 1, 1)],
        key=lambda orphan: orphan.path,
    )
