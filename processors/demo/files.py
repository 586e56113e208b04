"""OTLP requests out of files: JSON lines, protobuf with lengths or without, each of them compressed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from pipeline.signals import Batch, Signal, otlp_json
from pipeline.signals.intake import of_message, parse

_LENGTH_BYTES: Final = 4
# A line feed is the tag of the first field of a request, in protobuf.
_BEGINS_JSON: Final = frozenset({b"{", b" ", b"\t", b"\r"})
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LARGEST_BYTES: Final = 1 << 30
_SIGNALS: Final = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS}


def batches(data: bytes, signal: Signal = Signal.TRACES) -> Iterator[Batch]:
    """The traces and logs of a file, in its order. JSON says what it is; protobuf is taken for `signal`.

    Raises:
        ValueError: it is nothing that is known.
        Rejected: a request in it is none.
    """
    if data.startswith(_ZSTD):
        data = _unpacked(data)
    if data[:1] in _BEGINS_JSON:
        yield from _of_json(data)
    elif data[:1] == b"\0":
        # No field has the number 0: this is the length of what follows.
        for body in _framed(data):
            yield from _of_json(body) if body[:1] == b"{" else [parse(signal, body)]
    elif data:
        yield parse(signal, data)


def _framed(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        if position > len(data):
            # The last request was being written when the file was taken.
            return
        body = data[start:position]
        yield _unpacked(body) if body.startswith(_ZSTD) else body


def _unpacked(body: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - few files are compressed

    try:
        # The library takes a size that stands in front for granted, and makes room for it.
        if zstandard.frame_content_size(body) > _LARGEST_BYTES:
            raise ValueError(f"a request of it says that it is larger than {_LARGEST_BYTES} bytes")
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST_BYTES)
    except zstandard.ZstdError:
        raise ValueError("a request of it is not zstd, or damaged") from None


def _of_json(data: bytes) -> Iterator[Batch]:
    for line in _json_requests(data):
        for key, signal in _SIGNALS.items():
            if key in line.parsed:
                yield of_message(signal, otlp_json.decode(signal, line.text))


class _Json(NamedTuple):
    text: bytes
    parsed: dict[str, Any]


def _json_requests(data: bytes) -> list[_Json]:
    """One a line; or one that is written over many lines."""
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        found = [_Json(line, orjson.loads(line)) for line in (lines if _is_json(lines[-1]) else lines[:-1])]
    except orjson.JSONDecodeError:
        found = []
    if not found:
        try:
            found = [_Json(data, orjson.loads(data))]
        except orjson.JSONDecodeError as error:
            raise ValueError(f"neither a request of OTLP/JSON nor one on each line: {error.msg}") from None
    if not all(isinstance(each.parsed, dict) for each in found):
        raise ValueError("no export requests of OTLP/JSON")
    return found


def _is_json(line: bytes) -> bool:
    """False for a last line that was being written when the file was taken."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
