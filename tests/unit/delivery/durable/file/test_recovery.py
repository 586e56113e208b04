"""Whatever was done to a queue file, it opens, and what can be read of it is there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.delivery.durable.file.errors import StoreDamagedError, StoreFullError, StoreLayoutError
from pipeline.delivery.durable.file.migration import LAYOUT
from pipeline.delivery.durable.file.recovery import Damage, check, open_store, replace
from pipeline.delivery.durable.file.store import PAGE_BYTES, Row, Store, files_of
from tests.unit.delivery.durable.sqlite_files import QUICK_DISK, flip, log_of

ROWS = 40


def row(number: int, size: int = 9000) -> Row:
    body = number.to_bytes(2, "big") * (size // 2)
    return Row(number, 3, len(body), 1_795_300_000_000 + number, '{"receiver":"otlp"}', body)


def filled(path: Path, *, killed: bool, size: int = 9000) -> Path:
    """A queue file of rows 1 to 40 in commits of 8; `killed`: the last four commits in the log."""
    source = path.with_name("source.db")
    store = Store(source)
    for first in range(1, ROWS + 1, 8):
        store.write([row(number, size) for number in range(first, first + 8)], ())
        if first == 1 or not killed:
            store.checkpoint("TRUNCATE")
    for part, copy in zip(files_of(source), files_of(path), strict=True):
        if not part.name.endswith("-shm"):
            shutil.copy(part, copy)
    store.close()
    return path


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    return {killed: filled(tmp_path_factory.mktemp("queue") / "q.db", killed=killed) for killed in (False, True)}


@pytest.fixture
def at_rest(templates: dict[bool, Path], tmp_path: Path) -> Path:
    return copied(templates[False], tmp_path)


@pytest.fixture
def killed(templates: dict[bool, Path], tmp_path: Path) -> Path:
    return copied(templates[True], tmp_path)


def copied(source: Path, folder: Path) -> Path:
    shutil.copy(log_of(source), folder / "q.db-wal")
    return Path(shutil.copy(source, folder / "q.db"))


def opened(path: Path, size: int = 9000) -> tuple[set[int], list[Damage]]:
    """Ids of the whole rows in a file once it is open, and what was found; the file works."""
    store, damages = open_store(path, partial(Store, path))
    with closing(store):
        rows = store.read(0, 1 << 30)
        store.write([row(1000)], [found.id for found in rows])
        assert store.totals().requests == 1
    assert all(found[:6] == row(found.id, size)[:6] for found in rows if found.is_whole)
    return {found.id for found in rows if found.is_whole}, damages


def everything() -> set[int]:
    return set(range(1, ROWS + 1))


@pytest.mark.parametrize("name", ["at_rest", "killed"])
def test_a_whole_file_is_left_alone(name: str, request: pytest.FixtureRequest) -> None:
    assert opened(request.getfixturevalue(name)) == (everything(), [])


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    assert opened(tmp_path / "q.db") == (set(), [])


def test_the_damaged_file_is_kept(at_rest: Path) -> None:
    flip(at_rest, 3)
    before = at_rest.read_bytes()
    found, (damage,) = opened(at_rest)
    assert found == everything()
    assert (damage.requests, damage.items, damage.lost_requests, damage.is_done) == (ROWS, 3 * ROWS, 0, True)
    assert damage.reason == "not a SQLite database"
    assert damage.aside.name.startswith("q.db.corrupt-20")
    assert damage.aside.read_bytes() == before
    assert not list(at_rest.parent.glob("*.salvage-*"))


def without_header(path: Path) -> None:
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage " * 5000)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def directory(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def rootless(path: Path) -> None:
    """The pages of the schema and of the table's root are gone."""
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xee" * (3 * 32768 - 100) + data[3 * 32768 :])


@pytest.mark.parametrize(
    ("damage", "at_least"),
    [(without_header, ROWS), (garbage, 0), (emptied, 0), (directory, 0), (halved, 9), (rootless, 30)],
)
def test_damage_at_rest(at_rest: Path, damage: Callable[[Path], None], at_least: int) -> None:
    log_of(at_rest).unlink()
    damage(at_rest)
    found, damages = opened(at_rest)
    assert len(found) >= at_least
    assert len(damages) == 1
    assert damages[0].requests == len(found)


@pytest.mark.parametrize("damage", [without_header, garbage, emptied, directory, halved, Path.unlink])
def test_a_damaged_file_with_a_log(killed: Path, damage: Callable[[Path], None]) -> None:
    damage(killed)
    found, damages = opened(killed)
    assert found >= set(range(12, ROWS + 1)), "what was in the log"
    assert len(damages) == 1


