from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.workers.count import cpus, worker_count


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("4", 4), ("256", 256)])
def test_a_number(text: str, count: int) -> None:
    assert worker_count(text) == count


@pytest.mark.parametrize("text", ["0", "-1", "257", "two", "", "1.5", "\u0664"])
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number from 1 to 256 or auto"):
        worker_count(text)


def test_as_many_as_there_are_cpus() -> None:
    assert worker_count("auto") == cpus()


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("50000 100000", 1),
        ("250000 100000", 2),
        ("1600000 100000", 8),
        ("?", 8),
    ],
)
def test_the_quota_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    path = tmp_path / "sys/fs/cgroup/cpu.max"
    path.parent.mkdir(parents=True)
    path.write_text(quota, encoding="ascii")
    assert cpus(tmp_path) == expected
    assert cpus(tmp_path / "absent") == 8
