"""A request as it stands in a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from pipeline.exporters.file.config import FileConfig
from pipeline.signals import Request, otlp_json

Write: TypeAlias = Callable[[Request, bytes | None], bytes]
"""Of a request and, where they are known, its protobuf bytes: what to append to the file."""


def writer(config: FileConfig) -> Write:
    """JSON stands on a line of its own; everything else behind its length, 4 bytes, big-endian."""
    encode = _json if config.format == "json" else _proto
    if config.compression == "zstd":
        return _compressed(encode, config.compression_params.level)
    return _line if config.format == "json" else _prefixed


def _json(request: Request, _raw: bytes | None) -> bytes:
    return otlp_json.encode(request)


def _proto(request: Request, raw: bytes | None) -> bytes:
    return request.SerializeToString() if raw is None else raw


def _line(request: Request, _raw: bytes | None) -> bytes:
    return otlp_json.encode(request) + b"\n"


def _prefixed(request: Request, raw: bytes | None) -> bytes:
    return _behind_length(_proto(request, raw))


def _behind_length(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def _compressed(encode: Write, level: int) -> Write:
    import zstandard  # noqa: PLC0415 - only where compression is asked for

    compressor = zstandard.ZstdCompressor(level=level or 3)

    def write(request: Request, raw: bytes | None) -> bytes:
        return _behind_length(compressor.compress(encode(request, raw)))

    return write
