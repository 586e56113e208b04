"""`penstock queue`: what it shows, what it moves, and what it leaves alone."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.delivery.durable.file.lock import FileLock
from pipeline.delivery.durable.file.names import Kind, files_in, left_to
from pipeline.delivery.durable.file.recovery import open_store
from pipeline.delivery.durable.file.store import Store
from pipeline.errors import PenstockError
from pipeline.extensions.file_storage.command.queue import queue
from pipeline.signals import Signal
from pipeline.worker import ALONE
from tests.unit.delivery.durable.queue_files import ids_in, queue_path, row, written
from tests.unit.delivery.durable.sqlite_files import flip

CONFIG = """
extensions: {{file_storage: {{directory: {folder}}}}}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: localhost:0}}}}}}}}
exporters:
  otlp_grpc: {{endpoint: localhost:4317, sending_queue: {{storage: file_storage}}}}
  otlp_grpc/memory: {{endpoint: localhost:4317}}
service:
  extensions: [file_storage]
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_grpc, otlp_grpc/memory]}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "penstock.yaml"
    file.write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    return str(file)


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert queue(list(map(str, arguments))) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def listed(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads("\n".join(said(capsys, "list", "--json", *arguments)))
    return found


# list -----------------------------------------------------------------------------------------------------------------


def test_lists_what_is_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(queue_path(tmp_path, "otlp_grpc/tempo", worker=2), [1, 2, 3], int(time.time() * 1000) - 90_000)
    (entry,) = listed(capsys, "--directory", tmp_path)
    assert 90 <= entry.pop("oldest_age_s") < 120
    assert entry == {
        "state": "idle",
        "exporter": "otlp_grpc/tempo",
        "signal": "traces",
        "worker": 2,
        "requests": 3,
        "items": 3,
        "bytes": sum(row(number).body_bytes for number in (1, 2, 3)),
        "file_bytes": path.stat().st_size,
        "layout": 2,
        "file": str(path),
    }
    head, line = said(capsys, "list", "--directory", tmp_path)
    assert head.startswith("STATE EXPORTER SIGNAL WORKER REQUESTS")
    assert line.startswith("idle otlp_grpc/tempo traces 2 3 3 ")
    assert " 1m3" in line


def test_tells_states_apart(tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    live = written(queue_path(tmp_path, "otlp_grpc"), [1])
    written(queue_path(tmp_path, "otlp_grpc", worker=1), [1])
    written(queue_path(tmp_path, "otlp_grpc/memory"), [1])
    flip(written(queue_path(tmp_path, "otlp_grpc", worker=2), [1, 2]), 0)
    name = live.name
    for kind in ("corrupt", "requeue"):
        written(tmp_path / f"{name}.{kind}-20260102T030405Z", [1])
    lock = FileLock(live, 0)
    entries = listed(capsys, "--config", config)
    lock.release()
    assert [(entry["state"], entry["requests"]) for entry in entries] == [
        ("orphan", 1), ("live", 1), ("corrupt", 1), ("requeue", 1), ("idle", 1), ("damaged", 2)
    ]  # fmt: skip


def test_a_live_file_is_not_disturbed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = queue_path(tmp_path)
    lock = FileLock(path, 0)
    with closing(Store(path)) as store:
        store.write([row(1)], ())
        (entry,) = listed(capsys, "--directory", tmp_path)
        said(capsys, "inspect", path, "--payload")
        store.write([row(2)], [1])
        assert store.checkpoint("TRUNCATE")
    lock.release()
    assert (entry["state"], entry["requests"]) == ("live", 1)


def test_looking_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(queue_path(tmp_path), [1])
    before = sorted(tmp_path.iterdir())
    listed(capsys, "--directory", tmp_path)
    said(capsys, "inspect", before[0])
    assert sorted(tmp_path.iterdir()) == before


def test_a_directory_without_files_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list", "--directory", tmp_path) == [f"no queue files in {tmp_path}"]
    with pytest.raises(PenstockError, match="is no directory"):
        queue(["list", "--directory", str(tmp_path / "nowhere")])


# inspect --------------------------------------------------------------------------------------------------------------


def test_inspects_without_payload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(queue_path(tmp_path), range(1, 31), int(time.time() * 1000) - 3 * 86_400_000)
    lines = said(capsys, "inspect", path, "--limit", 5)
    assert lines[0] == "ID AGE ITEMS BYTES CONTEXT"
    assert lines[1] == f"1 3d0h 1 {row(1).body_bytes} receiver transport peer metadata.tenant"
    assert lines[-1] == "... and 25 more; --limit shows more"
    assert len(lines) == 7


def test_shows_a_request_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(queue_path(tmp_path), [1, 2])
    (tree,) = json.loads("\n".join(said(capsys, "inspect", path, "--id", 2, "--payload")))
    (span,) = tree["payload"]["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["attributes"] == [{"key": "id", "value": {"intValue": "2"}}]
    with pytest.raises(PenstockError, match="has no request 3"):
        queue(["inspect", str(path), "--id", "3"])


def test_inspects_what_sqlite_does_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(queue_path(tmp_path), [1, 2])
    flip(path, 0)
    assert queue(["inspect", str(path)]) == 0
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 3
    assert "SQLite does not read this file" in output.err


@pytest.mark.parametrize("name", ["exporter_otlp_traces_0.db", "other.db"])
def test_what_is_no_queue_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(PenstockError, match=r"no such file|is not named as a queue file is"):
        queue(["inspect", str(tmp_path / name)])


# requeue --------------------------------------------------------------------------------------------------------------


def test_moves_an_orphan(tmp_path: Path, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(queue_path(tmp_path, "otlp_grpc/old"), [1, 2])
    (line,) = said(capsys, "requeue", source, "--exporter", "otlp_grpc", "--config", config)
    assert line.startswith("2 requests with 2 items are handed in for exporter_otlp_grpc_traces_0.db.")
    (file,) = left_to(queue_path(tmp_path, "otlp_grpc"), ALONE)
    assert file.kind is Kind.REQUEUE
    assert ids_in(file.path) == [1, 2]
    assert [found.path for found in files_in(tmp_path)] == [file.path]


def test_what_was_set_aside_is_sent_again_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(queue_path(tmp_path), range(1, 21))
    flip(path, path.read_bytes().index(row(7).body))
    flip(path, 0)
    store, (damage,) = open_store(path, lambda: Store(path))
    store.close()
    with pytest.raises(PenstockError, match="--again sends it once more"):
        queue(["requeue", str(damage.aside), "--into", str(path)])
    lines = said(capsys, "requeue", damage.aside, "--into", path, "--again")
    assert lines[0].startswith("19 requests")
    assert lines[1].startswith(f"{damage.aside} stays")
    (file,) = left_to(path, ALONE)
    assert ids_in(file.path) == [number for number in range(1, 21) if number != 7]
    assert damage.aside.exists()


def test_an_empty_file_is_moved_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(queue_path(tmp_path, worker=3), [])
    (line,) = said(capsys, "requeue", source, "--exporter", "otlp")
    assert line == f"{source} has no request that can be read"
    assert list(tmp_path.iterdir()) == []


def test_refuses_what_would_go_wrong(tmp_path: Path, config: str) -> None:
    source = written(queue_path(tmp_path, "otlp/old"), [1])
    logs = queue_path(tmp_path, signal=Signal.LOGS)
    for arguments, reason in (
        (["--into", str(logs)], "holds traces, .* logs"),
        (["--into", str(source)], "is the queue's own file"),
        (["--into", str(source) + ".requeue-20260102T030405Z"], "leave out what stands behind .db"),
        (["--exporter", "otlp_grpc/memory", "--config", config], "no exporter .* with sending_queue.storage"),
        (["--exporter", "/"], "id"),
    ):
        with pytest.raises(PenstockError, match=reason):
            queue(["requeue", str(source), *arguments])
    lock = FileLock(source, 0)
    with pytest.raises(PenstockError, match="is the queue of a running process"):
        queue(["requeue", str(source), "--exporter", "otlp"])
    lock.release()
    assert ids_in(source) == [1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_hands_in_is_for_the_owner_of_the_directory(tmp_path: Path) -> None:
    source, target = written(queue_path(tmp_path, "old"), [1]), queue_path(tmp_path, "new")
    os.chown(tmp_path, 65534, 65534)
    queue(["requeue", str(source), "--into", str(target)])
    (made,) = files_in(tmp_path)
    assert (made.path.stat().st_uid, made.path.stat().st_mode & 0o777) == (65534, 0o600)


def test_nothing_is_moved_when_the_new_file_cannot_be_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = written(queue_path(tmp_path, "old"), [1]), queue_path(tmp_path, "new")
    monkeypatch.setattr(Store, "checkpoint", lambda *_: False)
    with pytest.raises(PenstockError, match="log"):
        queue(["requeue", str(source), "--into", str(target)])
    assert [file.path for file in files_in(tmp_path)] == [source]
    assert ids_in(source) == [1]
