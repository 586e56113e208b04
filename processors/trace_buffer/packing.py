"""Compressed pieces of one trace, made in steps that hold nobody up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from processors.trace_buffer.heads import Head
from processors.trace_buffer.spilling import Place, Spill

Piece: TypeAlias = tuple[Head, bytes, int]
"""Head, bytes of consecutive spans with their tags, and how many they are."""

STEP_BYTES: Final = 256 << 10
"""What is compressed at a time: half a millisecond."""
_LEVEL: Final = 1

# Objects beside the bytes: a piece; a packed run with its places in tables, and each of its entries.
PIECE_BYTES: Final = 120
# What is lost between pieces of different sizes, beside their bytes: one in so many, as a shift.
SLACK: Final = 4
PACKED_BYTES: Final = 350
ENTRY_BYTES: Final = 120


class Packed:
    """Some consecutive pieces of a trace; those of one head have become one.

    Attributes:
        raw: compressed bytes; empty once they are on disk.
        place: where on disk.
    """

    __slots__ = ("_entries", "place", "raw")

    def __init__(self, pieces: Sequence[Piece], raw: bytes) -> None:
        """`raw` is the frame of the bytes of all pieces."""
        self.raw = raw
        self.place: Place | None = None
        self._entries: list[tuple[Head, int, int]] = []
        for head, body, count in pieces:
            size_bytes = len(body)
            if self._entries and self._entries[-1][0] is head:
                _, before_bytes, before = self._entries.pop()
                size_bytes, count = before_bytes + size_bytes, before + count  # noqa: PLW2901 - the sum of both
            self._entries.append((head, size_bytes, count))

    @property
    def memory_bytes(self) -> int:
        """What it takes of memory."""
        size_bytes = len(self.raw)
        return PACKED_BYTES + ENTRY_BYTES * len(self._entries) + size_bytes + (size_bytes >> SLACK)

    def cut(self, raw: bytes) -> Iterator[Piece]:
        """The pieces, of their bytes."""
        if len(self._entries) == 1:
            [(head, _, count)] = self._entries
            yield head, raw, count
            return
        position = 0
        for head, size_bytes, count in self._entries:
            yield head, raw[position : position + size_bytes], count
            position += size_bytes


def memory_of(held: Piece | Packed) -> int:
    """What pieces take of memory."""
    if isinstance(held, tuple):
        size_bytes = len(held[1])
        return PIECE_BYTES + size_bytes + (size_bytes >> SLACK)
    return held.memory_bytes


class Packer:
    """Compresses and uncompresses."""

    def __init__(self, spill: Spill) -> None:
        """Make the contexts, which are used again and again; `spill` has what is on disk."""
        import zstandard  # noqa: PLC0415 - only where traces wait

        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()
        self._error = zstandard.ZstdError
        self._spill = spill

    def pack(self, pieces: Sequence[Piece]) -> Packed:
        """Compress at once; for `STEP_BYTES` or little more."""
        frame = self._compressor.compress(b"".join([body for _, body, _ in pieces]))
        # A copy: what the library returns keeps the memory for the worst case.
        return Packed(pieces, bytes(memoryview(frame)))

    def begin(self, piece: Piece) -> Packing:
        """Compress one large piece step by step; only one at a time, with no other `pack` in between."""
        return Packing(piece, self._compressor.compressobj(size=len(piece[1])))

    def unpack(self, packed: Packed) -> Iterator[Piece]:
        """The pieces again. Raises OSError where they are on a disk that does not give them back."""
        raw = packed.raw
        if packed.place is not None:
            raw = self._spill.read(packed.place)
        try:
            bodies = self._decompressor.decompress(raw)
        except self._error as error:
            raise OSError(f"bytes of a waiting trace came back changed: {error}") from error
        yield from packed.cut(bodies)


class Packing:
    """One large piece that is being compressed."""

    def __init__(self, piece: Piece, stream: Any) -> None:
        """See `Packer.begin`."""
        self._piece = piece
        self._stream = stream
        self._position = 0
        self._frame: list[bytes] = []

    def step(self) -> Packed | None:
        """Do `STEP_BYTES` more; the result when all is done."""
        body = self._piece[1]
        end = self._position + STEP_BYTES
        self._frame.append(self._stream.compress(memoryview(body)[self._position : end]))
        self._position = end
        if end < len(body):
            return None
        self._frame.append(self._stream.flush())
        return Packed([self._piece], b"".join(self._frame))


__all__ = ["STEP_BYTES", "Packed", "Packer", "Packing", "Piece", "memory_of"]
