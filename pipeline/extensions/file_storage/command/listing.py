"""`penstock queue list`: the files, whose they are and what is in them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from pipeline.config import Settings, load
from pipeline.delivery.durable.file.look import is_locked, size_of, survey
from pipeline.delivery.durable.file.names import Kind, QueueFile, files_in
from pipeline.delivery.durable.file.recovery import damage_of
from pipeline.extensions.file_storage.command.configured import directories, queues
from pipeline.extensions.file_storage.command.printing import age, print_json, print_rows, seconds_since

_Entry = dict[str, Any]


def list_files(options: argparse.Namespace) -> int:
    """Show every queue file of the directories that are meant."""
    settings = load(options.config, options.sets) if options.config else None
    places = directories(options, settings)
    listed = [_listed(file, settings) for directory in places for file in files_in(directory)]
    if options.json:
        print_json(listed)
    elif listed:
        _print_table(listed)
    else:
        sys.stdout.write(f"no queue files in {', '.join(map(str, places))}\n")
    return 0


def _listed(file: QueueFile, settings: Settings | None) -> _Entry:
    state = _state(file, settings)
    summary, layout = survey(file.path)
    oldest_unix_ms = None if summary is None else summary.oldest_unix_ms
    return {
        "state": state,
        "exporter": file.exporter,
        "signal": file.signal.value,
        "worker": file.worker,
        "requests": summary and summary.requests,
        "items": summary and summary.items,
        "bytes": summary and summary.bytes,
        "oldest_age_s": None if oldest_unix_ms is None else seconds_since(oldest_unix_ms),
        "file_bytes": size_of(file.path),
        "layout": layout,
        "file": str(file.path),
    }


def _state(file: QueueFile, settings: Settings | None) -> str:
    if file.kind is not Kind.QUEUE:
        return file.kind.value
    if is_locked(file.path):
        return "live"
    if damage_of(file.path) is not None:
        return "damaged"
    return "orphan" if settings is not None and file.queue not in queues(settings) else "idle"


def _print_table(listed: Iterable[_Entry]) -> None:
    names = ("STATE", "EXPORTER", "SIGNAL", "WORKER", "REQUESTS", "ITEMS", "BYTES", "OLDEST", "SIZE", "LAYOUT", "FILE")
    print_rows([names, *(list(map(_cell, entry.items())) for entry in listed)])


def _cell(entry: tuple[str, Any]) -> str:
    key, value = entry
    if value is None:
        return "-"
    return age(value) if key == "oldest_age_s" else str(value)
