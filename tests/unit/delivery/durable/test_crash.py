"""A kill in the middle of a commit: what was acknowledged before is there, and what was not is there whole or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.delivery.durable.file.opening import open_queue
from pipeline.delivery.durable.file.store import PAGE_BYTES, Row, Store, files_of
from pipeline.delivery.durable.settings import StorageSettings
from tests.unit.delivery.durable.queue_files import row_ids

_BODY = bytes(range(256)) * 300


def row(row_id: int) -> Row:
    return Row(row_id, 1, len(_BODY), 1, "{}", _BODY)


def commits(store: Store, log: Path) -> list[tuple[int, set[int]]]:
    """Length of the log and ids in the file after each of several commits, the last of which removes and adds."""
    done = []
    there: set[int] = set()
    for puts, removals in (([1, 2], []), ([3], [1]), ([4, 5, 6], [2, 3]), ([], [4])):
        store.write([row(each) for each in puts], removals)
        there = (there | set(puts)) - set(removals)
        done.append((log.stat().st_size, there))
    return done


@pytest.mark.parametrize("shift", [1, 24, PAGE_BYTES // 2])
def test_a_log_that_is_cut_off_anywhere_holds_every_commit_in_front(tmp_path: Path, shift: int) -> None:
    path = tmp_path / "queue.db"
    store = Store(path)
    store.checkpoint("TRUNCATE")
    log = files_of(path)[1]
    done = commits(store, log)

    for length in range(0, done[-1][0], PAGE_BYTES + 24):
        copy = tmp_path / f"{length}" / "queue.db"
        copy.parent.mkdir()
        shutil.copy(path, copy)
        cut = log.read_bytes()[: 32 + length + shift]
        files_of(copy)[1].write_bytes(cut)

        opened = open_queue(copy, StorageSettings(copy.parent))
        found = set(row_ids(opened.store))
        opened.store.close()
        opened.lock.release()

        acknowledged = [ids for size, ids in done if size <= len(cut)]
        assert found == (acknowledged[-1] if acknowledged else set())
        assert [damage.reason for damage in opened.damages] == []
    store.close()
