"""What a configuration says about queue files."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.config import ComponentId, Settings
from pipeline.delivery.durable.file.names import QueueFile, file_name
from pipeline.delivery.settings import delivery_of
from pipeline.errors import PenstockError
from pipeline.extensions.file_storage.config import DEFAULT_DIRECTORY, FileStorageConfig
from pipeline.signals import Signal


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
        configs = (entry.config for entry in settings.extensions.values())
        found = sorted({Path(config.directory) for config in configs if isinstance(config, FileStorageConfig)})
        if not found:
            raise PenstockError("the configuration has no file_storage extension")
    for directory in found:
        if not directory.is_dir():
            raise PenstockError(f"{directory} is no directory; say which with --directory or --config")
    return found


def directory_of(settings: Settings, storage: ComponentId) -> Path:
    """Where a storage extension keeps files. Raises PenstockError."""
    config = settings.extensions[storage].config
    if not isinstance(config, FileStorageConfig):
        raise PenstockError(f'extension "{storage}" is no file_storage; say where its files are with --into')
    return Path(config.directory)


def queue_file(path: Path) -> QueueFile:
    """What the name says. Raises PenstockError."""
    file = QueueFile.parse(path)
    if file is None:
        raise PenstockError(f"{path} is not named as a queue file is: exporter_<id>_<signal>_<worker>.db")
    return file
