"""Queue files with data that no queue of this process takes up: their exporter was renamed, or is gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.delivery.durable.file.look import is_locked, survey
from pipeline.delivery.durable.file.names import Kind, files_in


@dataclass(frozen=True, slots=True)
class Orphan:
    """Such a file."""

    path: Path
    exporter: str
    requests: int
    items: int


def orphans_in(directory: Path) -> list[Orphan]:
    """The orphans of a directory, once every queue has taken its file.

    A file is none where a process works on another one of the same exporter and signal: then a worker takes it up, or
    is about to.
    """
    files = [file for file in files_in(directory) if file.kind in (Kind.QUEUE, Kind.REQUEUE)]
    taken = {file.queue for file in files if is_locked(file.path)}
    found = []
    for file in files:
        summary, _ = (None, None) if file.queue in taken else survey(file.path)
        if summary is not None and summary.requests:
            found.append(Orphan(file.path, file.exporter, summary.requests, summary.items))
    return found
