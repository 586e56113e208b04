from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.receivers.otlpjsonfile import tail as tail_module
from pipeline.receivers.otlpjsonfile.tail import Tail


def _write(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def _all(tail: Tail) -> list[bytes]:
    lines: list[bytes] = []
    while (more := tail.read()) is not None:
        lines += more
    return lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in.json"
    path.touch()
    return path


def test_lines_end_with_a_newline(path: Path) -> None:
    tail = Tail(path, at_end=False)
    _write(path, b'{"a":1}\n{"b"')
    assert _all(tail) == [b'{"a":1}']
    assert _all(tail) == []
    _write(path, b":2}\n\n")
    assert _all(tail) == [b'{"b":2}', b""]
    tail.close()


def test_a_whole_document_needs_no_newline_once_it_rests(path: Path) -> None:
    tail = Tail(path, at_end=False)
    _write(path, b'{"a":1}')
    assert _all(tail) == []
    assert _all(tail) == [b'{"a":1}']
    assert _all(tail) == []
    tail.close()


def test_at_end_skips_what_is_there(path: Path) -> None:
    _write(path, b"old\n")
    tail = Tail(path, at_end=True)
    _write(path, b"new\n")
    assert _all(tail) == [b"new"]
    tail.close()


def test_a_truncated_file_is_read_from_its_start(path: Path) -> None:
    _write(path, b"a long first line\npart")
    tail = Tail(path, at_end=False)
    _all(tail)
    path.write_bytes(b"short\n")
    tail.rewind_if_shorter()
    assert _all(tail) == [b"short"]
    tail.close()


def test_lines_longer_than_a_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_CHUNK_BYTES", 4)
    _write(path, b"0123456789\nab\n")
    tail = Tail(path, at_end=False)
    assert _all(tail) == [b"0123456789", b"ab"]
    tail.close()


def test_endless_lines_are_skipped_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "_CHUNK_BYTES", 4)
    monkeypatch.setattr(tail_module, "_MAX_LINE_BYTES", 8)
    _write(path, b"before\n" + b"x" * 30 + b"\nafter\n")
    tail = Tail(path, at_end=False)
    assert _all(tail) == [b"before", b"after"]
    assert tail.oversized == 1
    tail.close()
