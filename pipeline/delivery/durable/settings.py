"""What a storage extension tells the queues that keep their files with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from pipeline.delivery.durable.compaction import Rebound


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
