"""The client's side of HTTP/2 against servers that use every corner of it, and against some that break it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipeline.transport.http2 import Connection, ConnectionLost, Stream
from pipeline.transport.http2_headers import encode_headers
from tests.unit.transport.frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    OK_HEADERS,
    OK_TRAILERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Peer,
    frame,
    message,
    scripted_server,
    settings,
)

BLOCK = encode_headers([(":method", "POST"), (":path", "/x")])


@asynccontextmanager
async def connected(script: Callable[[Peer], Awaitable[None]]) -> AsyncIterator[Connection]:
    closed: list[Connection] = []
    async with scripted_server(script) as port:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(closed.append, write_buffer_bytes=0), "127.0.0.1", port
        )
        async with asyncio.timeout(60):
            await connection.ready
            yield connection
        connection.close()
        assert closed == [connection]


async def echo(peer: Peer) -> None:
    """Answer every request with its own body."""
    await peer.hello()
    while True:
        stream_id, body = await peer.request()
        peer.answer(stream_id, body)


async def test_requests_and_answers_go_side_by_side() -> None:
    async with connected(echo) as connection:
        bodies = [bytes([number]) * (number + 1) for number in range(50)]
        streams = await asyncio.gather(*(connection.request(BLOCK, body) for body in bodies))

        assert [bytes(stream.body) for stream in streams] == [message(body) for body in bodies]
        assert all(stream.headers["grpc-status"] == "0" for stream in streams)
        assert connection.streams == 0


async def test_both_windows_are_kept_to() -> None:
    received: list[int] = []

    async def stingy(peer: Peer) -> None:
        await peer.hello(settings(window=10, max_frame=16_384))
        stream_id = (await peer.next(HEADERS)).stream_id
        left = 25
        while left:
            found = await peer.next(DATA)
            received.append(len(found.payload))
            left -= len(found.payload)
            peer.writer.write(frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", 8)))
        assert found.flags & END_STREAM
        peer.answer(stream_id)

    async with connected(stingy) as connection:
        await connection.request(BLOCK, b"x" * 25)

    assert received == [10, 8, 7]


@pytest.mark.parametrize("window", [2, 20, 1 << 20])
async def test_a_prefix_goes_before_the_body(window: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(window=window))
        stream_id, body = (await peer.next(HEADERS)).stream_id, b""
        while len(body) < 35:
            body += (await peer.next(DATA)).payload
            peer.writer.write(frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", 2)))
        peer.answer(stream_id, body)

    async with connected(script) as connection:
        stream = await connection.request(BLOCK, b"x" * 30, b"12345")

    assert bytes(stream.body) == message(b"12345" + b"x" * 30)


async def test_the_connections_window_is_shared() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(window=1 << 20))
        stream_id, total = (await peer.next(HEADERS)).stream_id, 0
        while total < 65_535:
            total += len((await peer.next(DATA)).payload)
        assert total == 65_535
        peer.writer.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20)))
        while total < 100_000:
            total += len((await peer.next(DATA)).payload)
        peer.answer(stream_id)

    async with connected(script) as connection:
        await connection.request(BLOCK, b"x" * 100_000)


async def test_frames_are_no_larger_than_the_peer_takes() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(window=1 << 20, max_frame=20_000))
        stream_id = (await peer.next(HEADERS)).stream_id
        sizes = [len((await peer.next(DATA)).payload) for _ in range(3)]
        assert sizes == [20_000, 20_000, 5_000]
        peer.answer(stream_id)

    async with connected(script) as connection:
        await connection.request(BLOCK, b"x" * 45_000)


async def test_a_window_that_the_peer_changes_later_counts_for_what_is_under_way() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(window=5))
        stream_id = (await peer.next(HEADERS)).stream_id
        assert len((await peer.next(DATA)).payload) == 5
        peer.writer.write(settings(window=12))
        assert len((await peer.next(DATA)).payload) == 7
        peer.writer.write(settings(window=100))
        assert len((await peer.next(DATA)).payload) == 8
        peer.answer(stream_id)

    async with connected(script) as connection:
        await connection.request(BLOCK, b"x" * 20)


async def test_no_more_streams_than_the_peer_allows() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(max_streams=1))
        for _ in range(3):
            stream_id, _ = await peer.request()
            peer.answer(stream_id)

    async with connected(script) as connection:
        waiting = [asyncio.create_task(connection.request(BLOCK, b"x")) for _ in range(3)]
        await asyncio.sleep(0)
        assert connection.streams == 1
        await asyncio.gather(*waiting)


async def test_headers_larger_than_a_frame_are_continued() -> None:
    block = encode_headers([(":method", "POST"), ("x-large", "v" * 40_000)])

    async def script(peer: Peer) -> None:
        await peer.hello()
        first = await peer.next(HEADERS)
        collected, flags = first.payload, first.flags
        while not flags & END_HEADERS:
            found = await peer.next(CONTINUATION)
            collected, flags = collected + found.payload, found.flags
        assert collected == block
        peer.answer(first.stream_id)

    async with connected(script) as connection:
        await connection.request(block, b"x")


async def test_padding_priority_and_continuation_in_answers() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        block = peer.headers(OK_HEADERS)
        padded = b"\x03" + bytes(5) + block[:4] + bytes(3)
        peer.writer.write(frame(HEADERS, PADDED | PRIORITY, stream_id, padded))
        peer.writer.write(frame(CONTINUATION, END_HEADERS, stream_id, block[4:]))
        peer.writer.write(frame(DATA, PADDED, stream_id, b"\x02" + message(b"hi") + bytes(2)))
        peer.writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, peer.headers(OK_TRAILERS)))

    async with connected(script) as connection:
        stream = await connection.request(BLOCK, b"x")

    assert bytes(stream.body) == message(b"hi")
    assert stream.headers == dict(OK_HEADERS + OK_TRAILERS)


async def test_a_peer_that_indexes_headers_all_the_same_is_understood() -> None:
    """The same bytes mean different headers once there is a dynamic table."""

    async def script(peer: Peer) -> None:
        await peer.hello()
        for number in range(4):
            stream_id, _ = await peer.request()
            pairs = [*OK_HEADERS, ("x-number", str(number // 2)), *OK_TRAILERS]
            peer.writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, peer.headers(pairs)))

    async with connected(script) as connection:
        numbers = [(await connection.request(BLOCK, b"x")).headers["x-number"] for _ in range(4)]

    assert numbers == ["0", "0", "1", "1"]


async def test_pings_are_answered() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        peer.writer.write(frame(PING, 0, 0, b"12345678"))
        found = await peer.next(PING)
        assert (found.flags, found.payload) == (ACK, b"12345678")
        peer.answer(stream_id)

    async with connected(script) as connection:
        await connection.request(BLOCK, b"x")


async def test_an_answer_before_the_end_of_the_request_ends_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello(settings(window=3))
        stream_id = (await peer.next(HEADERS)).stream_id
        pairs = [*OK_HEADERS, ("grpc-status", "8"), ("grpc-message", "too large")]
        peer.writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, peer.headers(pairs)))
        assert (await peer.next(RST_STREAM)).stream_id == stream_id

    async with connected(script) as connection:
        stream = await connection.request(BLOCK, b"x" * 100)

        assert stream.headers["grpc-status"] == "8"
        assert connection.is_open


async def test_a_request_that_is_given_up_is_reset_and_the_connection_goes_on() -> None:
    reset = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hello()
        first, _ = await peer.request()
        assert (await peer.next(RST_STREAM)).stream_id == first
        reset.set()
        peer.answer(first)
        second, _ = await peer.request()
        peer.answer(second, b"second")

    async with connected(script) as connection:
        task = asyncio.create_task(connection.request(BLOCK, b"x"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await reset.wait()

        assert bytes((await connection.request(BLOCK, b"x")).body) == message(b"second")


async def test_a_reset_stream_fails_alone() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        first, _ = await peer.request()
        second, _ = await peer.request()
        peer.writer.write(frame(RST_STREAM, 0, first, struct.pack(">I", 7)))
        peer.answer(second)

    async with connected(script) as connection:
        results = await asyncio.gather(*(connection.request(BLOCK, b"x") for _ in range(2)), return_exceptions=True)

        assert str(results[0]) == "stream reset by the backend (code 7)"
        assert isinstance(results[1], Stream)


async def test_going_away_fails_what_was_not_taken_and_finishes_the_rest() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        first, _ = await peer.request()
        await peer.request()
        peer.writer.write(frame(GOAWAY, 0, 0, struct.pack(">II", first, 0)))
        await asyncio.sleep(0.02)
        peer.answer(first)
        assert not await peer._reader.read()

    async with connected(script) as connection:
        results = await asyncio.gather(*(connection.request(BLOCK, b"x") for _ in range(2)), return_exceptions=True)

        assert isinstance(results[0], Stream)
        assert str(results[1]) == "the backend is going away"
        assert not connection.is_open
        with pytest.raises(ConnectionLost):
            await connection.request(BLOCK, b"x")


async def test_a_lost_connection_fails_everything_under_way() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.request()
        await peer.request()

    async with connected(script) as connection:
        results = await asyncio.gather(*(connection.request(BLOCK, b"x") for _ in range(2)), return_exceptions=True)

        assert all(isinstance(result, ConnectionLost) for result in results)


@pytest.mark.parametrize(
    "noise",
    [
        frame(HEADERS, END_HEADERS, 1, b"\x80"),
        frame(HEADERS, 0, 1, b"") + frame(DATA, 0, 1, b""),
        frame(CONTINUATION, END_HEADERS, 1, b""),
        frame(WINDOW_UPDATE, 0, 0, b"\x00"),
        frame(SETTINGS, 0, 0, b"\x00\x01\x00"),
        frame(DATA, PADDED, 1, b"")[:9] + b"",
        (20_000).to_bytes(3, "big") + bytes(6),
        frame(HEADERS, 0, 1, b"x" * 16_000) + frame(CONTINUATION, 0, 1, b"x" * 16_000) * 5,
    ],
)
async def test_what_is_no_http2_closes_the_connection(noise: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        await peer.request()
        peer.writer.write(noise + bytes(64))
        await asyncio.sleep(0.2)

    async with connected(script) as connection:
        with pytest.raises(ConnectionLost):
            await connection.request(BLOCK, b"x")


async def test_an_answer_without_an_end_is_bounded() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        stream_id, _ = await peer.request()
        chunk = frame(DATA, 0, stream_id, bytes(16_384))
        while True:
            peer.writer.write(chunk)
            await peer.writer.drain()

    async with connected(script) as connection:
        with pytest.raises(ConnectionLost, match="too large"):
            await connection.request(BLOCK, b"x")


async def test_the_window_for_answers_is_given_back() -> None:
    async def script(peer: Peer) -> None:
        await peer.hello()
        # The first update is the greeting's.
        await peer.next(WINDOW_UPDATE)
        stream_id, _ = await peer.request()
        peer.writer.write(frame(HEADERS, END_HEADERS, stream_id, peer.headers(OK_HEADERS)))
        for _ in range(32):
            peer.writer.write(frame(DATA, 0, stream_id, bytes(16_384)))
        given_back = [await peer.next(WINDOW_UPDATE) for _ in range(2)]
        assert [(found.stream_id, int.from_bytes(found.payload)) for found in given_back] == [
            (0, 32 * 16_384),
            (stream_id, 32 * 16_384),
        ]
        peer.writer.write(frame(HEADERS, END_HEADERS | END_STREAM, stream_id, peer.headers(OK_TRAILERS)))

    async with connected(script) as connection:
        assert len((await connection.request(BLOCK, b"x")).body) == 32 * 16_384


@hypothesis_settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                frame,
                st.sampled_from([0, 1, 3, 4, 6, 7, 8, 9, 77]),
                st.integers(0, 255),
                st.integers(0, 3),
                st.binary(max_size=20),
            ),
        ),
        max_size=12,
    )
)
def test_noise_after_the_greeting_ends_in_an_answer_or_a_lost_connection(noise: list[bytes]) -> None:
    """Fed without a socket: nothing but ConnectionLost may come of it."""

    async def run() -> None:
        connection = Connection(lambda _: None, write_buffer_bytes=0)
        transport: Any = _NoSocket()
        connection.connection_made(transport)
        connection.data_received(settings())
        task = asyncio.create_task(connection.request(BLOCK, b"x"))
        await asyncio.sleep(0)
        for piece in noise:
            connection.data_received(piece)
        connection.connection_lost(None)
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, Stream | ConnectionLost)

    asyncio.run(run())


class _NoSocket:
    """A transport that goes nowhere."""

    def write(self, data: bytes) -> None:
        """Nothing."""

    writelines = write

    def abort(self) -> None:
        """Nothing."""

    close = pause_reading = resume_reading = abort

    def is_closing(self) -> bool:
        return False