def test_commits_behind_a_damaged_place_of_the_log(killed: Path) -> None:
    flip(log_of(killed), log_of(killed).read_bytes().index(row(12).body))
    found, (damage,) = opened(killed)
    assert "write-ahead log" in damage.reason
    assert everything() - found <= set(range(9, 17))
    assert set(range(25, ROWS + 1)) <= found


@settings(max_examples=30, deadline=None)
@given(is_killed=st.booleans(), in_log=st.booleans(), place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_one_byte_costs_the_rows_of_one_page_and_not_in_silence(
    templates: dict[bool, Path], is_killed: bool, in_log: bool, place: float, bits: int
) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        path = copied(templates[is_killed], Path(folder))
        target = log_of(path) if in_log and is_killed else path
        at = int(place * target.stat().st_size)
        if target is path and 60 <= at < 64:
            return
        flip(target, at, bits)
        store, damages = open_store(path, partial(Store, path))
        with closing(store):
            rows = store.read(0, 1 << 30)
        whole = {found.id for found in rows if found.is_whole and found[:6] == row(found.id)[:6]}
        assert len(everything() - whole) <= 4
        if everything() - whole:
            assert damages or any(not found.is_whole for found in rows)


def test_every_byte_of_the_logs_header_counts(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    template = filled(tmp_path / "template" / "q.db", killed=True, size=300)
    for at in range(32):
        path = copied(template, tmp_path)
        flip(log_of(path), at)
        assert opened(path, 300)[0] == everything(), at
        for part in files_of(path):
            part.unlink(missing_ok=True)


def test_an_interrupted_salvage_goes_on(at_rest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_header(at_rest)
    write, calls = Store.write, 0

    def full(store: Store, puts: list[Row], removals: list[int]) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise StoreFullError("SQLITE_FULL")
        write(store, puts[:10], removals)

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.delivery.durable.file.recovery._COMMIT_BYTES", 90_000)
        patched.setattr(Store, "write", full)
        store, (damage,) = open_store(at_rest, partial(Store, at_rest))
    assert (damage.requests, damage.is_done) == (10, False)
    assert damage.aside.name.startswith("q.db.salvage-")
    (new_id,) = (store.totals().last_id + 1,)
    store.write([row(new_id, 5000)], ())
    store.close()
    store, (again,) = open_store(at_rest, partial(Store, at_rest))
    with closing(store):
        bodies = {found.body for found in store.read(0, 1 << 30)}
    assert bodies == {row(number).body for number in everything()} | {row(new_id, 5000).body}
    assert again.is_done
    assert again.aside.name.startswith("q.db.corrupt-")


def test_a_file_in_use_is_replaced(at_rest: Path) -> None:
    store = Store(at_rest)
    store.write([], [1, 2])
    store.close()
    rootless(at_rest)
    held = [row(39), row(41)]

    def make() -> Store:
        made = Store(at_rest)
        made.write(held, ())
        return made

    store, damage = replace(at_rest, make, "seen", gone={3, 4})
    with closing(store):
        found = store.read(0, 1 << 30)
    assert [one.id for one in found][:1] == [5]
    assert {39, 41} <= {one.id for one in found}
    assert len(found) == damage.requests + len(held)
    assert all(one.is_whole for one in found)


def test_a_later_layout_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with closing(Store(path)) as store:
        store.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreLayoutError):
        open_store(path, partial(Store, path))
    assert [file.name for file in tmp_path.iterdir()] == ["q.db"]


def test_the_check_gives_up_in_time_and_then_knows_nothing(at_rest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip(at_rest, 4 * PAGE_BYTES)
    with closing(Store(at_rest)) as store, pytest.raises(StoreDamagedError, match="structure"):
        check(store)
    monkeypatch.setattr("pipeline.delivery.durable.file.recovery._CHECK_S", 0.0)
    monkeypatch.setattr("pipeline.delivery.durable.file.recovery._INTERRUPT_EVERY_S", 0.0)
    with closing(Store(at_rest)) as store:
        check(store)
        assert store.layout == LAYOUT


def test_damage_found_twice_in_one_second_keeps_both_files(at_rest: Path) -> None:
    for _ in range(3):
        flip(at_rest, 3)
        opened(at_rest)
    asides = [aside for aside in at_rest.parent.glob("*.corrupt-*") if not aside.name.endswith(("-wal", "-shm"))]
    assert len(asides) == 3


def test_a_kill_while_a_file_is_set_aside_costs_nothing(killed: Path) -> None:
    killed.rename(killed.with_name(killed.name + ".salvage-20260102T030405Z"))
    found, (damage,) = opened(killed)
    assert found == everything()
    assert log_of(damage.aside).exists()
