"""The HTTP/2 server against frames written by hand: the rules of RFC 9113, and clients that mean harm."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport.http2_frames import data_frame, frame, headers_frame
from pipeline.transport.http2_guard import Inflow
from pipeline.transport.http2_headers import encode_headers
from pipeline.transport.http2_keepalive import KeepaliveSettings
from pipeline.transport.http2_server import ServerConnection
from pipeline.transport.http2_stream import Http2Settings, Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
HELLO = PREFACE + frame(SETTINGS, 0, 0, b"")
BLOCK = encode_headers([(":method", "POST"), (":scheme", "http"), (":path", "/")])
TRAILERS = encode_headers([("x-checksum", "1")])
PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, COMPRESSION_ERROR, CALM = 1, 3, 5, 6, 9, 11


def request(stream_id: int = 1, body: bytes = b"hello", block: bytes = BLOCK) -> bytes:
    """A whole request."""
    return frame(HEADERS, 4, stream_id, block) + frame(DATA, 1, stream_id, body)


@dataclass
class Echo:
    """Answers every request with its body, at once or when told to."""

    waits: bool = False
    bodies: list[bytes] = field(default_factory=list)
    waiting: list[tuple[ServerConnection, Stream]] = field(default_factory=list)

    def begin(self, connection: ServerConnection, stream: Stream) -> bool:
        return True

    def grows(self, connection: ServerConnection, stream: Stream) -> bool:
        return True

    def overflows(self, connection: ServerConnection, stream: Stream) -> None:
        connection.answer(stream, b"", 0, headers_frame(stream.id, encode_headers([(":status", "503")]), ends=True))

    def complete(self, connection: ServerConnection, stream: Stream) -> None:
        self.bodies.append(stream.body())
        connection.began()
        if self.waits:
            self.waiting.append((connection, stream))
        else:
            self.reply(connection, stream)

    def reply(self, connection: ServerConnection, stream: Stream) -> None:
        body = stream.body()
        head = headers_frame(stream.id, encode_headers([(":status", "200")]), ends=False)
        rest = data_frame(stream.id, body) + headers_frame(stream.id, encode_headers([("x", "y")]), ends=True)
        connection.answer(stream, head, len(body), rest)
        connection.done()


@dataclass
class Client:
    """A socket that speaks frames."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: asyncio.Server
    connections: set[ServerConnection]

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def frame(self) -> tuple[int, int, int, bytes]:
        """Kind, flags, stream and payload of the next frame."""
        head = await asyncio.wait_for(self.reader.readexactly(9), 60)
        size = int.from_bytes(head[:3])
        return head[3], head[4], int.from_bytes(head[5:9]), await self.reader.readexactly(size)

    async def until(self, kind: int) -> tuple[int, int, bytes]:
        """Flags, stream and payload of the next frame of a kind."""
        while True:
            found, flags, stream, payload = await self.frame()
            if found == kind:
                return flags, stream, payload

    async def answer(self) -> bytes:
        """The body of the next answer."""
        return (await self.until(DATA))[2]

    async def goaway(self) -> int:
        """The error code of the GOAWAY that ends the connection; -1 where its end overtook it."""
        try:
            payload = (await self.until(GOAWAY))[2]
            await asyncio.wait_for(self.reader.read(), 60)
        except ConnectionError:
            return -1
        return int.from_bytes(payload[4:8])


@asynccontextmanager
async def client(handler: Any = None, *, max_streams: int = 0, **keepalive: Any) -> AsyncIterator[Client]:
    """A client of a server of its own."""
    http2 = Http2Settings(max_streams, 1 << 20, 0, KeepaliveSettings(**keepalive))
    connections: set[ServerConnection] = set()
    buffer = memoryview(bytearray(1 << 16))
    inflow = Inflow(1 << 20)
    answering = handler or Echo()

    def connect() -> ServerConnection:
        return ServerConnection(answering, http2, buffer, inflow, connections.add, connections.discard)

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield Client(reader, writer, server, connections)
    finally:
        writer.transport.abort()
        for connection in tuple(connections):
            connection.abort()
        server.close()
        await server.wait_closed()


