"""A damaged log is told from one that a crash cut off."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest

from pipeline.delivery.durable.sqlite import wal
from tests.unit.delivery.durable.sqlite_files import QUICK_DISK, flip, killed_file, log_of, table_file

COMMITS = [[b"a" * 300], [b"b" * 9000, b"c"], [b"d" * 600], [b"e" * 5000]]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return killed_file(tmp_path_factory.mktemp("killed") / "q.db", COMMITS, page_size=512)


def copied(killed: Path, folder: Path) -> Path:
    shutil.copy(log_of(killed), folder / "q.db-wal")
    return Path(shutil.copy(killed, folder / "q.db"))


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM t").fetchone()
    finally:
        connection.close()
    return int(count)


def test_takes_the_frames_that_sqlite_takes(killed: Path, tmp_path: Path) -> None:
    path = copied(killed, tmp_path)
    with log_of(path).open("rb") as log:
        found = list(wal.frames(log, 0))
    connection = sqlite3.connect(path)
    (_, in_log, _) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.close()
    assert all(frame.is_reached for frame in found)
    assert len(found) == in_log


def test_a_whole_log_and_any_beginning_of_it_are_not_damaged(killed: Path, tmp_path: Path) -> None:
    data = log_of(killed).read_bytes()
    for size in (*range(0, len(data), 97), len(data)):
        (tmp_path / "log").write_bytes(data[:size])
        assert wal.damage_of(tmp_path / "log", 512) is None


def test_no_flipped_byte_hides_a_commit(killed: Path) -> None:
    size = log_of(killed).stat().st_size
    hidden = 0
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        for at in range(0, size, 41):
            path = copied(killed, Path(folder))
            flip(log_of(path), at)
            damage = wal.damage_of(log_of(path), 512)
            if rows(path) < 5:
                hidden += 1
                assert damage is not None, at
    assert hidden > 50


def test_an_earlier_generation_is_passed_over(tmp_path: Path) -> None:
    path = table_file(tmp_path / "source", [b"x" * 5000] * 20, page_size=512)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.executemany("INSERT INTO t (note, body) VALUES ('n', ?)", [(b"y" * 700,)] * 20)
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("INSERT INTO t (note, body) VALUES ('n', 'z')")
    shutil.copy(log_of(path), tmp_path / "log")
    connection.close()
    with (tmp_path / "log").open("rb") as log:
        taken = list(wal.frames(log, 512))
    assert 0 < len(taken) * 512 < (tmp_path / "log").stat().st_size / 3
    assert wal.damage_of(tmp_path / "log", 512) is None
