"""Room on disk for what waits and does not fit into memory: files without a name, gone with the process."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, Final, TypeAlias

# A file ends when all that is in it has gone; smaller ones end sooner, larger ones are fewer.
_SEGMENT_BYTES: Final = 8 << 20
_MAX_SEGMENTS: Final = 128


class _Segment:
    """One file: written to its end once, closed with the last of what is in it."""

    __slots__ = ("file", "live", "size_bytes")

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.live = 0
        self.size_bytes = 0

    def __del__(self) -> None:
        self.file.close()


Place: TypeAlias = tuple[_Segment, int, int]
"""Where a run of bytes is: file, offset, length."""


class Spill:
    """Bytes on disk, readable by nobody else. Writes are small and go to the page cache.

    Attributes:
        disk_bytes: room that is taken.
    """

    def __init__(self, directory: str = "", max_bytes: int = 0) -> None:
        """Use at most `max_bytes` below a folder; see `move`."""
        self._open: _Segment | None = None
        self.disk_bytes = 0
        self.move(directory, max_bytes)

    def move(self, directory: str, max_bytes: int) -> None:
        """Write to this folder from now on, which is made where it is missing; none: write no more.

        What lies elsewhere stays there and counts.

        Raises:
            OSError: no file can be made there.
        """
        self._directory = Path(directory)
        self._max_bytes = max_bytes if directory else 0
        self._segment_bytes = max(_SEGMENT_BYTES, max_bytes // _MAX_SEGMENTS)
        self._open = None
        if directory:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._new_file().close()

    def _new_file(self) -> IO[bytes]:
        # Without a name (O_TMPFILE, or removed at once), mode 0600.
        return tempfile.TemporaryFile(dir=self._directory, buffering=0)

    def write(self, raw: bytes) -> Place | None:
        """Put bytes on disk; None where they would go beyond the bound.

        Raises:
            OSError: the disk is full or fails. What was there before can still be read.
        """
        if self.disk_bytes + len(raw) > self._max_bytes:
            return None
        segment = self._open
        if segment is None:
            segment = self._open = _Segment(self._new_file())
        offset = segment.size_bytes
        _write_all(segment.file.fileno(), raw, offset)
        segment.size_bytes += len(raw)
        segment.live += 1
        self.disk_bytes += len(raw)
        if segment.size_bytes >= self._segment_bytes:
            self._open = None
        return segment, offset, len(raw)

    def read(self, place: Place) -> bytes:
        """The bytes again. Raises OSError where the disk does not give them back."""
        segment, offset, size_bytes = place
        raw = os.pread(segment.file.fileno(), size_bytes, offset)
        if len(raw) != size_bytes:
            raise OSError(f"{size_bytes} bytes of a waiting trace were written, {len(raw)} came back")
        return raw

    def free(self, place: Place) -> None:
        """These bytes are not needed any more; the room is free when all of its file are not."""
        segment = place[0]
        segment.live -= 1
        if segment.live:
            return
        self.disk_bytes -= segment.size_bytes
        segment.file.close()
        if segment is self._open:
            self._open = None


def _write_all(file: int, raw: bytes, offset: int) -> None:
    written = os.pwrite(file, raw, offset)
    while written < len(raw):
        written += os.pwrite(file, memoryview(raw)[written:], offset + written)


__all__ = ["Place", "Spill"]
