"""gRPC on HTTP/2: messages and answers (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from typing import Final
from urllib.parse import quote

from google.rpc.status_pb2 import Status

from pipeline.errors import Code, Rejected
from pipeline.receivers.otlp.answers import OK_PROTOBUF
from pipeline.transport.compression import Malformed, TooLarge, decompress
from pipeline.transport.http2_frames import DEFAULT_MAX_FRAME, data_frame, headers_frame
from pipeline.transport.http2_headers import Headers, encode_headers

PREFIX_BYTES: Final = 5
"""A byte that says whether the message is compressed, and its length."""
CODINGS: Final = ("gzip", "snappy", "zstd")
"""What the Collector takes as grpc-encoding. Its snappy is the framed format."""
_FRAMED: Final = {"snappy": "x-snappy-framed"}
_RESERVED: Final = ("grpc-timeout", "grpc-encoding", "te")
_CONTENT_TYPE: Final = ("content-type", "application/grpc")
_MESSAGE_SAFE: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""Printable ASCII without the percent sign stands for itself in grpc-message."""
# Clients take 8 KiB of headers at least, and frames of 16 KiB.
_MAX_MESSAGE_CHARS: Final = 4096
_CUT_ESCAPE: Final = re.compile("%.?$")
_OK_HEAD: Final = headers_frame(0, encode_headers([(":status", "200"), _CONTENT_TYPE]), ends=False)
_OK_DATA: Final = data_frame(0, b"\0" + len(OK_PROTOBUF).to_bytes(4, "big") + OK_PROTOBUF)
_OK_TAIL: Final = headers_frame(0, encode_headers([("grpc-status", "0")]), ends=True)
OK_DATA_BYTES: Final = PREFIX_BYTES + len(OK_PROTOBUF)


def ok(stream_id: int) -> tuple[bytes, bytes]:
    """The frames of a good answer: those before its data, and those from it on."""
    number = stream_id.to_bytes(4, "big")
    rest = b"".join((_OK_DATA[:5], number, _OK_DATA[9:], _OK_TAIL[:5], number, _OK_TAIL[9:]))
    return b"".join((_OK_HEAD[:5], number, _OK_HEAD[9:])), rest


def plain_failure(stream_id: int, status: Status, http_status: int) -> tuple[bytes, int, bytes]:
    """An answer to what is no gRPC: frames before its text, the size of the text, and the frames from it on."""
    headers = [
        (":status", str(http_status)),
        ("content-type", "text/plain; charset=utf-8"),
        ("grpc-status", str(status.code)),
        ("grpc-message", _message_header(status)),
    ]
    text = status.message.encode()[:_MAX_MESSAGE_CHARS]
    before = headers_frame(stream_id, encode_headers(headers), ends=False)
    return before, len(text), data_frame(stream_id, text, ends=True)


def _message_header(status: Status) -> str:
    return _CUT_ESCAPE.sub("", quote(status.message, safe=_MESSAGE_SAFE)[:_MAX_MESSAGE_CHARS])


def failure(stream_id: int, status: Status, http_status: int = 200) -> bytes:
    """The frame of an answer that is an error and nothing else."""
    headers = [
        (":status", str(http_status)),
        _CONTENT_TYPE,
        ("grpc-status", str(status.code)),
        ("grpc-message", _message_header(status)),
    ]
    block = encode_headers(headers)
    if status.details:
        encoded = b64encode(status.SerializeToString()).decode().rstrip("=")
        block += encode_headers([("grpc-status-details-bin", encoded)])
        if len(block) > DEFAULT_MAX_FRAME:
            block = encode_headers(headers)
    return headers_frame(stream_id, block, ends=True)


def check_size(head: bytes, max_bytes: int) -> None:
    """Whether the message that begins with `head` may come. Raises Rejected."""
    size = int.from_bytes(head[1:PREFIX_BYTES], "big")
    if size > max_bytes:
        message = f"grpc: received message larger than max ({size} vs. {max_bytes})"
        raise Rejected(message, code=Code.RESOURCE_EXHAUSTED)


def message_of(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The first message in a body, decompressed.

    Raises:
        Rejected: there is none, it is cut off, or it cannot be decompressed; with the code that grpc-go answers.
    """
    if len(body) < PREFIX_BYTES:
        raise Rejected("EOF", code=Code.UNKNOWN)
    end = PREFIX_BYTES + int.from_bytes(body[1:PREFIX_BYTES], "big")
    if len(body) < end:
        raise Rejected("unexpected EOF", code=Code.INTERNAL)
    message = body[PREFIX_BYTES:end]
    if body[0] == 0:
        return message
    if coding in ("", "identity"):
        raise Rejected("grpc: compressed flag set with identity or empty encoding", code=Code.INTERNAL)
    if body[0] != 1:
        raise Rejected(f"grpc: received unexpected payload format {body[0]}", code=Code.INTERNAL)
    return _decompressed(message, coding, max_bytes)


def _decompressed(message: bytes, coding: str, max_bytes: int) -> bytes:
    try:
        return decompress(_FRAMED.get(coding, coding), message, max_bytes)
    except TooLarge:
        text = f"grpc: received message after decompression larger than max {max_bytes}"
        raise Rejected(text, code=Code.RESOURCE_EXHAUSTED) from None
    except Malformed as error:
        raise Rejected(f"grpc: failed to decompress the received message: {error}", code=Code.INTERNAL) from None


def metadata_of(headers: Headers) -> dict[str, tuple[str, ...]]:
    """What a client says beside its message, as processors see it; bytes are shown as Latin-1."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name in _RESERVED or (name.startswith(":") and name != ":authority"):
            continue
        given = found.setdefault(name, [])
        if name.endswith("-bin"):
            given.extend(map(_bytes_of, value.split(",")))
        else:
            given.append(value)
    return {name: tuple(values) for name, values in found.items()}


def _bytes_of(value: str) -> str:
    try:
        return b64decode(value + "=" * (-len(value) % 4)).decode("latin-1")
    except ValueError:
        return value
