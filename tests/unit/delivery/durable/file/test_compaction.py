"""Files shrink: by rule, in steps, without losing a row."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.durable.file import compaction
from pipeline.delivery.durable.file.compaction import Compactor, clean, compact, file_and_data_bytes
from pipeline.delivery.durable.settings import Rebound
from tests.unit.delivery.durable.sqlite_files import log_of, table_file

ROWS = 400
BODY = b"b" * 9000


@pytest.fixture
def drained(tmp_path: Path) -> Path:
    """A file of 4 MB of which a tenth is in use."""
    path = table_file(tmp_path / "q.db", [BODY] * ROWS, remove=(n for n in range(1, ROWS + 1) if n % 10))
    path.chmod(0o600)
    return path


@pytest.fixture
def connection(drained: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(drained, isolation_level=None)) as opened:
        yield opened


class Time:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def ids(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT id FROM t WHERE body = ?", (BODY,))]


def rebound(needed: int = 0, trigger: int = 1 << 30, pages: int = 0) -> Rebound:
    return Rebound(needed, trigger, check_interval_s=5.0, max_pages=pages)


def test_shrinks_in_steps_with_writes_between(drained: Path, connection: sqlite3.Connection) -> None:
    before, time, steps = drained.stat().st_size, Time(), 0
    compactor = Compactor(connection, rebound(pages=20), time)
    time.now_s += 5
    while compactor.step():
        connection.execute("INSERT INTO t (note, body) VALUES ('n', ?)", (BODY,))
        steps += 1
    assert steps > 10
    assert len(ids(drained)) == ROWS // 10 + steps
    assert drained.stat().st_size < before / 2
    assert log_of(drained).stat().st_size == 0


def test_max_pages_bounds_a_step(connection: sqlite3.Connection) -> None:
    time = Time()
    compactor = Compactor(connection, rebound(pages=7), time)
    time.now_s += 5
    before, _ = file_and_data_bytes(connection)
    compactor.step()
    assert before - file_and_data_bytes(connection)[0] == 7 * 4096


def test_waits_for_its_interval(connection: sqlite3.Connection) -> None:
    time = Time()
    compactor = Compactor(connection, rebound(), time)
    assert (compactor.wait_s, compactor.step()) == (5.0, False)
    time.now_s += 4.9
    assert compactor.step() is False
    time.now_s += 0.1
    assert (compactor.step(), compactor.wait_s) == (True, 0.0)


@pytest.mark.parametrize(
    ("needed", "trigger", "shrinks"), [(0, 1 << 20, True), (1 << 30, 1 << 20, False), (0, 9, False)]
)
def test_the_thresholds_decide(connection: sqlite3.Connection, needed: int, trigger: int, shrinks: bool) -> None:
    time = Time()
    compactor = Compactor(connection, rebound(needed, trigger), time)
    time.now_s += 5
    assert compactor.step() is shrinks


def test_a_step_that_fails_waits_for_the_next_check(drained: Path, connection: sqlite3.Connection) -> None:
    time = Time()
    compactor = Compactor(connection, rebound(pages=7), time)
    time.now_s += 5
    with closing(sqlite3.connect(drained, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(sqlite3.OperationalError):
            compactor.step()
        other.execute("ROLLBACK")
    assert compactor.wait_s == 5.0
    time.now_s += 5
    assert compactor.step() is True


def test_a_full_file_is_left_alone(tmp_path: Path) -> None:
    time = Time()
    path = table_file(tmp_path / "full.db", [BODY] * 10)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        compactor = Compactor(connection, rebound(), time)
        time.now_s += 5
        assert compactor.step() is False


@pytest.mark.parametrize("elsewhere", [False, True])
def test_compacts_at_start(drained: Path, tmp_path: Path, elsewhere: bool) -> None:
    directory = Path("/dev/shm") if elsewhere else tmp_path
    if elsewhere and (not directory.is_dir() or directory.stat().st_dev == tmp_path.stat().st_dev):
        pytest.skip("needs two file systems")
    before, kept = drained.stat().st_size, ids(drained)
    assert compact(drained, directory) is True
    assert drained.stat().st_size < before / 5
    assert ids(drained) == kept
    assert stat.S_IMODE(drained.stat().st_mode) == 0o600
    assert [name.name for name in tmp_path.iterdir()] == ["q.db"]
    assert not list(directory.glob("penstock-compaction-*"))
    with closing(sqlite3.connect(drained)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert compact(drained, directory) is False


def test_does_not_compact_under_a_reader(drained: Path, connection: sqlite3.Connection, tmp_path: Path) -> None:
    connection.execute("INSERT INTO t (note, body) VALUES ('n', 'x')")
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM t").fetchone()
    with closing(sqlite3.connect(drained)) as other:
        other.execute("INSERT INTO t (note, body) VALUES ('n', 'y')")
        other.commit()
    before = drained.stat().st_ino
    assert compact(drained, tmp_path) is False
    assert drained.stat().st_ino == before


def test_cleans_up_what_was_interrupted(tmp_path: Path) -> None:
    for name in ("penstock-compaction-q.db", "other.db"):
        (tmp_path / name).touch()
    clean(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.db"]


def test_queues_of_the_same_name_may_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, between = [], tmp_path / "between"
    for name, body in (("a", b"a" * 9000), ("b", b"b" * 9000)):
        (tmp_path / name).mkdir()
        paths.append(table_file(tmp_path / name / "q.db", [body] * 50, remove=range(1, 40)))
    between.mkdir()
    arrive = compaction._replace

    def other_one_first(temporary: Path, path: Path) -> None:
        monkeypatch.setattr(compaction, "_replace", arrive)
        assert compact(paths[1], between)
        arrive(temporary, path)

    monkeypatch.setattr(compaction, "_replace", other_one_first)
    assert compact(paths[0], between)
    for path, letter in zip(paths, (b"a", b"b"), strict=True):
        with closing(sqlite3.connect(path)) as connection:
            assert {body[:1] for (body,) in connection.execute("SELECT body FROM t")} == {letter}


def test_what_others_have_put_in_its_way_is_not_written_to(drained: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (tmp_path / compaction._temporary_name(drained)).symlink_to(victim)
    assert compact(drained, tmp_path)
    assert victim.read_text(encoding="utf-8") == "mine"
