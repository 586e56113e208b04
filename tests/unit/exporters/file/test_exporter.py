"""What stands in the files, and what happens when it cannot be written."""

from __future__ import annotations

import contextlib
import os
import resource
import signal as signals
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pipeline.errors import Refused, Rejected, StartError
from pipeline.exporters.file import FileExporter
from pipeline.signals import Batch, Signal, otlp_json
from pipeline.testing import FakeClock, configured, logs, make_host, metrics, traces

LONG_AGO_NS = 1_600_000_000_000_000_000


@contextlib.asynccontextmanager
async def _started(path: Path | str, **config: Any) -> AsyncIterator[FileExporter]:
    host = make_host("file", clock=FakeClock())
    exporter: FileExporter = configured(FileExporter, host, path=str(path), **config)
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.stop()


def _left_by_an_earlier_process(path: Path, content: bytes = b"old\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))


def _framed(content: bytes) -> list[bytes]:
    payloads = []
    while content:
        size = int.from_bytes(content[:4], "big")
        payloads.append(content[4 : 4 + size])
        assert len(payloads[-1]) == size
        content = content[4 + size :]
    return payloads


async def test_json_has_one_request_on_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    batches = [traces({"text": "a\nb"}), logs("hello"), metrics({"m": [1.5]})]
    async with _started(path) as exporter:
        for batch in batches:
            await exporter.export(batch)
    lines = path.read_bytes().splitlines()
    decoded = [otlp_json.decode(batch.signal, line) for batch, line in zip(batches, lines, strict=True)]
    assert decoded == [batch.message for batch in batches]


async def test_proto_is_the_bytes_that_came_in_behind_their_length(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    batch = traces({"a": 1})
    async with _started(path, format="proto") as exporter:
        await exporter.export(batch)
        await exporter.export(batch)
    assert _framed(path.read_bytes()) == [batch.serialize()] * 2


@pytest.mark.parametrize("level", [0, 19])
async def test_compressed_requests_stand_behind_their_length(tmp_path: Path, level: int) -> None:
    batch = traces({"a": "x" * 1000})
    for kind, expected in (("json", otlp_json.encode(batch.message)), ("proto", batch.serialize())):
        path = tmp_path / kind
        async with _started(path, format=kind, compression="zstd", compression_params={"level": level}) as exporter:
            await exporter.export(batch)
        assert [zstandard.decompress(payload) for payload in _framed(path.read_bytes())] == [expected]


async def test_a_higher_level_makes_smaller_files(tmp_path: Path) -> None:
    batch = traces(*({"text": f"some text that is said {n} times and {n * n} times more"} for n in range(500)))
    for level in (1, 19):
        async with _started(tmp_path / str(level), compression="zstd", compression_params={"level": level}) as exporter:
            await exporter.export(batch)
    assert (tmp_path / "1").stat().st_size > (tmp_path / "19").stat().st_size


async def test_a_request_is_in_the_file_when_it_counts_as_delivered(tmp_path: Path) -> None:
    async with _started(tmp_path / "out", flush_interval=3600.0, format="proto") as exporter:
        await exporter.export(traces({"a": 1}))
        assert len(_framed((tmp_path / "out").read_bytes())) == 1


async def test_the_file_begins_empty_unless_append(tmp_path: Path) -> None:
    for append, begin in ((False, b"{"), (True, b"old\n{")):
        path = tmp_path / str(append)
        _left_by_an_earlier_process(path)
        async with _started(path, append=append) as exporter:
            await exporter.export(traces({"a": 1}))
        assert path.read_bytes().startswith(begin)


async def test_a_reload_keeps_what_this_process_wrote(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    async with _started(path) as old:
        await old.export(traces({"a": 1}))
        async with _started(path) as new:
            await old.export(traces({"a": 2}))
            await new.export(traces({"a": 3}))
    assert len(path.read_bytes().splitlines()) == 3


async def test_a_file_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    async with _started(path) as exporter:
        await exporter.export(traces({"a": 1}))
        path.rename(tmp_path / "moved")
        await exporter.export(traces({"a": 2}))
        path.unlink()
        await exporter.export(traces({"a": 3}))
    assert len(path.read_bytes().splitlines()) == 1


async def test_missing_folders_are_an_error_at_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file or directory"):
        async with _started(tmp_path / "new" / "out.json"):
            pass


async def test_create_directory_makes_them(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.json"
    async with _started(path, create_directory=True, directory_permissions="0700"):
        assert path.exists()
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_payload_goes_to_a_pipe_too(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    async with _started(path) as exporter:
        await exporter.export(traces({"a": 1}))
    assert os.read(reader, 1 << 16).endswith(b"}\n")
    os.close(reader)


@contextlib.contextmanager
def _files_no_larger_than(size_bytes: int) -> Any:
    """The kernel then fails writes past this size, after writing what still fits."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signals.signal(signals.SIGXFSZ, signals.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signals.signal(signals.SIGXFSZ, previous)


async def test_no_room_refuses_and_leaves_no_half_request(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    async with _started(path) as exporter:
        await exporter.export(traces({"a": 1}))
        before = path.read_bytes()
        with _files_no_larger_than(len(before) + 50), pytest.raises(Refused, match="cannot write to file"):
            await exporter.export(traces({"a": "x" * 1000}))
        assert path.read_bytes() == before
        await exporter.export(traces({"a": 2}))
    assert len(path.read_bytes().splitlines()) == 2


def _of(*segments: str | int | None) -> Batch:
    batch = traces()
    message: Any = batch.message
    del message.resource_spans[:]
    for segment in segments:
        resource_attributes = {} if segment is None else {"fileexporter.path_segment": segment}
        message.MergeFrom(traces({"s": str(segment)}, resource=resource_attributes).message)
    return Batch.of_message(message, Signal.TRACES)


async def _grouped(folder: Path, *batches: Batch, **config: Any) -> dict[str, int]:
    async with _started(f"{folder}/out/*.json", group_by={"enabled": True} | config) as exporter:
        for batch in batches:
            await exporter.export(batch)
    return _lines_of_all_files(folder)


def _lines_of_all_files(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): len(path.read_bytes().splitlines()) for path in files}


async def test_group_by_puts_each_resource_into_its_file(tmp_path: Path) -> None:
    written = await _grouped(tmp_path, _of("a", "b/c", "a"), _of("a"))
    assert written == {"out/a.json": 2, "out/b/c.json": 1}
    request: Any = otlp_json.decode(Signal.TRACES, (tmp_path / "out/a.json").read_bytes().splitlines()[0])
    assert len(request.resource_spans) == 2


async def test_group_by_another_attribute(tmp_path: Path) -> None:
    assert await _grouped(tmp_path, traces({"a": 1}), resource_attribute="service.name") == {"out/shop.json": 1}


async def test_no_group_or_no_text_goes_to_the_path_without_it(tmp_path: Path) -> None:
    assert await _grouped(tmp_path, _of(None, 5, "")) == {"out/.json": 1}


@pytest.mark.parametrize(
    ("segment", "file"),
    [("../../etc/x", "out/etc/x.json"), ("/abs", "out/abs.json"), ("..", "out/...json"), ("a\0b", "out/ab.json")],
)
async def test_a_group_never_leads_out_of_the_path(tmp_path: Path, segment: str, file: str) -> None:
    assert await _grouped(tmp_path, _of(segment)) == {file: 1}


async def test_few_open_files_lose_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _left_by_an_earlier_process(tmp_path / f"out/{name}.json")
    written = await _grouped(tmp_path, *[_of(name) for name in "abab"], max_open_files=1)
    assert written == {"out/a.json": 2, "out/b.json": 2}


async def test_a_group_that_makes_no_path_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="name too long") as caught:
        await _grouped(tmp_path, _of("x" * 300))
    assert caught.value.divisible
