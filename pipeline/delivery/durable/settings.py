"""What a storage extension tells the queues that keep their files with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Rebound:
    """When a file in use is compacted: at least `needed_bytes` large, with at most `trigger_bytes` of data in it."""

    needed_bytes: int
    trigger_bytes: int
    check_interval_s: float
    max_pages: int = 0
    """Most pages moved in one transaction; 0: only time limits it."""


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where files are and how they are written."""

    directory: Path
    timeout_s: float = 1.0
    """How long to wait for a file that another process holds."""
    fsync: bool = False
    """Whether what is admitted survives a loss of power."""
    compact_in: Path | None = None
    """Compact files when they are opened, by way of this directory."""
    rebound: Rebound | None = None
    """When files in use are compacted."""


@runtime_checkable
class Storage(Protocol):
    """An extension that keeps the files of queues (`sending_queue.storage`)."""

    def storage(self) -> StorageSettings:
        """Where and how."""
