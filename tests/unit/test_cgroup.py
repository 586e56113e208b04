"""Limits of control groups as containers and services of systemd see them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.cgroup import limits
from pipeline.workers.count import cpus
from processors.memory_limiter import memory_bytes


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")


def test_a_service_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = tmp_path / "sys/fs/cgroup"
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/penstock.service\n")
    write(groups / "system.slice/penstock.service/memory.max", f"{64 << 20}\n")
    write(groups / "system.slice/memory.max", "max\n")
    write(groups / "other.slice/memory.max", "1\n")
    write(groups / "system.slice/penstock.service/cpu.max", "300000 100000\n")
    write(groups / "system.slice/cpu.max", "200000 100000\n")
    assert list(limits("memory.max", root=tmp_path)) == [str(64 << 20), "max"]
    assert memory_bytes(tmp_path) == 64 << 20
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cpus(tmp_path) == 2


def test_the_slice_above_has_less(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "0::/system.slice/penstock.service\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/penstock.service/memory.max", f"{64 << 20}\n")
    write(tmp_path / "sys/fs/cgroup/system.slice/memory.max", f"{32 << 20}\n")
    assert memory_bytes(tmp_path) == 32 << 20


def test_version_1(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", "5:cpu,cpuacct:/one\n4:memory:/two\n0::/three\n")
    write(tmp_path / "sys/fs/cgroup/memory/two/memory.limit_in_bytes", f"{16 << 20}\n")
    write(tmp_path / "sys/fs/cgroup/memory/one/memory.limit_in_bytes", "1\n")
    assert memory_bytes(tmp_path) == 16 << 20


@pytest.mark.parametrize("lines", ["", "0::/\n", "0::/docker/abc\n", "0::/../other\n", "nonsense\n"])
def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path, lines: str) -> None:
    write(tmp_path / "proc/self/cgroup", lines)
    write(tmp_path / "sys/fs/cgroup/memory.max", f"{48 << 20}\n")
    assert memory_bytes(tmp_path) == 48 << 20


def test_no_groups_at_all(tmp_path: Path) -> None:
    assert list(limits("memory.max", root=tmp_path)) == []
    assert memory_bytes(tmp_path) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
