"""Where queues keep their files (`sending_queue.storage`)."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

from pipeline.component import Extension, Host
from pipeline.delivery.durable.file.compaction import clean
from pipeline.delivery.durable.file.store import PAGE_BYTES
from pipeline.delivery.durable.settings import Rebound, StorageSettings
from pipeline.errors import StartError
from pipeline.extensions.file_storage.config import FileStorageConfig
from pipeline.extensions.file_storage.orphans import orphans_in


class FileStorage(Extension):
    """Keeps sending queues on disk, one SQLite file for each exporter, signal and worker."""

    type = "file_storage"
    example = "{directory: $TMP}"
    Config = FileStorageConfig
    config: FileStorageConfig

    def __init__(self, config: FileStorageConfig, host: Host) -> None:
        """Prepare; `start` makes directories."""
        super().__init__(config, host)
        self._directory = Path(config.directory)
        self._compaction_directory = Path(config.compaction.directory or config.directory)

    async def start(self) -> None:
        """Make or look for the directories. Raises StartError."""
        await asyncio.to_thread(self._prepare)

    def _prepare(self) -> None:
        directories = {self._directory, self._compaction_directory} if self._compacts else {self._directory}
        for directory in directories:
            try:
                if self.config.create_directory:
                    for each in (*reversed(directory.absolute().parents), directory):
                        if not each.is_dir():
                            each.mkdir(self.config.directory_mode, exist_ok=True)
                _check_writable(directory)
            except OSError as error:
                reason = f"{self.host.id}: directory {directory} cannot be used: {error.strerror}{_advice(error)}"
                raise StartError(reason) from error
        if self.config.compaction.cleanup_on_start and self.host.worker.count == 1:
            clean(self._compaction_directory)

    @property
    def _compacts(self) -> bool:
        return self.config.compaction.on_start or self.config.compaction.on_rebound

    def pipelines_ready(self) -> None:
        """Every queue has taken its file: tell of those that are left."""
        if self.host.worker.index == 0:
            self.host.tasks.spawn(self._tell_of_orphans, "look for queue files")

    def pipelines_not_ready(self) -> None:
        """Nothing is told at the end."""

    async def _tell_of_orphans(self) -> None:
        told = self.host.shared(_Told, _Told)
        for orphan in await asyncio.to_thread(orphans_in, self._directory):
            if orphan.path in told.files:
                continue
            told.files.add(orphan.path)
            self.host.log.warning(
                "No exporter of the configuration takes up this queue file. Put its data into another's queue.",
                file=str(orphan.path),
                exporter=orphan.exporter,
                requests=orphan.requests,
                items=orphan.items,
                command=f"penstock queue requeue '{orphan.path}' --exporter ID",
            )

    def storage(self) -> StorageSettings:
        """Where and how queues write."""
        config = self.config
        compaction = config.compaction
        mib = 1 << 20
        rebound = Rebound(
            needed_bytes=compaction.rebound_needed_threshold_mib * mib,
            trigger_bytes=compaction.rebound_trigger_threshold_mib * mib,
            check_interval_s=compaction.check_interval,
            max_pages=math.ceil(compaction.max_transaction_size / PAGE_BYTES),
        )
        return StorageSettings(
            directory=self._directory,
            timeout_s=config.timeout,
            fsync=config.fsync,
            compact_in=self._compaction_directory if compaction.on_start else None,
            rebound=rebound if compaction.on_rebound else None,
        )


class _Told:
    """Files that were told of; a reload does not repeat it."""

    def __init__(self) -> None:
        self.files: set[Path] = set()


def _advice(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "; make it, or set create_directory: true"
    if isinstance(error, PermissionError):
        return f"; allow the user with id {os.geteuid()}, as whom Penstock runs, to write there"
    return ""


def _check_writable(directory: Path) -> None:
    if not directory.is_dir():
        raise FileNotFoundError(2, "no such directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise PermissionError(13, "not writable")
