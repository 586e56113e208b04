"""Names of queue files say whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.ids import ComponentId
from pipeline.delivery.durable.file.names import Kind, QueueFile, beside, file_name, files_in, left_to
from pipeline.signals import Signal
from pipeline.worker import Worker


@pytest.mark.parametrize("exporter", ["otlp", "otlp_grpc/tempo", "kafka/a_traces_1.db", "debug/äあ[1]"])
@pytest.mark.parametrize("suffix", ["", ".requeue-20260102T030405Z", ".corrupt-20260102T030405Z-2"])
def test_a_name_is_read_back(exporter: str, suffix: str) -> None:
    name = file_name(ComponentId.parse(exporter), Signal.LOGS, 12) + suffix
    found = QueueFile.parse(Path(name))
    assert found is not None
    assert (found.exporter, found.signal, found.worker) == (exporter, Signal.LOGS, 12)
    assert found.kind == (suffix[1:8] if suffix else "queue")


@pytest.mark.parametrize("name", ["exporter_otlp_traces_0.db-wal", "exporter_otlp_traces_0.db.lock", "other.db", "x"])
def test_what_stands_beside_is_none(name: str) -> None:
    assert QueueFile.parse(Path(name)) is None


def test_the_last_word_counts() -> None:
    found = QueueFile.parse(Path("exporter_otlp_traces_0.db.requeue-20260102T030405Z.corrupt-20260102T030405Z"))
    assert found is not None
    assert found.kind is Kind.CORRUPT


def test_every_file_is_left_to_one_worker(tmp_path: Path) -> None:
    otlp = ComponentId.parse("otlp")
    names = [file_name(otlp, Signal.TRACES, worker) for worker in range(5)]
    for name in (*names, names[3] + ".requeue-20260102T030405Z", names[0] + ".corrupt-20260102T030405Z"):
        (tmp_path / name).touch()
    (tmp_path / file_name(otlp, Signal.LOGS, 4)).touch()
    (tmp_path / file_name(ComponentId.parse("otlp/b"), Signal.TRACES, 4)).touch()
    left = [[file.path.name for file in left_to(tmp_path / names[i], Worker(i, 2))] for i in (0, 1)]
    assert left == [[names[2], names[4]], [names[3], names[3] + ".requeue-20260102T030405Z"]]
    assert left_to(tmp_path / names[1], Worker(1, 5)) == []
    assert len(list(files_in(tmp_path))) == 9


def test_names_beside_are_free(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        name = beside(tmp_path / "exporter_otlp_traces_0.db", Kind.REQUEUE)
        name.touch()
        names.add(name)
    assert len(names) == 3
    assert len(list(files_in(tmp_path))) == 3
