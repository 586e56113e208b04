"""The rows of a SQLite table, read from its pages without SQLite (sqlite.org/fileformat2.html).

For a file that SQLite does not open any more, or not as a whole: each leaf page is read for itself, so that damage
costs the rows it hits and no others.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from pipeline.delivery.durable.sqlite import wal

MAGIC: Final = b"SQLite format 3\x00"
Value = int | float | str | bytes | None
Row = tuple[int, list[Value]]
"""Row id and the values in the order of the table's columns; the column that is the row id itself is None."""

_FILE_HEADER_BYTES: Final = 100
_LEAF_OF_TABLE: Final = 0x0D
_FREE_PAGE: Final = 2
_INTEGER_BYTES: Final = (0, 1, 2, 3, 4, 6, 8)
_SMALLEST_PAGE: Final = 512
_LARGEST_PAGE: Final = 65536
_PENDING_BYTE: Final = 1 << 30
_MOST_CELL_BYTES: Final = 1 << 31


class UnreadableError(ValueError):
    """A page or a row that does not hold together."""


class PageFile:
    """The pages of a file as its write-ahead log left them. Use as a context manager."""

    def __init__(self, path: Path, default_page_size: int, *, whole_log: bool = True) -> None:
        """Open a file and, where there is one, its log.

        Args:
            path: the file; its log has the same name with `-wal` behind. What is no file has no pages.
            default_page_size: used where the header is damaged.
            whole_log: whether what stands in the log behind a damaged place counts; SQLite stops there.
        """
        self._open = ExitStack()
        present = path if path.is_file() else Path(os.devnull)
        self._file: BinaryIO = self._open.enter_context(present.open("rb"))
        self._log: BinaryIO | None = None
        header = self._file.read(_FILE_HEADER_BYTES)
        self.page_size = page_size_of(header) or default_page_size
        self.count = -(-os.fstat(self._file.fileno()).st_size // self.page_size)
        self._in_log: dict[int, int] = {}
        self.is_log_whole = True
        log = path.with_name(path.name + "-wal")
        if log.is_file():
            self._log = self._open.enter_context(log.open("rb"))
            self._read_log(self._log, whole_log)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self._open.close()

    def _read_log(self, log: BinaryIO, whole_log: bool) -> None:
        pending: dict[int, int] = {}
        for frame in wal.frames(log, self.page_size):
            self.is_log_whole = frame.is_reached
            if not (frame.is_reached or whole_log):
                return
            if frame.is_whole:
                pending[frame.page] = frame.offset
            if frame.commit_pages and pending:
                self._in_log |= pending
                self.count = max(self.count, *pending)
                pending = {}

    def page(self, number: int) -> bytes:
        """The bytes of a page, counted from 1. Raises UnreadableError where they are not there."""
        offset = self._in_log.get(number)
        source = self._file if offset is None or self._log is None else self._log
        try:
            data = os.pread(
                source.fileno(), self.page_size, (number - 1) * self.page_size if offset is None else offset
            )
        except OSError as error:
            raise UnreadableError(f"page {number}: {error.strerror}") from error
        if len(data) < self.page_size:
            raise UnreadableError(f"page {number} is cut off")
        return data

    def rows(self) -> Iterator[Row | UnreadableError]:
        """Every row on a page in use, whatever its table; in place of one that is damaged the reason."""
        for number in range(1, self.count + 1):
            try:
                page = self.page(number)
                if page[_FILE_HEADER_BYTES if number == 1 else 0] != _LEAF_OF_TABLE or self._is_free(number):
                    continue
                cells = self._cells(page, number)
            except (UnreadableError, IndexError, struct.error):
                # What lay there is not known; rows that reach into this page report themselves.
                continue
            for start in cells:
                yield self._row_or_reason(page, start)

    def _is_free(self, number: int) -> bool:
        """Whether the pointer map (auto_vacuum) says that nothing on the page is valid."""
        reach = self.page_size // 5 + 1
        map_page = (number - 2) // reach * reach + 2
        if map_page == _PENDING_BYTE // self.page_size + 1:
            map_page += 1
        if number <= map_page:
            return False
        try:
            return self.page(map_page)[(number - map_page - 1) * 5] == _FREE_PAGE
        except UnreadableError:
            return False

    def _cells(self, page: bytes, number: int) -> tuple[int, ...]:
        start = _FILE_HEADER_BYTES if number == 1 else 0
        (count,) = struct.unpack_from(">H", page, start + 3)
        return struct.unpack_from(f">{count}H", page, start + 8)

    def _row_or_reason(self, page: bytes, start: int) -> Row | UnreadableError:
        try:
            size, at = _varint(page, start)
            row_id, at = _varint(page, at)
            return row_id, _record(self._payload(page, at, size))
        except UnreadableError as error:
            return error
        except (IndexError, struct.error, UnicodeDecodeError):
            return UnreadableError("a row does not hold together")

    def _payload(self, page: bytes, start: int, size: int) -> bytes:
        """The bytes of a row: those in its cell and those on the chain of overflow pages."""
        usable = self.page_size
        if size > min(_MOST_CELL_BYTES, usable * self.count):
            raise UnreadableError("a row is longer than the file")
        if size <= usable - 35:
            return page[start : start + size]
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        if local > usable - 35:
            local = least
        parts = [page[start : start + local]]
        (following,) = struct.unpack_from(">I", page, start + local)
        left = size - local
        while left > 0:
            if not 0 < following <= self.count:
                raise UnreadableError("a row leads to a page that is not there")
            data = self.page(following)
            (following,) = struct.unpack_from(">I", data)
            parts.append(data[4 : 4 + min(left, usable - 4)])
            left -= usable - 4
        return b"".join(parts)


def page_size_of(header: bytes) -> int:
    """The page size that the header of a SQLite file states; 0 where it is none."""
    if len(header) < _FILE_HEADER_BYTES or not header.startswith(MAGIC):
        return 0
    (size,) = struct.unpack_from(">H", header, 16)
    size = _LARGEST_PAGE if size == 1 else size
    return size if _SMALLEST_PAGE <= size <= _LARGEST_PAGE and not size & (size - 1) else 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _record(data: bytes) -> list[Value]:
    header_end, at = _varint(data, 0)
    body = header_end
    values: list[Value] = []
    while at < header_end:
        kind, at = _varint(data, at)
        value, size = _value(data, body, kind)
        values.append(value)
        body += size
    if body != len(data) or at != header_end:
        raise UnreadableError("a row's length is not that of its values")
    return values


def _value(data: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind >= 12:
        size = (kind - 12) // 2
        raw = data[at : at + size]
        return (raw.decode() if kind & 1 else raw), size
    if kind == 0:
        return None, 0
    if kind == 7:
        return struct.unpack_from(">d", data, at)[0], 8
    if kind in (8, 9):
        return kind - 8, 0
    if kind > 9:
        raise UnreadableError("a row has a value of an unknown kind")
    size = _INTEGER_BYTES[kind]
    return int.from_bytes(data[at : at + size], "big", signed=True), size