def _chopped(raw: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 10, 1000])
async def test_requests_in_pieces_of_any_size(size: int) -> None:
    async with client() as peer:
        raw = HELLO + request(1, b"one") + request(3, b"x" * 100) + request(5, b"three")
        for piece in _chopped(raw, size):
            peer.send(piece)
            await peer.writer.drain()
            if size < 10:
                await asyncio.sleep(0)
        assert [await peer.answer() for _ in range(3)] == [b"one", b"x" * 100, b"three"]


async def test_padding_priority_and_continuation() -> None:
    async with client() as peer:
        padded = bytes([3]) + bytes(5) + BLOCK[:4] + bytes(3)
        raw = frame(HEADERS, 0x8 | 0x20, 1, padded) + frame(CONTINUATION, 0, 1, BLOCK[4:6])
        raw += frame(CONTINUATION, 4, 1, BLOCK[6:])
        raw += frame(PRIORITY, 0, 1, bytes(5)) + frame(DATA, 0x8, 1, bytes([2]) + b"pad" + bytes(2))
        raw += frame(99, 0, 1, b"unknown") + frame(DATA, 1, 1, b"ded")
        peer.send(HELLO + raw)
        assert await peer.answer() == b"padded"


async def test_headers_with_the_dynamic_table() -> None:
    encoder = Encoder()
    headers = [(":method", "POST"), (":scheme", "http"), (":path", "/some/where"), ("x-name", "value")]
    async with client() as peer:
        peer.send(HELLO + b"".join(request(number, b"x", encoder.encode(headers)) for number in (1, 3, 5)))
        assert [await peer.answer() for _ in range(3)] == [b"x"] * 3


async def test_trailers_of_a_client_end_its_request() -> None:
    async with client() as peer:
        peer.send(HELLO + frame(HEADERS, 4, 1, BLOCK) + frame(DATA, 0, 1, b"x") + frame(HEADERS, 5, 1, TRAILERS))
        assert await peer.answer() == b"x"


async def test_an_answer_waits_for_the_window_of_its_client() -> None:
    async with client() as peer:
        peer.send(
            PREFACE
            + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 3))
            + request(1, b"hello")
            + frame(PING, 0, 0, bytes(8))
        )
        pieces = []
        while (found := await peer.frame())[0] != PING:
            pieces += [found[3]] if found[0] == DATA else []
        assert pieces == [b"hel"]
        peer.send(frame(WINDOW, 0, 1, struct.pack(">I", 2)))
        assert await peer.answer() == b"lo"
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + request(3, b"later"))
        peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 10)))
        assert await peer.answer() == b"later"


async def test_the_window_of_the_connection_never_closes() -> None:
    async with client() as peer:
        peer.send(HELLO)
        for number in range(1, 81, 2):
            peer.send(frame(HEADERS, 4, number, BLOCK) + frame(DATA, 0, number, bytes(900_000)))
            await peer.writer.drain()
        _, stream, payload = await peer.until(WINDOW)
        assert (stream, int.from_bytes(payload)) == (0, (16 << 20) - 65_535)
        assert int.from_bytes((await peer.until(WINDOW))[2]) > 4 << 20


async def test_many_small_frames_are_put_together() -> None:
    async with client() as peer:
        body = b"".join(frame(DATA, 0, 1, b"x") for _ in range(5000))
        peer.send(HELLO + frame(HEADERS, 4, 1, BLOCK) + body + frame(DATA, 1, 1, b"y"))
        assert await peer.answer() == b"x" * 5000 + b"y"


async def test_streams_over_the_limit_are_refused() -> None:
    handler = Echo(waits=True)
    async with client(handler, max_streams=1) as peer:
        peer.send(HELLO + request(1) + request(3))
        _, stream, payload = await peer.until(RST)
        assert (stream, int.from_bytes(payload)) == (3, 7)
        handler.reply(*handler.waiting[0])
        peer.send(request(5))
        assert await peer.answer() == b"hello"


