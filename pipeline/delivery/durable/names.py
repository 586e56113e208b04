"""What the names of files in a storage directory say: whose queue, and in which state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from pipeline.signals import Signal
from pipeline.worker import Worker

_NAME: Final = re.compile(
    r"(?P<queue>exporter_(?P<exporter>.+)_(?P<signal>traces|metrics|logs))_(?P<worker>\d+)\.db"
    r"(?:\.(?P<kind>requeue|corrupt|salvage)-[0-9TZ-]+)*"
)


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
