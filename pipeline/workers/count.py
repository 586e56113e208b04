"""How many workers: a number, or as many as there are CPUs for this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.cgroup import limits

_MOST: Final = 256


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


def cpus(root: Path = Path("/")) -> int:
    """CPUs that this process may use, by its affinity and the quotas of its cgroups; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([count, *_quotas(root)]))


def _quotas(root: Path) -> Iterator[int]:
    """Whole CPUs, of each cgroup with a quota (v2): quota and period in microseconds, `max 100000` without one."""
    for text in limits("cpu.max", root=root):
        quota, _, period = text.partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) // int(period)
