"""The growing end of one file, line by line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import orjson

_CHUNK_BYTES: Final = 1 << 20
_MAX_LINE_BYTES: Final = 64 << 20


class Tail:
    """An open file and how far it has been read. Methods block and raise OSError.

    A line ends with a newline. A last line without one is taken when it has not grown between two reads and is a whole
    JSON document. Lines over 64 MiB are skipped and counted in `oversized`.
    """

    def __init__(self, path: Path, *, at_end: bool) -> None:
        """Open the file; `at_end` skips what is in it now."""
        self.path = path
        self.oversized = 0
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._offset = os.fstat(self._fd).st_size if at_end else 0
        self._partial = bytearray()
        self._is_skipping = False
        self._has_tried_partial = False

    def rewind(self) -> None:
        """Begin again at the start of the file."""
        self._offset = 0
        self._partial.clear()
        self._is_skipping = self._has_tried_partial = False

    def rewind_if_shorter(self) -> None:
        """Begin again when the file was truncated."""
        if os.fstat(self._fd).st_size < self._offset:
            self.rewind()

    def read(self) -> list[bytes] | None:
        """The lines that the next piece of the file completes, possibly none; None at the end of the file."""
        chunk = os.pread(self._fd, _CHUNK_BYTES, self._offset)
        if not chunk:
            return self._last_line()
        self._offset += len(chunk)
        self._has_tried_partial = False
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = bytes(self._partial) + lines[0]
            self._partial.clear()
            if self._is_skipping:
                self._is_skipping = False
                del lines[0]
        self._keep(rest)
        return lines

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _keep(self, rest: bytes) -> None:
        if self._is_skipping:
            return
        self._partial += rest
        if len(self._partial) > _MAX_LINE_BYTES:
            self._partial.clear()
            self._is_skipping = True
            self.oversized += 1

    def _last_line(self) -> list[bytes] | None:
        if not self._partial:
            return None
        if not self._has_tried_partial:
            self._has_tried_partial = True  # the writer may be in the middle of it: look again at the next poll
            return None
        line = bytes(self._partial)
        if not _is_document(line):
            return None
        self._partial.clear()
        return [line]


def _is_document(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