async def test_a_request_that_its_client_gave_up_is_not_answered() -> None:
    handler = Echo(waits=True)
    async with client(handler) as peer:
        peer.send(HELLO + request(1) + frame(RST, 0, 1, struct.pack(">I", 8)) + request(3, b"second"))
        peer.send(frame(PING, 0, 0, bytes(8)))
        await peer.until(PING)
        for waiting in handler.waiting:
            handler.reply(*waiting)
        assert (await peer.until(HEADERS))[1] == 3


async def test_leaving_lets_requests_under_way_finish() -> None:
    handler = Echo(waits=True)
    async with client(handler) as peer:
        peer.send(HELLO + request(1) + frame(PING, 0, 0, bytes(8)))
        await peer.until(PING)
        (connection,) = peer.connections
        connection.leave()
        assert (await peer.until(GOAWAY))[2] == struct.pack(">II", 2**31 - 1, 0)
        farewell = (await peer.until(PING))[2]
        # What was on its way when the client heard of it is answered; what it begins afterwards is not.
        peer.send(request(3, b"on its way") + frame(PING, 1, 0, farewell))
        assert (await peer.until(GOAWAY))[2] == struct.pack(">II", 3, 0)
        peer.send(request(5))
        assert (await peer.until(RST))[1] == 5
        for waiting in handler.waiting:
            handler.reply(*waiting)
        assert [await peer.answer(), await peer.answer()] == [b"hello", b"on its way"]
        await asyncio.wait_for(peer.reader.read(), 60)
        assert peer.reader.at_eof()


async def test_a_client_that_does_not_say_that_it_has_heard_is_left_all_the_same() -> None:
    async with client() as peer:
        peer.send(HELLO + request())
        assert await peer.answer() == b"hello"
        (connection,) = peer.connections
        connection.leave()
        assert (await peer.until(GOAWAY))[2] == struct.pack(">II", 2**31 - 1, 0)
        assert await peer.goaway() == 0


