"""A file of an older layout is brought up to date, at once or not at all."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.delivery.durable.file import migration
from pipeline.delivery.durable.file.errors import StoreLayoutError
from pipeline.delivery.durable.file.store import Row, Store
from pipeline.signals import Signal
from pipeline.signals.intake import parse

DATA = Path(__file__).parents[4] / "data" / "queue"


@pytest.fixture(params=range(1, migration.LAYOUT))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as each older layout left it: rows 1, 3, 4, 5 of two spans."""
    path = tmp_path / "q.db"
    path.write_bytes(gzip.decompress((DATA / f"layout-{request.param}.db.gz").read_bytes()))
    return path


@pytest.fixture
def store(older: Path) -> Iterator[Store]:
    with closing(Store(older)) as opened:
        yield opened


def test_rows_are_there_and_new_ones_can_be_added(store: Store) -> None:
    rows = store.read(0, 1 << 20)
    assert [(row.id, row.items, row.is_whole) for row in rows] == [(n, 2, True) for n in (1, 3, 4, 5)]
    assert all(parse(Signal.TRACES, row.body).count == 2 for row in rows)
    assert store.layout == migration.LAYOUT
    store.write([Row(6, 1, 4, 0, "{}", b"body")], [1])
    assert [row.id for row in store.read(0, 1 << 20)] == [3, 4, 5, 6]


def test_the_schema_is_that_of_a_new_file(store: Store, tmp_path: Path) -> None:
    def columns(of: Store) -> list[tuple[object, ...]]:
        return of.connection.execute(
            "SELECT tables.name, columns.* FROM sqlite_schema tables, pragma_table_info(tables.name) columns"
        ).fetchall()

    with closing(Store(tmp_path / "new.db")) as new:
        assert columns(store) == columns(new)


def test_a_step_that_fails_leaves_the_file_as_it_was(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {layout: (*statements, "INSERT INTO nowhere VALUES (1)") for layout, statements in migration._STEPS.items()}
    before = older.read_bytes()
    with monkeypatch.context() as patched, closing(sqlite3.connect(older, isolation_level=None)) as connection:
        patched.setattr(migration, "_STEPS", steps)
        with pytest.raises(sqlite3.OperationalError):
            migration.migrate(connection)
    assert older.read_bytes() == before
    with closing(Store(older)) as store:
        assert store.totals().requests == 4


def test_a_later_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with closing(Store(path)) as store:
        store.connection.execute(f"PRAGMA user_version = {migration.LAYOUT + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreLayoutError, match=f"layout {migration.LAYOUT + 1}"):
        Store(path)
    assert path.read_bytes() == before
