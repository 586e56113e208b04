"""Where the text goes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

_STREAMS: Final = frozenset({"stdout", "stderr"})


class Output:
    """Standard streams and files, all of which get the same text. Methods block and raise OSError."""

    def __init__(self, paths: Sequence[str]) -> None:
        """`paths`: `stdout`, `stderr` or names of files to append to."""
        self._streams = [path for path in paths if path in _STREAMS]
        self._paths = [path for path in paths if path not in _STREAMS]
        self._files: list[TextIO] = []

    def open(self) -> None:
        """Open the files."""
        for path in self._paths:
            self._files.append(Path(path).open("a", encoding="utf-8"))  # noqa: SIM115 - closed by `close`

    def write(self, text: str) -> None:
        """Write and flush."""
        for stream in (*(getattr(sys, name) for name in self._streams), *self._files):
            stream.write(text)
            stream.flush()

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.pop().close()