BAD = {
    "no preface": (b"GET / HTTP/1.1\r\n\r\nxxxxxxxxxx", PROTOCOL_ERROR),
    "frame too large": (HELLO + struct.pack(">HBBBI", 0xFFFF, 0, SETTINGS, 0, 0), FRAME_SIZE_ERROR),
    "data frame too large": (HELLO + frame(HEADERS, 4, 1, BLOCK) + b"\xff\xff\xff\0\0\0\0\0\1", FRAME_SIZE_ERROR),
    "data of no stream": (HELLO + frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
    "data of stream 0": (HELLO + frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "an even stream": (HELLO + frame(HEADERS, 4, 2, BLOCK), PROTOCOL_ERROR),
    "streams in disorder": (HELLO + frame(HEADERS, 4, 3, BLOCK) + frame(HEADERS, 4, 1, BLOCK), STREAM_CLOSED),
    "headers interrupted": (HELLO + frame(HEADERS, 0, 1, BLOCK) + frame(PING, 0, 0, bytes(8)), PROTOCOL_ERROR),
    "headers interrupted by data": (HELLO + frame(HEADERS, 0, 1, BLOCK) + frame(DATA, 0, 1, b""), PROTOCOL_ERROR),
    "continuation of nothing": (HELLO + frame(CONTINUATION, 4, 1, BLOCK), PROTOCOL_ERROR),
    "headers without end": (HELLO + frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 1, bytes(60_000)) * 2, CALM),
    "headers that are none": (HELLO + frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff"), COMPRESSION_ERROR),
    "too much padding": (HELLO + frame(HEADERS, 0x8 | 4, 1, b"\xffx"), PROTOCOL_ERROR),
    "empty padded frame": (HELLO + frame(HEADERS, 0x8 | 4, 1, b""), FRAME_SIZE_ERROR),
    "a ping of 7 bytes": (HELLO + frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "settings of 5 bytes": (HELLO + frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "window of 3 bytes": (HELLO + frame(WINDOW, 0, 0, bytes(3)), FRAME_SIZE_ERROR),
    "a window too large": (HELLO + frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FLOW_CONTROL_ERROR),
    "an initial window too large": (
        HELLO + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
        FLOW_CONTROL_ERROR,
    ),
    "push": (HELLO + frame(PUSH, 4, 1, BLOCK), PROTOCOL_ERROR),
    "a flood of settings": (HELLO + frame(SETTINGS, 0, 0, b"") * 21_000, CALM),
    "a flood of resets": (HELLO + frame(RST, 0, 1, bytes(4)) * 21_000, CALM),
    "a flood of empty data": (HELLO + frame(HEADERS, 4, 1, BLOCK) + frame(DATA, 0, 1, b"") * 21_000, CALM),
    "a flood of begun streams": (
        HELLO + b"".join(frame(HEADERS, 4, n, BLOCK) + frame(RST, 0, n, bytes(4)) for n in range(1, 42_001, 2)),
        CALM,
    ),
    "a flood of pings": (HELLO + frame(PING, 0, 0, bytes(8)) * 10, CALM),
}


@pytest.mark.parametrize(("raw", "code"), BAD.values(), ids=BAD.keys())
async def test_what_is_no_http2_ends_the_connection(raw: bytes, code: int) -> None:
    async with client() as peer:
        peer.send(raw)
        assert await peer.goaway() in (code, -1 if code == CALM else code)
        reader, writer = await asyncio.open_connection(*peer.server.sockets[0].getsockname())
        other = Client(reader, writer, peer.server, peer.connections)
        other.send(HELLO + request())
        assert await other.answer() == b"hello"
        writer.transport.abort()


async def test_a_flood_of_requests_that_are_given_up() -> None:
    handler = Echo(waits=True)
    async with client(handler) as peer:
        peer.send(HELLO)
        for number in range(1, 20_101, 2):
            peer.send(request(number, b"") + frame(RST, 0, number, bytes(4)))
        assert await peer.goaway() in (CALM, -1)
        assert len(handler.bodies) == 20_000 // 12 + 1


async def test_pings_are_taken_as_often_as_allowed() -> None:
    async with client(min_ping_s=0.001, pings_without_stream=True) as peer:
        peer.send(HELLO)
        for _ in range(6):
            peer.send(frame(PING, 0, 0, b"12345678"))
            assert await peer.until(PING) == (1, 0, b"12345678")
            await asyncio.sleep(0.005)


async def test_a_silent_client_is_probed_and_then_left() -> None:
    async with client(ping_s=0.05, ping_timeout_s=0.05) as peer:
        peer.send(HELLO)
        assert (await peer.until(PING))[0] == 0
        with suppress(ConnectionError):
            await asyncio.wait_for(peer.reader.read(), 60)
        assert not peer.connections


async def test_a_client_that_answers_probes_stays() -> None:
    async with client(ping_s=0.05, ping_timeout_s=0.5) as peer:
        peer.send(HELLO)
        for _ in range(3):
            _, _, payload = await peer.until(PING)
            peer.send(frame(PING, 1, 0, payload))
        peer.send(request())
        assert await peer.answer() == b"hello"


async def test_an_old_connection_ends_behind_its_grace() -> None:
    handler = Echo(waits=True)
    async with client(handler, max_age_s=0.05, max_age_grace_s=0.1) as peer:
        peer.send(HELLO + request())
        await peer.until(GOAWAY)
        with suppress(ConnectionError):
            await asyncio.wait_for(peer.reader.read(), 60)
        assert not peer.connections
        handler.reply(*handler.waiting[0])


frames = st.builds(
    frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40) | st.just(BLOCK)
)


@given(noise=st.lists(frames | st.binary(max_size=30), max_size=12), size=st.integers(1, 64))
@settings(max_examples=150)
async def test_noise(noise: list[bytes], size: int) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with client() as peer:
        for piece in _chopped(HELLO + b"".join(noise), size):
            peer.send(piece)
        peer.writer.write_eof()
        with suppress(ConnectionError):
            await asyncio.wait_for(peer.reader.read(), 60)
    assert not errors
