"""What a configuration says about queue files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from pipeline.config import ComponentId, Settings
from pipeline.delivery.durable.file.names import QueueFile, file_name
from pipeline.delivery.settings import delivery_of
from pipeline.errors import PenstockError
from pipeline.signals import Signal

_STORAGE: Final = "file_storage"
DEFAULT_DIRECTORY: Final = "/var/lib/otelcol/file_storage"


def queues(settings: Settings) -> set[str]:
    """The beginnings of the names of files that a configuration uses."""
    names = (
        QueueFile.parse(Path(file_name(entry.id, signal, 0)))
        for entry in settings.exporters.values()
        if storage_of(settings, entry.id) is not None
        for signal in Signal
    )
    return {name.queue for name in names if name is not None}


def storage_of(settings: Settings, exporter: ComponentId) -> ComponentId | None:
    _, sending_queue, _ = delivery_of(settings.exporters[exporter].config)
    return None if sending_queue is None else sending_queue.storage


def directories(options: argparse.Namespace, settings: Settings | None) -> list[Path]:
    """Where to look. Raises PenstockError."""
    if options.directory is not None:
        found = [options.directory]
    elif settings is None:
        found = [Path(DEFAULT_DIRECTORY)]
    else:
        found = sorted({directory_of(settings, name) for name in settings.extensions if name.type == _STORAGE})
        if not found:
            raise PenstockError("the configuration has no file_storage extension")
    for directory in found:
        if not directory.is_dir():
            raise PenstockError(f"{directory} is no directory; say which with --directory or --config")
    return found


def directory_of(settings: Settings, storage: ComponentId) -> Path:
    config: Any = settings.extensions[storage].config
    return Path(config.directory)


def queue_file(path: Path) -> QueueFile:
    """What the name says. Raises PenstockError."""
    file = QueueFile.parse(path)
    if file is None:
        raise PenstockError(f"{path} is not named as a queue file is: exporter_<id>_<signal>_<worker>.db")
    return file
