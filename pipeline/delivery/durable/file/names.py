"""Names of the files in a storage directory: whose queue, and in which state."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from pipeline.config.ids import ComponentId
from pipeline.signals import Signal
from pipeline.worker import Worker

_NAME: Final = re.compile(
    r"(?P<queue>exporter_(?P<exporter>.+)_(?P<signal>traces|metrics|logs))_(?P<worker>\d+)\.db"
    r"(?:\.(?P<kind>requeue|corrupt|salvage)-[0-9TZ-]+)*"
)
_SUFFIX: Final = ".db"
# Names of files have 255 bytes, and what stands beside them (`-wal`, `.corrupt-...`) needs some of those.
_LONGEST_ID: Final = 160


class Kind(StrEnum):
    """What became of a queue file."""

    QUEUE = "queue"
    REQUEUE = "requeue"
    """Rows that the queue of this name is to take in."""
    SALVAGE = "salvage"
    """Damaged; rows are still to be brought over."""
    CORRUPT = "corrupt"
    """Damaged; what can be read was brought over."""


@dataclass(frozen=True, slots=True)
class QueueFile:
    """A file by its name."""

    path: Path
    queue: str
    """The beginning of the name that all workers share."""
    exporter: str
    """Id of the exporter; an abbreviation where it is very long."""
    signal: Signal
    worker: int
    kind: Kind

    @classmethod
    def parse(cls, path: Path) -> QueueFile | None:
        """What a name says; None where it is no queue's."""
        found = _NAME.fullmatch(path.name)
        if found is None:
            return None
        return cls(
            path, found["queue"], unquote(found["exporter"]), Signal(found["signal"]), int(found["worker"]),
            Kind(found["kind"] or Kind.QUEUE),
        )  # fmt: skip


def file_name(exporter: ComponentId, signal: Signal, worker: int) -> str:
    """Name of the file of an exporter, signal and worker; no two of these share one."""
    name = quote(str(exporter), safe="")
    if len(name) > _LONGEST_ID:
        name = f"{name[:_LONGEST_ID]}-{hashlib.sha256(str(exporter).encode()).hexdigest()[:16]}"
    return f"exporter_{name}_{signal.value}_{worker}{_SUFFIX}"


def files_in(directory: Path) -> Iterator[QueueFile]:
    """Every queue file of a directory, by name; what stands beside them (logs, locks) not."""
    for path in sorted(directory.iterdir()):
        found = QueueFile.parse(path)
        if found is not None:
            yield found


def left_to(path: Path, worker: Worker) -> list[QueueFile]:
    """The files whose rows belong into the queue file `path` of a worker.

    These are files that were handed in for it, and those of workers that are no more: worker i of n takes what had an
    index of n or more that leaves i when divided by n.
    """
    own = QueueFile.parse(path)
    if own is None:
        return []
    return [
        file
        for file in files_in(path.parent)
        if file.queue == own.queue
        and file.worker % worker.count == worker.index
        and (file.kind is Kind.REQUEUE or (file.kind is Kind.QUEUE and file.worker >= worker.count))
    ]


def beside(path: Path, kind: Kind) -> Path:
    """A name that is not taken: that of `path`, the kind and the time (UTC)."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    wanted = path.with_name(f"{path.name}.{kind}-{moment}")
    count = 1
    while wanted.exists():
        count += 1
        wanted = path.with_name(f"{path.name}.{kind}-{moment}-{count}")
    return wanted
