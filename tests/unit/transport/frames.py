"""An HTTP/2 server that says exactly the bytes a test wants said."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from hpack import Encoder

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32

OK_HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
OK_TRAILERS = [("grpc-status", "0")]


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream_id) + payload


def settings(**values: int) -> bytes:
    names = {"max_streams": 3, "window": 4, "max_frame": 5}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", names[name], value) for name, value in values.items()))


def message(body: bytes = b"") -> bytes:
    return struct.pack(">BI", 0, len(body)) + body


@dataclass
class Frame:
    kind: int
    flags: int
    stream_id: int
    payload: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.encoder = Encoder()

    async def hello(self, first: bytes = b"") -> None:
        assert await self._reader.readexactly(len(PREFACE)) == PREFACE
        self.writer.write(first or settings())

    async def next(self, *kinds: int) -> Frame:
        """The next frame of one of these kinds; others are skipped."""
        while True:
            head = await self._reader.readexactly(9)
            found = Frame(head[3], head[4], int.from_bytes(head[5:]), b"")
            found.payload = await self._reader.readexactly(int.from_bytes(head[:3]))
            if found.kind in kinds:
                return found

    async def request(self) -> tuple[int, bytes]:
        """Stream id and body of the next whole request."""
        stream_id, body = (await self.next(HEADERS)).stream_id, b""
        while True:
            found = await self.next(DATA)
            body += found.payload
            if found.flags & END_STREAM:
                return stream_id, body

    def headers(self, pairs: list[tuple[str, str]]) -> bytes:
        return self.encoder.encode(pairs, huffman=True)

    def answer(self, stream_id: int, body: bytes = b"") -> None:
        """A whole successful answer."""
        self.writer.write(
            frame(HEADERS, END_HEADERS, stream_id, self.headers(OK_HEADERS))
            + frame(DATA, 0, stream_id, message(body))
            + frame(HEADERS, END_HEADERS | END_STREAM, stream_id, self.headers(OK_TRAILERS))
        )


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted_server(
    *scripts: Script, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None, path: str = ""
) -> AsyncIterator[int]:
    """A server whose n-th connection follows the n-th script (the last one from then on); yields its port.

    It listens on the Unix socket `path` where one is given.
    """
    tasks: list[asyncio.Task[None]] = []
    errors: list[BaseException] = []

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, script: Script) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await script(Peer(reader, writer))
        except Exception as error:  # noqa: BLE001 - told to the test at the end
            errors.append(error)
        finally:
            writer.transport.abort()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = scripts[min(len(tasks), len(scripts) - 1)]
        tasks.append(asyncio.create_task(follow(reader, writer, script)))

    if path:
        server = await asyncio.start_unix_server(connected, path)
    else:
        server = await asyncio.start_server(connected, host, port, ssl=context)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not errors, errors
