from __future__ import annotations

import os
from pathlib import Path

from pipeline.exporters.file import FileExporter
from pipeline.exporters.file.config import Rotation
from pipeline.exporters.file.rotation import Rotator
from pipeline.testing import FakeClock, configured, make_host, traces

MIB = 1 << 20


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_payload_that_does_not_fit_is_due() -> None:
    rotator = Rotator(Rotation(max_megabytes=1), FakeClock())
    assert not rotator.is_due(MIB - 5, 5)
    assert rotator.is_due(MIB - 5, 6)
    assert not rotator.is_due(0, 2 * MIB)


def test_zero_megabytes_are_a_hundred() -> None:
    rotator = Rotator(Rotation(max_megabytes=0), FakeClock())
    assert not rotator.is_due(99 * MIB, MIB)
    assert rotator.is_due(99 * MIB, MIB + 1)


def _rotate(folder: Path, times: int, config: Rotation, hours_between: float = 0.0) -> list[str]:
    clock = FakeClock()
    rotator = Rotator(config, clock)
    for _ in range(times):
        (folder / "out.json").write_text("x")
        rotator.rotate(folder / "out.json")
        clock._now += hours_between * 3600
    return _names(folder)


def test_names_have_the_time(tmp_path: Path) -> None:
    assert _rotate(tmp_path, 1, Rotation()) == ["out-2023-11-14T22-13-20.000.json"]


def test_names_of_one_moment_differ(tmp_path: Path) -> None:
    names = ["out-2023-11-14T22-13-20.000.json", "out-2023-11-14T22-13-20.001.json"]
    assert _rotate(tmp_path, 2, Rotation()) == names


def test_local_time(tmp_path: Path) -> None:
    zone = os.environ.get("TZ")
    os.environ["TZ"] = "UTC-9"
    import time

    time.tzset()
    try:
        assert _rotate(tmp_path, 1, Rotation(localtime=True)) == ["out-2023-11-15T07-13-20.000.json"]
    finally:
        if zone is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = zone
        time.tzset()


def test_max_backups_keeps_the_newest(tmp_path: Path) -> None:
    (tmp_path / "out-other.json").write_text("not one of ours")
    names = _rotate(tmp_path, 5, Rotation(max_backups=2), hours_between=1)
    assert names == ["out-2023-11-15T01-13-20.000.json", "out-2023-11-15T02-13-20.000.json", "out-other.json"]


def test_max_backups_zero_keeps_all(tmp_path: Path) -> None:
    assert len(_rotate(tmp_path, 5, Rotation(max_backups=0))) == 5


def test_max_days(tmp_path: Path) -> None:
    names = _rotate(tmp_path, 4, Rotation(max_days=1), hours_between=20)
    assert names == ["out-2023-11-16T14-13-20.000.json", "out-2023-11-17T10-13-20.000.json"]


async def test_a_full_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("from before\n")
    exporter = configured(FileExporter, make_host("file"), path=str(path), rotation={"max_megabytes": 1})
    await exporter.start()
    for _ in range(3):
        await exporter.export(traces({"a": "x" * (MIB // 2)}))
    await exporter.stop()
    sizes = [(tmp_path / name).stat().st_size for name in _names(tmp_path)]
    assert len(sizes) == 3
    assert max(sizes) <= MIB
    assert (tmp_path / "out-2023-11-14T22-13-20.000.json").read_text().startswith("from before\n{")
