"""How many workers: a number, or as many as there are CPUs for this process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOST: Final = 256
_CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
"""Quota and period of a cgroup in microseconds, `max 100000` without a quota (Linux, cgroup v2)."""


def worker_count(text: str) -> int:
    """The value of `--workers`: 1 to 256, or `auto`.

    Raises:
        ValueError: neither; the message says what is expected.
    """
    if text == "auto":
        return min(cpus(), _MOST)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST:
        raise ValueError(f'expected a number from 1 to {_MOST} or auto, not "{text}"')
    return int(text)


def cpus(cpu_max: Path = _CPU_MAX) -> int:
    """CPUs that this process may use, by its affinity and the quota of its cgroup; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text(encoding="ascii").split()
        return count if quota == "max" else max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):
        return count
