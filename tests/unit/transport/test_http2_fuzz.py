"""The client of HTTP/2 against backends that say anything: requests end, connections close, nothing escapes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.transport.http2 import Connection, ConnectionLost
from pipeline.transport.http2_frames import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    PING,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    settings_frame,
)
from pipeline.transport.http2_headers import encode_headers
from tests.unit.transport.frames import Peer, scripted_server

BLOCK = encode_headers([(":status", "200"), ("grpc-status", "0")])
REQUEST = encode_headers([(":method", "POST"), (":scheme", "http"), (":path", "/")])
HELLO = settings_frame([])
LARGEST_REST = 40_000


async def _say(raw: bytes, pieces: int = 0, requests: int = 1) -> list[BaseException | None]:
    """What becomes of requests to a backend that says these bytes and hangs up."""

    async def script(peer: Peer) -> None:
        size = pieces or len(raw) or 1
        for start in range(0, len(raw), size):
            peer.writer.write(raw[start : start + size])
            await asyncio.sleep(0)
        await peer.writer.drain()
        peer.writer.write_eof()
        with suppress(TimeoutError):
            await asyncio.wait_for(peer.next(99), 60)

    errors: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: errors.append(context))
    async with scripted_server(script) as port:
        _, connection = await loop.create_connection(
            lambda: Connection(lambda _: None, write_buffer_bytes=0), "127.0.0.1", port
        )
        sending = [connection.request(REQUEST, b"x" * 100) for _ in range(requests)]
        results = await asyncio.wait_for(asyncio.gather(*sending, return_exceptions=True), 60)
        assert len(connection._reader._rest) < LARGEST_REST
        connection.close()
    assert not errors
    return [result if isinstance(result, BaseException) else None for result in results]


frames = st.builds(
    frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40) | st.just(BLOCK)
)


@given(noise=st.lists(frames | st.binary(max_size=30), max_size=12), size=st.integers(1, 64))
@settings(max_examples=100, deadline=None)
async def test_noise(noise: list[bytes], size: int) -> None:
    for result in await _say(HELLO + b"".join(noise), size, requests=3):
        assert result is None or isinstance(result, ConnectionLost)


BAD = {
    "no settings": frame(PING, 0, 0, bytes(8)),
    "frame too large": HELLO + b"\xff\xff\xff\0\0\0\0\0\1",
    "headers of stream 2": HELLO + frame(HEADERS, END_HEADERS, 2, BLOCK),
    "headers of a request not made": HELLO + frame(HEADERS, END_HEADERS, 99, BLOCK),
    "data of a request not made": HELLO + frame(DATA, 0, 99, b"x"),
    "data of stream 0": HELLO + frame(DATA, 0, 0, b"x"),
    "reset of a request not made": HELLO + frame(RST_STREAM, 0, 99, bytes(4)),
    "a short reset": HELLO + frame(RST_STREAM, 0, 1, bytes(3)),
    "headers interrupted": HELLO + frame(HEADERS, 0, 1, BLOCK) + frame(PING, 0, 0, bytes(8)),
    "headers without end": HELLO + frame(HEADERS, 0, 1, BLOCK) + frame(CONTINUATION, 0, 1, bytes(16_000)) * 4,
    "push": HELLO + frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + BLOCK),
    "a window too large": HELLO + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    "a window that does not grow": HELLO + frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    "an initial window too large": settings_frame([(INITIAL_WINDOW, 1 << 31)]),
    "frames of nothing": settings_frame([(MAX_FRAME, 0)]),
    "a short goaway": HELLO + frame(GOAWAY, 0, 0, bytes(7)),
    "a flood of pings": HELLO + frame(PING, 0, 0, bytes(8)) * 51_000,
    "a flood of empty data": HELLO + frame(HEADERS, END_HEADERS, 1, BLOCK) + frame(DATA, 0, 1, b"") * 51_000,
    "capitals": HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1, encode_headers([("Grpc-Status", "0")])),
    "acknowledged with a setting": HELLO + frame(SETTINGS, ACK, 0, bytes(6)),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
async def test_what_is_no_http2_fails_the_request(raw: bytes) -> None:
    (result,) = await _say(raw)
    assert isinstance(result, ConnectionLost)
    assert "no HTTP/2" in str(result)


async def test_a_backend_that_answers_is_not_blamed_for_its_pings() -> None:
    answer = frame(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK)
    assert await _say(HELLO + frame(PING, 0, 0, bytes(8)) * 500 + answer) == [None]
