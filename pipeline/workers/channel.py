"""Messages between a parent and a worker over a socket pair: four bytes of length, then JSON."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

Message: TypeAlias = dict[str, Any]
"""What it is about under `kind`, and its content."""

_LENGTH: Final = struct.Struct(">I")
_CLOSE_S: Final = 5.0


def _encode(message: Message) -> bytes:
    # Not orjson: it has no NaN and no infinities, which are values of metrics.
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Channel:
    """One end of a socket pair in an event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use the streams of the socket."""
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """Take over a connected socket."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, kind: str, **content: Any) -> None:
        """Send a message; one to a process that has ended is lost."""
        if not self._writer.is_closing():
            self._writer.write(_encode({"kind": kind, **content}))

    async def messages(self) -> AsyncIterator[Message]:
        """What the other end sends, until it is closed or its process ends."""
        try:
            while True:
                (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                yield json.loads(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            return

    async def close(self) -> None:
        """Send what is still to be sent, unless the other end does not read, and close."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except OSError:
            return


def receive(end: socket.socket) -> Message:
    """Wait for one message, before there is an event loop.

    Raises:
        EOFError: the other end is gone.
    """
    (size,) = _LENGTH.unpack(_read(end, _LENGTH.size))
    message: Message = json.loads(_read(end, size))
    return message


def _read(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = end.recv(size - len(data))
        if not piece:
            raise EOFError("the parent of this worker is gone")
        data += piece
    return bytes(data)
