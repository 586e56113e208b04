"""One HTTP/2 connection of a client (RFC 9113): requests of known size out, small answers in.

grpcio costs 130 microseconds a call and compresses on the event loop, with zlib's level 6 only; gRPC needs so little of
HTTP/2 that the frames are written here. Header compression is used without its dynamic table, so that the header blocks
of a backend, which are always the same, are decoded once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, cast

from pipeline.transport.http2_frames import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    DEFAULT_MAX_FRAME,
    DEFAULT_WINDOW,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_STREAM_ID,
    MAX_FRAME,
    MAX_STREAMS,
    PING,
    PREFACE,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ProtocolViolation,
    credit_of,
    frame,
    frame_head,
    goaway_frame,
    header_fragment,
    reset_frame,
    settings_frame,
    settings_of,
    widened,
    window_frame,
)
from pipeline.transport.http2_headers import BlockReader, response_fault
from pipeline.transport.http2_reader import FrameReader
from pipeline.transport.network_errors import why

CLOSED: Final = "connection closed by the backend"
_OUR_WINDOW: Final = 1 << 20
_LARGEST_ANSWER: Final = 4 << 20
# Below this, one copy is cheaper than many buffers.
_COPY_BELOW_BYTES: Final = 16_384
_MAX_WASTE: Final = 50_000
"""Frames that carry nothing, in a row without an answer; the windows of a very large request take thousands."""

Headers = dict[str, str]


class ConnectionLost(Exception):  # noqa: N818 - an event, in a word
    """The connection or the stream ended before the answer was whole; the request may be sent again."""


class NotTaken(ConnectionLost):
    """The backend has said that it did nothing with the request (RFC 9113, section 8.7): sending it again is safe."""


class Stream:
    """One request and its answer.

    Attributes:
        headers: of the answer, trailers included.
        body: of the answer.
        answered: done when the answer is whole; fails with ConnectionLost.
    """

    __slots__ = ("answered", "body", "headers", "id", "pending", "window")

    def __init__(self, stream_id: int, window: int, answered: asyncio.Future[None]) -> None:
        """Begin with nothing sent and nothing received."""
        self.id = stream_id
        self.window = window
        self.pending: memoryview | None = None
        self.headers: Headers = {}
        self.body = bytearray()
        self.answered = answered


class Connection(asyncio.Protocol):
    """The client's side of one connection.

    Attributes:
        ready: done when the peer has shown that it speaks HTTP/2; fails with ConnectionLost.
    """

    def __init__(self, on_closed: Callable[[Connection], None], *, write_buffer_bytes: int) -> None:
        """`on_closed` is called once, when no more requests can be sent."""
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._on_closed = on_closed
        self._write_buffer_bytes = write_buffer_bytes
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self, max_frame=DEFAULT_MAX_FRAME)
        self._blocks = BlockReader(response_fault)
        self._data: Stream | None = None
        self._data_flags = 0
        self._streams: dict[int, Stream] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._next_id = 1
        self._window = DEFAULT_WINDOW
        self._stream_window = DEFAULT_WINDOW
        self._max_frame = DEFAULT_MAX_FRAME
        self._max_streams = LARGEST_STREAM_ID
        self._unreported = 0
        self._waste = 0
        self._paused = False
        self._out: list[bytes | memoryview] = []
        self._open = True
        self.last_read_s = self._loop.time()

    # What the channel uses --------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether new requests can be sent."""
        return self._open

    @property
    def streams(self) -> int:
        """Requests under way."""
        return len(self._streams)

    async def request(self, block: bytes, body: bytes, prefix: bytes = b"") -> Stream:
        """Send a request and wait for its answer.

        Args:
            block: the encoded headers (`encode_headers`).
            body: the whole body.
            prefix: a few bytes before the body, given apart so that a large body is not copied.

        Raises:
            ConnectionLost: the connection or the stream ended first.
        """
        while len(self._streams) >= self._max_streams and self._open:
            await self._wait_for_stream()
        if not self._open or self._transport is None:
            raise ConnectionLost("connection closed")
        stream = Stream(self._next_id, self._stream_window, self._loop.create_future())
        self._next_id += 2
        if self._next_id > LARGEST_STREAM_ID:
            self.retire()
        self._streams[stream.id] = stream
        self._send(stream, block, prefix, body)
        try:
            await stream.answered
        except asyncio.CancelledError:
            self._abort(stream)
            raise
        return stream

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._write(frame(PING, 0, 0, bytes(8)))

    def close(self, why: str = "connection closed") -> None:
        """Break off; requests under way fail with ConnectionLost."""
        if self._transport is not None:
            self._transport.abort()
        self._fail(why)

    async def _wait_for_stream(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(waiter)
        await waiter

    # Sending ----------------------------------------------------------------------------------------------------------

    def _write(self, *parts: bytes | memoryview) -> None:
        """Send with whatever else this turn of the event loop sends: a system call costs more than a request."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out += parts

    def _flush(self) -> None:
        parts, self._out = self._out, []
        if self._transport is None or self._transport.is_closing():
            return
        if sum(map(len, parts)) < _COPY_BELOW_BYTES:
            self._transport.write(b"".join(parts))
        else:
            self._transport.writelines(parts)

    def _send(self, stream: Stream, block: bytes, prefix: bytes, body: bytes) -> None:
        size = len(prefix) + len(body)
        self._write(*self._header_frames(stream.id, block))
        room = 0 if self._paused else min(self._max_frame, stream.window, self._window)
        if size <= room:
            self._window -= size
            self._write(frame_head(size, DATA, END_STREAM, stream.id), prefix, body)
            return
        if prefix and len(prefix) <= room:
            stream.window -= len(prefix)
            self._window -= len(prefix)
            self._write(frame(DATA, 0, stream.id, prefix))
        else:
            body = prefix + body
        stream.pending = memoryview(body)
        self._pump(stream)

    def _header_frames(self, stream_id: int, block: bytes) -> Iterable[bytes]:
        kind, limit = HEADERS, self._max_frame
        while len(block) > limit:
            yield frame(kind, 0, stream_id, block[:limit])
            kind, block = CONTINUATION, block[limit:]
        yield frame(kind, END_HEADERS, stream_id, block)

    def _pump(self, stream: Stream) -> None:
        """Send as much of a body as both windows and the socket allow."""
        parts: list[bytes | memoryview] = []
        while stream.pending is not None and not self._paused:
            size = min(len(stream.pending), stream.window, self._window, self._max_frame)
            if size <= 0:
                break
            last = size == len(stream.pending)
            parts += (frame_head(size, DATA, END_STREAM if last else 0, stream.id), stream.pending[:size])
            stream.window -= size
            self._window -= size
            stream.pending = None if last else stream.pending[size:]
        self._write(*parts)

    def _pump_all(self) -> None:
        for stream in list(self._streams.values()):
            if stream.pending is not None:
                self._pump(stream)

    def _abort(self, stream: Stream) -> None:
        if self._streams.pop(stream.id, None) is not None:
            self._write(reset_frame(stream.id, CANCEL))
        self._stream_ended()

    # The transport's calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello: preface, settings, and a larger window for answers."""
        self._transport = cast(asyncio.Transport, transport)
        if self._write_buffer_bytes:
            self._transport.set_write_buffer_limits(self._write_buffer_bytes)
        settings = settings_frame([(HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW, _OUR_WINDOW)])
        self._transport.write(PREFACE + settings + window_frame(0, _OUR_WINDOW - DEFAULT_WINDOW))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever is under way has failed."""
        self._fail(CLOSED if exc is None else f"connection lost: {why(exc)}")

    def eof_received(self) -> bool:
        """A backend that says no more has no use for us: close."""
        return False

    def pause_writing(self) -> None:
        """The socket is full."""
        self._paused = True

    def resume_writing(self) -> None:
        """The socket has room."""
        self._paused = False
        self._pump_all()

    def data_received(self, data: bytes) -> None:
        """Take frames apart."""
        self.last_read_s = self._loop.time()
        self._take(memoryview(data))

    def _take(self, data: memoryview | None) -> None:
        """Take what has come, or more of what had; others have their turn before the rest of a large read."""
        try:
            if data is None:
                self._reader.go_on()
            else:
                self._reader.feed(data)
        except ProtocolViolation as violation:
            self._write(goaway_frame(0, violation.code))
            self._flush()
            self.close(f"the backend's answer is no HTTP/2 ({violation})")
            return
        if self._transport is not None and not self._transport.is_closing():
            if self._reader.behind:
                self._transport.pause_reading()
                self._loop.call_soon(self._take, None)
            elif data is None:
                self._transport.resume_reading()

    # Receiving --------------------------------------------------------------------------------------------------------

    def begin_data(self, flags: int, stream_id: int, size: int) -> None:
        """A DATA frame begins (RFC 9113, section 6.1)."""
        self._check_order(DATA)
        self._check_begun(stream_id)
        self._data, self._data_flags = self._streams.get(stream_id), flags
        self._give_window_back(stream_id, size)
        if self._data is None or not size:
            self._spend()

    def take_data(self, piece: bytes) -> None:
        """Give a piece of an answer to its request."""
        stream = self._data
        if stream is None:
            return
        stream.body += piece
        if len(stream.body) > _LARGEST_ANSWER:
            self._data = None
            self._abort(stream)
            _fail(stream, "the backend's answer is too large")

    def end_data(self) -> None:
        """It is whole."""
        stream, self._data = self._data, None
        if stream is not None and self._data_flags & END_STREAM and self._streams.get(stream.id) is stream:
            self._end(stream)

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """A frame that is no DATA frame; the content of unknown ones is left out (RFC 9113, section 5.5)."""
        self._check_order(kind)
        if kind == HEADERS:
            self._take_headers(flags, stream_id, payload)
            return
        self._spend()
        if kind == WINDOW_UPDATE:
            self._take_window(stream_id, payload)
        elif kind == SETTINGS:
            self._take_settings(flags, payload)
        elif kind == PING and not flags & ACK:
            self._write(frame(PING, ACK, 0, payload))
        elif kind == RST_STREAM:
            self._take_reset(stream_id, int.from_bytes(payload))
        elif kind == GOAWAY:
            self._take_goaway(int.from_bytes(payload[:4]) & LARGEST_STREAM_ID)
        elif kind == CONTINUATION:
            self._blocks.go_on(stream_id, payload)
            if flags & END_HEADERS:
                self._take_block(stream_id, *self._blocks.end())
        elif kind == PUSH_PROMISE:
            # Our settings forbid it (RFC 9113, section 6.6).
            raise ProtocolViolation(PROTOCOL_ERROR, "push")

    def stream_failed(self, violation: ProtocolViolation) -> None:
        """A backend broke a rule of a stream: the request fails."""
        stream = self._streams.pop(violation.stream_id, None)
        self._write(reset_frame(violation.stream_id, violation.code))
        if stream is not None:
            _fail(stream, f"the backend's answer is no HTTP/2 ({violation})")
            self._stream_ended()

    def _check_order(self, kind: int) -> None:
        if not self.ready.done() and kind != SETTINGS:
            raise ProtocolViolation(PROTOCOL_ERROR, "no settings")
        if self._blocks.stream_id and kind != CONTINUATION:
            raise ProtocolViolation(PROTOCOL_ERROR, "headers interrupted")

    def _check_begun(self, stream_id: int) -> None:
        """RFC 9113, section 5.1, "idle": only we begin streams."""
        if stream_id >= self._next_id or not stream_id & 1:
            raise ProtocolViolation(PROTOCOL_ERROR, "frame of a stream that has not begun")

    def _spend(self) -> None:
        self._waste += 1
        if self._waste > _MAX_WASTE:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def _give_window_back(self, stream_id: int, size: int) -> None:
        """Answers are a few bytes each: the window is given back when half of it is used up."""
        self._unreported += size
        if self._unreported > _OUR_WINDOW:
            raise ProtocolViolation(FLOW_CONTROL_ERROR, "more than the window")
        if self._unreported < _OUR_WINDOW // 2:
            return
        credit, self._unreported = self._unreported, 0
        self._write(window_frame(0, credit))
        if stream_id in self._streams:
            self._write(window_frame(stream_id, credit))

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._check_begun(stream_id)
        if flags & END_HEADERS:
            self._take_block(stream_id, flags, header_fragment(flags, stream_id, payload))
        else:
            self._blocks.begin(flags, stream_id, payload)

    def _take_block(self, stream_id: int, flags: int, block: bytes) -> None:
        headers, fault = self._blocks.decode(block)
        stream = self._streams.get(stream_id)
        if stream is None:
            self._spend()
            return
        if fault:
            raise ProtocolViolation(PROTOCOL_ERROR, fault, stream_id)
        stream.headers.update(headers)
        if flags & END_STREAM:
            self._end(stream)
        else:
            self._spend()

    def _take_window(self, stream_id: int, payload: bytes) -> None:
        credit = credit_of(stream_id, payload)
        if stream_id == 0:
            self._window = widened(self._window, credit, 0)
            self._pump_all()
            return
        self._check_begun(stream_id)
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.window = widened(stream.window, credit, stream_id)
            self._pump(stream)

    def _take_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in settings_of(payload):
            if name == INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window = widened(stream.window, value - self._stream_window, 0)
                self._stream_window = value
            elif name == MAX_FRAME:
                self._max_frame = value
            elif name == MAX_STREAMS:
                self._max_streams = value
        self._write(frame(SETTINGS, ACK, 0, b""))
        if not self.ready.done():
            self.ready.set_result(None)
        self._stream_ended()
        self._pump_all()

    def _take_reset(self, stream_id: int, code: int) -> None:
        self._check_begun(stream_id)
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            kind = NotTaken if code == REFUSED_STREAM else ConnectionLost
            _fail(stream, f"stream reset by the backend (code {code})", kind)
            self._stream_ended()

    def _take_goaway(self, last_id: int) -> None:
        self.retire()
        for stream in [stream for number, stream in self._streams.items() if number > last_id]:
            del self._streams[stream.id]
            _fail(stream, "the backend is going away", NotTaken)
        self._stream_ended()

    # Ends -------------------------------------------------------------------------------------------------------------

    def _end(self, stream: Stream) -> None:
        self._waste = 0
        if stream.pending is not None:
            # The backend has made up its mind before it has heard everything: it needs no more.
            self._abort(stream)
        else:
            self._streams.pop(stream.id, None)
            self._stream_ended()
        if not stream.answered.done():
            stream.answered.set_result(None)

    def _stream_ended(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)
        if not self._open and not self._streams and self._transport is not None:
            self._flush()
            self._transport.close()

    def retire(self) -> None:
        """Send no new requests; those under way go on."""
        if self._open:
            self._open = False
            self._on_closed(self)

    def _fail(self, why: str) -> None:
        self.retire()
        self._reader.stopped = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionLost(why))
            # Whoever waits for it sees the error; when nobody does any more, nobody is left to be told.
            self.ready.exception()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            _fail(stream, why)
        self._stream_ended()


def _fail(stream: Stream, why: str, kind: type[ConnectionLost] = ConnectionLost) -> None:
    if not stream.answered.done():
        stream.answered.set_exception(kind(why))
