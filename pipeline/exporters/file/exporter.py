"""The `file` exporter."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pipeline.component import Exporter, Host
from pipeline.errors import Refused, Rejected, StartError
from pipeline.exporters.file.config import FileConfig
from pipeline.exporters.file.files import FilePerGroup, OneFile
from pipeline.exporters.file.format import writer
from pipeline.signals import Batch, Request, Signal

_T = TypeVar("_T")

# What a path made of a resource attribute can be wrong in; waiting does not mend it.
_BAD_PATH: Final = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ELOOP})


class FileExporter(Exporter):
    """Writes telemetry to files: OTLP JSON lines or length-prefixed protobuf, rotated, compressed, grouped on request.

    A batch is delivered when the operating system has it: it survives the death of the process, not of the machine. A
    full disk refuses, and leaves no half-written request behind. One thread does the writing.
    """

    type = "file"
    example = "{path: $TMP/telemetry.jsonl}"
    Config = FileConfig

    def __init__(self, config: FileConfig, host: Host) -> None:
        super().__init__(config, host)
        self._files = (FilePerGroup if config.group_by.enabled else OneFile)(config, host.clock)
        self._format = writer(config)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=str(host.id))

    @classmethod
    def not_shared(cls, config: FileConfig) -> str:
        """Two writers would cut each other's lines and rotate each other's files."""
        return f"workers would write into {config.path} at the same time; give it to a collector of its own behind them"

    async def start(self) -> None:
        """Open the file. Raises StartError."""
        try:
            await self._in_thread(self._files.open)
        except OSError as error:
            raise StartError(f"{self.host.id}: cannot open {self.config.path}: {error.strerror}") from error

    async def export(self, batch: Batch) -> None:
        """Write one batch. Raises Refused (disk full, no permission) or Rejected (an attribute makes no path)."""
        signal, request, raw = batch.signal, batch.message, batch.serialize()
        try:
            await self._in_thread(lambda: self._write(signal, request, raw))
        except OSError as error:
            reason = f"cannot write to file: {error.strerror}"
            if self.config.group_by.enabled and error.errno in _BAD_PATH:
                raise Rejected(reason, divisible=True) from error
            raise Refused(reason) from error

    async def stop(self) -> None:
        """Close what is open."""
        await super().stop()
        await self._in_thread(self._files.close)
        self._thread.shutdown(wait=False)

    def _write(self, signal: Signal, request: Request, raw: bytes) -> None:
        for sink, part, part_raw in self._files.divide(signal, request, raw):
            sink.write(self._format(part, part_raw))

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
