"""Unary gRPC calls over HTTP/2 (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): bytes out, bytes in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from pipeline.errors import Code
from pipeline.supervisor import Supervisor
from pipeline.transport.client_grpc import CODINGS, GrpcClient
from pipeline.transport.compression import Malformed, TooLarge, compress, decompress
from pipeline.transport.grpc_connections import Connections
from pipeline.transport.http2 import ConnectionLost, NotTaken, Stream
from pipeline.transport.http2_headers import encode_headers

# Compressing more than this takes milliseconds: it is done beside the event loop.
_LARGE_BYTES: Final = 64 * 1024
_MAX_CACHED_BLOCKS: Final = 16
_MAX_RESENDS: Final = 2
_LARGEST_ANSWER_BYTES: Final = 4 << 20
_HTTP_CODES: Final = {
    "400": Code.INTERNAL,
    "401": Code.UNAUTHENTICATED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.UNIMPLEMENTED,
    "429": Code.UNAVAILABLE,
    "502": Code.UNAVAILABLE,
    "503": Code.UNAVAILABLE,
    "504": Code.UNAVAILABLE,
}


class RpcError(Exception):
    """A call that did not succeed: its status, and the serialised google.rpc.Status that came with it, if any.

    The text is ours; what the backend itself said stands in `said`, since it may repeat what it was sent.
    """

    def __init__(self, code: Code, message: str = "", details: bytes | None = None, said: str = "") -> None:
        """Keep the status."""
        super().__init__(message)
        self.code = code
        self.details = details
        self.said = said


class GrpcChannel:
    """A client of one backend."""

    def __init__(self, config: GrpcClient, tasks: Supervisor, *, timeout_s: float | None) -> None:
        """`timeout_s` is told to the backend, and limits the making of a connection. Raises StartError."""
        self._connections = Connections(config, tasks, timeout_s)
        self._coding = None if config.coding is None else CODINGS[config.coding]
        self._fixed = list(_fixed_headers(config, timeout_s))
        self._blocks: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}
        self.reload_certificates = self._connections.reload_certificates
        self.close = self._connections.close

    async def call(self, path: str, message: bytes, metadata: Mapping[str, str]) -> bytes:
        """Send a message to a method and give its answer. Raises RpcError."""
        prefix, message = await self._framed(message)
        block = self._block(path, metadata)
        try:
            return _answer(await self._request(block, message, prefix))
        except ConnectionLost as error:
            raise RpcError(Code.UNAVAILABLE, str(error)) from None

    async def _request(self, block: bytes, message: bytes, prefix: bytes) -> Stream:
        """Send a request, again where the backend has said that it did nothing with it. Raises ConnectionLost."""
        for _ in range(_MAX_RESENDS):
            with suppress(NotTaken):
                connection = await self._connections.get()
                return await connection.request(block, message, prefix)
        connection = await self._connections.get()
        return await connection.request(block, message, prefix)

    async def _framed(self, message: bytes) -> tuple[bytes, bytes]:
        """The message as it goes out, and the five bytes before it."""
        if self._coding is None:
            return struct.pack(">BI", 0, len(message)), message
        if len(message) > _LARGE_BYTES:
            message = await asyncio.to_thread(compress, self._coding, message)
        else:
            message = compress(self._coding, message)
        return struct.pack(">BI", 1, len(message)), message

    def _block(self, path: str, metadata: Mapping[str, str]) -> bytes:
        key = path, tuple(metadata.items())
        block = self._blocks.get(key)
        if block is None:
            own = ((name, _value(name, value)) for name, value in key[1])
            block = encode_headers([(":method", "POST"), (":path", path), *self._fixed, *own])
            if len(self._blocks) >= _MAX_CACHED_BLOCKS:
                self._blocks.clear()
            self._blocks[key] = block
        return block


def _fixed_headers(config: GrpcClient, timeout_s: float | None) -> list[tuple[str, str]]:
    authority = config.authority or ("localhost" if config.unix_path is not None else config.target)
    headers = [
        (":scheme", "https" if config.is_secure else "http"),
        (":authority", authority),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", f"{config.user_agent} penstock".strip()),
        ("grpc-accept-encoding", "identity" if config.coding is None else f"identity,{config.coding}"),
    ]
    if timeout_s is not None:
        headers.append(("grpc-timeout", _timeout(timeout_s)))
    if config.coding is not None:
        headers.append(("grpc-encoding", config.coding))
    return headers


def _timeout(seconds: float) -> str:
    """Eight digits at most, in a unit that they suffice for."""
    millis = max(1, round(seconds * 1000))
    return f"{millis}m" if millis < 10**8 else f"{min(round(seconds), 10**8 - 1)}S"


def _value(name: str, value: str) -> str:
    """Metadata whose name ends in -bin are bytes, and travel as base64."""
    return base64.b64encode(value.encode()).decode().rstrip("=") if name.endswith("-bin") else value


def _answer(stream: Stream) -> bytes:
    headers = stream.headers
    status = headers.get("grpc-status")
    if status is None:
        http_status = headers.get(":status", "")
        if http_status == "200":
            raise RpcError(Code.UNAVAILABLE, "the backend's answer has no grpc-status")
        raise RpcError(_HTTP_CODES.get(http_status, Code.UNKNOWN), f"backend answered HTTP {http_status}")
    if status != "0":
        raise RpcError(_code(status), "", _details(headers), said=unquote(headers.get("grpc-message", "")))
    return _message(bytes(stream.body), headers.get("grpc-encoding", "identity"))


def _code(status: str) -> Code:
    try:
        return Code(int(status))
    except ValueError:
        return Code.UNKNOWN


def _details(headers: Mapping[str, str]) -> bytes | None:
    text = headers.get("grpc-status-details-bin")
    if not text:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None


def _message(body: bytes, encoding: str) -> bytes:
    """The message in an answer. Go's gRPC compresses answers as the request was, whatever the client accepts."""
    if not body:
        return b""
    if len(body) < 5 or len(body) != 5 + int.from_bytes(body[1:5]):
        raise RpcError(Code.INTERNAL, "the backend's answer is no gRPC message")
    if not body[0]:
        return body[5:]
    try:
        return decompress(CODINGS[encoding], body[5:], _LARGEST_ANSWER_BYTES)
    except (KeyError, TooLarge, Malformed):
        raise RpcError(Code.INTERNAL, "the backend's answer cannot be decompressed") from None
