"""Content codings of OTLP over HTTP: compress, and decompress with a limit against bombs."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

CODINGS: Final = ("gzip", "zstd", "zlib", "deflate", "snappy", "x-snappy-framed", "lz4")
"""Every coding by its name in `Content-Encoding`; `deflate` is zlib's format, as RFC 9110 section 8.4.1.2 says."""

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
_SNAPPY_MAGIC: Final = b"\xff\x06\x00\x00sNaPpY"  # framing_format.txt of google/snappy, section 4.1
_SNAPPY_MAX_RATIO: Final = 24  # a copy of 64 bytes takes 3
_LZ4_MAX_RATIO: Final = 256  # a length byte stands for up to 255 bytes
_FULL: Final = "failed to write whole buffer"  # the words of Rust's std::io for a destination without room
_ZSTD_STEP_BYTES: Final = 512  # a block of 128 KiB takes 4 bytes at least, so a step gives 16 MiB at most
_ZSTD_MIN_WINDOW_BYTES: Final = 8 << 20  # what every decoder should support (RFC 8878, section 3.1.1.1.2)
_LEVELS: Final = {"gzip": 1, "zlib": 1, "deflate": 1, "zstd": 3}


class TooLarge(ValueError):  # noqa: N818 - what is wrong, in a word
    """What came out, or would have, is larger than the limit."""


class Malformed(ValueError):  # noqa: N818 - what is wrong, in a word
    """The bytes are not of the coding they are said to be; the message says what is wrong with them."""


def decompress(coding: str, raw: bytes, max_bytes: int) -> bytes:
    """Undo a coding of `CODINGS`; never holds more than `max_bytes` and a little.

    Raises:
        TooLarge: more than `max_bytes` would come out.
        Malformed: broken or truncated input, or the library of the coding is not installed (`available`).
    """
    if not available(coding):
        raise Malformed(f"{coding}: this server lacks its library; use gzip or zstd")
    return _DECOMPRESSORS[coding](raw, max_bytes)


@cache
def available(coding: str) -> bool:
    """Whether the library that a coding needs is installed (extra `compression` for snappy and lz4)."""
    return coding in _COMPRESSORS or importlib.util.find_spec("cramjam") is not None


def compress(coding: str, raw: bytes, level: int | None = None) -> bytes:
    """Apply a coding of `CODINGS`; levels are those of gzip, zlib, deflate (1-9) and zstd (1-22), others have none."""
    if coding in _LEVELS:
        return _COMPRESSORS[coding](raw, _LEVELS[coding] if level is None else level)
    import cramjam  # noqa: PLC0415 - an optional library

    if coding == "snappy":
        return bytes(cramjam.snappy.compress_raw(raw))
    return bytes(cramjam.lz4.compress(raw) if coding == "lz4" else cramjam.snappy.compress(raw))


def _inflate(raw: bytes, max_bytes: int, wbits: int, name: str) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        stream = zlib.decompressobj(wbits)
        try:
            piece = stream.decompress(raw, max_bytes - size + 1)
        except zlib.error:
            raise Malformed(f"{name}: invalid header or data") from None
        size += len(piece)
        if size > max_bytes:
            raise TooLarge
        if not stream.eof:
            raise Malformed("unexpected EOF")
        pieces.append(piece)
        # A gzip file may have many members (RFC 1952, section 2.2); zlib has none to follow.
        raw = stream.unused_data if wbits == _GZIP_WBITS else b""
        if not raw:
            return b"".join(pieces) if len(pieces) > 1 else piece


def _gunzip(raw: bytes, max_bytes: int) -> bytes:
    return _inflate(raw, max_bytes, _GZIP_WBITS, "gzip")


def _unzlib(raw: bytes, max_bytes: int) -> bytes:
    return _inflate(raw, max_bytes, zlib.MAX_WBITS, "zlib")


def _unzstd(raw: bytes, max_bytes: int) -> bytes:
    import zstandard  # noqa: PLC0415 - only those who are sent zstd need it

    window = max(_ZSTD_MIN_WINDOW_BYTES, 1 << max_bytes.bit_length())
    decompressor = zstandard.ZstdDecompressor(max_window_size=window)
    pieces: list[bytes] = []
    try:
        while True:
            size, raw = _unzstd_frame(decompressor.decompressobj(), raw, pieces, max_bytes)
            max_bytes -= size
            if not raw:
                return b"".join(pieces)
    except zstandard.ZstdError:
        raise Malformed("zstd: invalid header or data") from None


def _unzstd_frame(stream: Any, raw: bytes, pieces: list[bytes], max_bytes: int) -> tuple[int, bytes]:
    """Decompress one frame into `pieces`: its size and what follows it. In steps, since the stream knows no limit."""
    size = start = 0
    while start < len(raw) and not stream.eof:
        piece = stream.decompress(raw[start : start + _ZSTD_STEP_BYTES])
        start += _ZSTD_STEP_BYTES
        size += len(piece)
        if size > max_bytes:
            raise TooLarge
        pieces.append(piece)
    if not stream.eof:
        raise Malformed("unexpected EOF")
    return size, stream.unused_data + raw[start:]


def _unsnappy(raw: bytes, max_bytes: int) -> bytes:
    """Block or framed format, told apart by the magic bytes of the latter."""
    import cramjam  # noqa: PLC0415 - an optional library

    if raw.startswith(_SNAPPY_MAGIC):
        return _unsnappy_framed(raw, max_bytes)
    try:
        if cramjam.snappy.decompress_raw_len(raw) > max_bytes:
            raise TooLarge
        return bytes(cramjam.snappy.decompress_raw(raw))
    except cramjam.DecompressionError:
        raise Malformed("snappy: corrupt input") from None


def _unsnappy_framed(raw: bytes, max_bytes: int) -> bytes:
    import cramjam  # noqa: PLC0415 - an optional library

    return _into(cramjam.snappy.decompress_into, raw, max_bytes, _SNAPPY_MAX_RATIO, "snappy") if raw else b""


def _unlz4(raw: bytes, max_bytes: int) -> bytes:
    import cramjam  # noqa: PLC0415 - an optional library

    return _into(cramjam.lz4.decompress_into, raw, max_bytes, _LZ4_MAX_RATIO, "lz4")


def _into(
    decompress_into: Callable[[bytes, bytearray], int], raw: bytes, max_bytes: int, max_ratio: int, name: str
) -> bytes:
    import cramjam  # noqa: PLC0415 - an optional library

    room = bytearray(min(max_bytes, len(raw) * max_ratio) + 1)
    try:
        size = decompress_into(raw, room)
    except cramjam.DecompressionError as error:
        if _FULL in str(error):
            raise TooLarge from None
        raise Malformed(f"{name}: corrupt input") from None
    if size > max_bytes:
        raise TooLarge
    return bytes(memoryview(room)[:size])


_DECOMPRESSORS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gunzip,
    "zlib": _unzlib,
    "deflate": _unzlib,
    "zstd": _unzstd,
    "snappy": _unsnappy,
    "x-snappy-framed": _unsnappy_framed,
    "lz4": _unlz4,
}


def _zstd(raw: bytes, level: int) -> bytes:
    import zstandard  # noqa: PLC0415 - only those who send zstd need it

    return zstandard.ZstdCompressor(level=level).compress(raw)


_COMPRESSORS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": lambda raw, level: zlib.compress(raw, level, _GZIP_WBITS),
    "zlib": zlib.compress,
    "deflate": zlib.compress,
    "zstd": _zstd,
}
