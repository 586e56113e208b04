"""A TCP link to a backend that misbehaves for its first connections, then carries everything."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

Fault = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_FOREVER_S: Final = 3600.0


async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take everything, say nothing."""
    await asyncio.sleep(_FOREVER_S)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection off in the middle of the request (RST)."""
    await reader.read(10)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and hang up."""
    writer.close()


async def half_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End the answering side, go on reading."""
    writer.write_eof()
    with suppress(OSError):
        while await reader.read(1 << 16):
            pass


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with noise."""
    await reader.read(1)
    writer.write(os.urandom(4096))
    await writer.drain()
    await asyncio.sleep(0.1)


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer, a byte at a time, without ever coming to an end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b"\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def cut_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up in the middle of an HTTP answer."""
    await reader.read(1 << 16)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n\n")
    await writer.drain()
    writer.close()


FAULTS: Final[dict[str, Fault]] = {
    fault.__name__: fault for fault in (hang, reset, close, half_close, garbage, drip, cut_answer)
}


class Link:
    """Where to connect to, and how many connections were made."""

    def __init__(self, backend_port: int, fault: Fault, faulty: int) -> None:
        self._backend_port = backend_port
        self._fault = fault
        self._faulty = faulty
        self.port = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(OSError):
                if self.connections <= self._faulty:
                    await self._fault(reader, writer)
                else:
                    await self._carry(reader, writer)
        finally:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend_reader, backend_writer = await asyncio.open_connection("127.0.0.1", self._backend_port)
        try:
            await asyncio.gather(_pump(reader, backend_writer), _pump(backend_reader, writer))
        finally:
            backend_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def faulty_link(
    backend_port: int, fault: Fault = close, *, faulty: int = 0, port: int = 0
) -> AsyncIterator[Link]:
    """A link whose first `faulty` connections misbehave, on a free port of 127.0.0.1 unless one is given."""
    link = Link(backend_port, fault, faulty)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(link.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
