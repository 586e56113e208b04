"""One process has a queue at a time, whatever becomes of the file of the lock."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.delivery.durable.file.errors import StoreBusyError, StoreError
from pipeline.delivery.durable.file.lock import FileLock, lock_path


def test_who_waited_does_not_have_a_file_that_was_removed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    first = FileLock(path, 0)
    taken: list[FileLock] = []
    waiting = threading.Thread(target=lambda: taken.append(FileLock(path, 5)))
    waiting.start()
    lock_path(path).unlink()
    first.release()
    waiting.join()

    with pytest.raises(StoreBusyError):
        FileLock(path, 0)
    taken[0].release()
    FileLock(path, 0).release()


def test_a_lock_whose_file_was_removed_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    lock = FileLock(path, 0)
    lock_path(path).unlink()
    other = FileLock(path, 0)
    with pytest.raises(StoreBusyError):
        lock.renew()
    other.release()
    lock.renew()
    with pytest.raises(StoreBusyError):
        FileLock(path, 0)
    lock.release()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    lock_path(path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        FileLock(path, 0)
    assert not (tmp_path / "elsewhere").exists()
