"""FNV-1a of trace ids (Fowler, Noll, Vo; draft-eastlake-fnv): the hash of the Collector's samplers.

A hash is given its state so far, so that a seed or a salt is hashed once for all ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

START_32: Final = 0x811C9DC5
START_64: Final = 0xCBF29CE484222325
_PRIME_32: Final = 0x01000193
_PRIME_64: Final = 0x100000001B3
_MASK_32: Final = (1 << 32) - 1
_MASK_64: Final = (1 << 64) - 1

ID_BYTES: Final = 16
# From so many ids on they are hashed side by side: 0.4 us an id, against 1.0 us.
_SIDE_BY_SIDE: Final = 8
_AT_MOST: Final = 256
_ONE: Final = b"\x01\0\0\0\0\0\0\0"
_ONE_OF_16: Final = _ONE + bytes(8)
_SHIFTS: Final = (0, 8, 16, 24, 32, 40, 48, 56)


def fnv1a_32(data: bytes, state: int = START_32) -> int:
    """FNV-1a of 32 bits, going on from `state`."""
    for byte in data:
        state = (state ^ byte) * _PRIME_32 & _MASK_32
    return state


def fnv1a_64(data: bytes, state: int = START_64) -> int:
    """FNV-1a of 64 bits, going on from `state`."""
    for byte in data:
        state = (state ^ byte) * _PRIME_64 & _MASK_64
    return state


def fnv1a_64_of_ids(ids: Sequence[bytes], state: int = START_64) -> list[int]:
    """FNV-1a of 64 bits of each id, going on from `state`; side by side where all have 16 bytes."""
    if len(ids) > _AT_MOST:
        starts = range(0, len(ids), _AT_MOST)
        return [found for start in starts for found in fnv1a_64_of_ids(ids[start : start + _AT_MOST], state)]
    together = b"".join(ids)
    if len(ids) < _SIDE_BY_SIDE or len(together) != ID_BYTES * len(ids):
        return [fnv1a_64(each, state) for each in ids]
    # Each hash in 128 bits, where a product has room, and each id in the same.
    ones = int.from_bytes(_ONE_OF_16 * len(ids), "little")
    hashes, mask, low = ones * state, ones * _MASK_64, ones * 0xFF
    word = int.from_bytes(together, "little")
    for shift in range(0, 8 * ID_BYTES, 8):
        hashes = (hashes ^ (word >> shift & low)) * _PRIME_64 & mask
    return memoryview(hashes.to_bytes(len(together), "little")).cast("Q").tolist()[::2]


def fnv1a_32_of_ids(ids: Sequence[bytes], state: int = START_32) -> list[int]:
    """FNV-1a of 32 bits of each id of 16 bytes, going on from `state`."""
    if len(ids) < _SIDE_BY_SIDE:
        return [fnv1a_32(each, state) for each in ids]
    if len(ids) <= _AT_MOST:
        return _side_by_side(ids, state)
    return [
        found
        for start in range(0, len(ids), _AT_MOST)
        for found in fnv1a_32_of_ids(ids[start : start + _AT_MOST], state)
    ]


def _side_by_side(ids: Sequence[bytes], state: int) -> list[int]:
    """All hashes in one large integer, each in 64 bits of its own, where a product of two 32-bit numbers has room."""
    size_bytes = 8 * len(ids)
    ones = int.from_bytes(_ONE * len(ids), "little")
    hashes, mask, low = ones * state, ones * _MASK_32, ones * 0xFF
    for half in ([each[:8] for each in ids], [each[8:] for each in ids]):
        word = int.from_bytes(b"".join(half), "little")
        for shift in _SHIFTS:
            hashes = (hashes ^ (word >> shift & low)) * _PRIME_32 & mask
    return memoryview(hashes.to_bytes(size_bytes, "little")).cast("Q").tolist()
