"""Rows are read from the pages of a file as SQLite has them, and from files that SQLite does not open."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.delivery.durable.sqlite.pages import PageFile, UnreadableError, page_size_of
from tests.unit.delivery.durable.sqlite_files import QUICK_DISK, flip, killed_file, log_of, table_file


def bodies_of(path: Path, default_page_size: int = 4096, *, whole_log: bool = True) -> dict[int, bytes]:
    """The bodies of table `t` by row id."""
    found: dict[int, bytes] = {}
    with PageFile(path, default_page_size, whole_log=whole_log) as pages:
        for row in pages.rows():
            if not isinstance(row, UnreadableError) and len(row[1]) == 3 and isinstance(row[1][2], bytes):
                found[row[0]] = row[1][2]
    return found


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 300) | st.integers(480, 530) | st.integers(4000, 4200) | st.integers(0, 70_000)),
    page_size=st.sampled_from([512, 4096, 65536]),
    data=st.data(),
)
def test_reads_what_sqlite_keeps(sizes: list[int], page_size: int, data: st.DataObject) -> None:
    removed = data.draw(st.sets(st.integers(1, len(sizes) or 1)))
    bodies = {number: number.to_bytes(4, "big") + b"b" * size for number, size in enumerate(sizes, 1)}
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        path = table_file(Path(folder, "q.db"), bodies.values(), page_size=page_size, remove=removed)
        assert bodies_of(path) == {number: body for number, body in bodies.items() if number not in removed}


def test_reads_the_log_over_the_file(tmp_path: Path) -> None:
    path = killed_file(tmp_path / "q.db", [[b"a" * 9000, b"b"], [b"c" * 100]])
    assert bodies_of(path) == {1: b"a" * 9000, 2: b"b", 3: b"c" * 100}


def test_does_without_a_header(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 3000 for number in range(50)]
    path = table_file(tmp_path / "q.db", bodies, page_size=8192)
    data = path.read_bytes()
    path.write_bytes(b"\0" * 100 + data[100:])
    assert list(bodies_of(path, 8192).values()) == bodies


def test_a_cut_costs_what_is_behind_it(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 3000 for number in range(50)]
    path = table_file(tmp_path / "q.db", bodies)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = bodies_of(path)
    assert 20 < len(found) < 30
    assert all(bodies[number - 1] == body for number, body in found.items())


@pytest.mark.parametrize("byte", [0x00, 0x0D, 0xFF])
def test_a_spoilt_page_costs_its_rows(tmp_path: Path, byte: int) -> None:
    bodies = [bytes([number]) * 1000 for number in range(60)]
    path = table_file(tmp_path / "q.db", bodies)
    data = path.read_bytes()
    at = data.index(bytes([30]) * 1000) // 4096 * 4096
    path.write_bytes(data[:at] + bytes([byte]) * 4096 + data[at + 4096 :])
    found = bodies_of(path)
    assert set(range(1, 61)) - set(found) <= set(range(26, 37))
    assert 56 <= len(found) < 60


def test_behind_a_damaged_place_of_the_log(tmp_path: Path) -> None:
    path = killed_file(tmp_path / "q.db", [[b"a" * 9000], [b"b" * 9000], [b"c" * 9000]])
    flip(log_of(path), log_of(path).read_bytes().index(b"b" * 4000))
    assert set(bodies_of(path)) == {1, 3}
    assert set(bodies_of(path, whole_log=False)) == {1}


def test_page_size_is_believed_only_where_it_can_be() -> None:
    header = bytearray(b"SQLite format 3\0" + b"\0" * 84)
    for stated, size in ((1, 65536), (4096, 4096), (512, 512), (256, 0), (4095, 0), (0, 0)):
        header[16:18] = stated.to_bytes(2, "big")
        assert page_size_of(bytes(header)) == size
    assert page_size_of(b"garbage" * 50) == 0


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=QUICK_DISK) as folder:
        path = Path(folder, "q.db")
        path.write_bytes(b"\x0d" + data)
        assert isinstance(bodies_of(path, 512), dict)
