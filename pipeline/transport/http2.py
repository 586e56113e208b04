"""One HTTP/2 connection of a client (RFC 9113): requests of known size out, small answers in.

grpcio costs 130 microseconds a call and compresses on the event loop, with zlib's level 6 only; gRPC needs so little of
HTTP/2 that the frames are written here. Header compression is used without its dynamic table, so that the header blocks
of a backend, which are always the same, are decoded once.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from typing import Final, cast

from hpack import Decoder, HPACKError

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Types, flags, settings and error codes: RFC 9113, sections 6, 6.5.2 and 7.
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _MAX_STREAMS, _INITIAL_WINDOW, _MAX_FRAME = 1, 2, 3, 4, 5
_CANCEL: Final = 8
_DEFAULT_WINDOW: Final = 65_535
_LARGEST_FRAME: Final = 16_384
_OUR_WINDOW: Final = 1 << 20
_LARGEST_ANSWER: Final = 4 << 20
_LARGEST_BLOCK: Final = 1 << 16
_MAX_CACHED_BLOCKS: Final = 64
# Below this, one copy is cheaper than many buffers.
_COPY_BELOW_BYTES: Final = 16_384
_MAX_STREAM_ID: Final = (1 << 31) - 1

Headers = dict[str, str]


class ConnectionLost(Exception):  # noqa: N818 - an event, in a word
    """The connection or the stream ended before the answer was whole; the request may be sent again."""


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
        self._buffer = bytearray()
        self._decoder = Decoder(max_header_list_size=_LARGEST_BLOCK)
        self._decoded: dict[bytes, list[tuple[str, str]]] = {}
        self._block: tuple[int, bytearray, int] | None = None
        self._streams: dict[int, Stream] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._next_id = 1
        self._window = _DEFAULT_WINDOW
        self._stream_window = _DEFAULT_WINDOW
        self._max_frame = _LARGEST_FRAME
        self._max_streams = _MAX_STREAM_ID
        self._unreported = 0
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
        if self._next_id > _MAX_STREAM_ID:
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
        self._write(_frame(_PING, 0, 0, bytes(8)))

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
            self._write(_frame_head(size, _DATA, _END_STREAM, stream.id), prefix, body)
            return
        if prefix and len(prefix) <= room:
            stream.window -= len(prefix)
            self._window -= len(prefix)
            self._write(_frame(_DATA, 0, stream.id, prefix))
        else:
            body = prefix + body
        stream.pending = memoryview(body)
        self._pump(stream)

    def _header_frames(self, stream_id: int, block: bytes) -> Iterable[bytes]:
        kind, limit = _HEADERS, self._max_frame
        while len(block) > limit:
            yield _frame(kind, 0, stream_id, block[:limit])
            kind, block = _CONTINUATION, block[limit:]
        yield _frame(kind, _END_HEADERS, stream_id, block)

    def _pump(self, stream: Stream) -> None:
        """Send as much of a body as both windows and the socket allow."""
        parts: list[bytes | memoryview] = []
        while stream.pending is not None and not self._paused:
            size = min(len(stream.pending), stream.window, self._window, self._max_frame)
            if size <= 0:
                break
            last = size == len(stream.pending)
            parts += (_frame_head(size, _DATA, _END_STREAM if last else 0, stream.id), stream.pending[:size])
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
            self._write(_frame(_RST_STREAM, 0, stream.id, struct.pack(">I", _CANCEL)))
        self._stream_ended()

    # The transport's calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello: preface, settings, and a larger window for answers."""
        self._transport = cast(asyncio.Transport, transport)
        if self._write_buffer_bytes:
            self._transport.set_write_buffer_limits(self._write_buffer_bytes)
        settings = struct.pack(">HIHIHI", _HEADER_TABLE_SIZE, 0, _ENABLE_PUSH, 0, _INITIAL_WINDOW, _OUR_WINDOW)
        window = struct.pack(">I", _OUR_WINDOW - _DEFAULT_WINDOW)
        hello = (_PREFACE, _frame(_SETTINGS, 0, 0, settings), _frame(_WINDOW_UPDATE, 0, 0, window))
        self._transport.write(b"".join(hello))

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever is under way has failed."""
        self._fail("connection closed by the backend" if exc is None else f"connection lost: {type(exc).__name__}")

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
        self._buffer += data
        try:
            used = self._take_frames(self._buffer)
        except (_ProtocolError, HPACKError, struct.error, IndexError, UnicodeDecodeError):
            self.close("the backend's answer is no HTTP/2")
            return
        del self._buffer[:used]

    def _take_frames(self, buffer: bytearray) -> int:
        """Take the whole frames in a buffer; returns how many bytes they have."""
        start = 0
        while len(buffer) - start >= 9:
            length = int.from_bytes(buffer[start : start + 3])
            if length > _LARGEST_FRAME:
                raise _ProtocolError("frame too large")
            end = start + 9 + length
            if len(buffer) < end:
                break
            stream_id = int.from_bytes(buffer[start + 5 : start + 9]) & _MAX_STREAM_ID
            self._take(buffer[start + 3], buffer[start + 4], stream_id, bytes(buffer[start + 9 : end]))
            start = end
        return start

    # Receiving --------------------------------------------------------------------------------------------------------

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if not self.ready.done() and kind != _SETTINGS:
            raise _ProtocolError("no settings")
        if self._block is not None and kind != _CONTINUATION:
            raise _ProtocolError("headers interrupted")
        if kind == _DATA:
            self._take_data(flags, stream_id, payload)
        elif kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, stream_id, payload)
        elif kind == _WINDOW_UPDATE:
            self._take_window(stream_id, payload)
        elif kind == _SETTINGS:
            self._take_settings(flags, payload)
        elif kind == _PING and not flags & _ACK:
            self._write(_frame(_PING, _ACK, 0, payload))
        elif kind == _RST_STREAM:
            self._take_reset(stream_id, payload)
        elif kind == _GOAWAY:
            self._take_goaway(payload)

    def _take_data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._give_window_back(stream_id, len(payload))
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.body += _without_padding(flags, payload)
        if len(stream.body) > _LARGEST_ANSWER:
            self._abort(stream)
            _fail(stream, "the backend's answer is too large")
        elif flags & _END_STREAM:
            self._end(stream)

    def _give_window_back(self, stream_id: int, size: int) -> None:
        """Answers are a few bytes each: the window is given back when half of it is used up."""
        self._unreported += size
        if self._unreported < _OUR_WINDOW // 2:
            return
        credit = struct.pack(">I", self._unreported)
        self._unreported = 0
        self._write(_frame(_WINDOW_UPDATE, 0, 0, credit))
        if stream_id in self._streams:
            self._write(_frame(_WINDOW_UPDATE, 0, stream_id, credit))

    def _take_headers(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == _HEADERS:
            payload = _without_padding(flags, payload)
            self._block = (stream_id, bytearray(payload[5:] if flags & _PRIORITY else payload), flags)
        elif self._block is None or self._block[0] != stream_id:
            raise _ProtocolError("continuation of nothing")
        else:
            self._block[1].extend(payload)
        if len(self._block[1]) > _LARGEST_BLOCK:
            raise _ProtocolError("headers too large")
        if not flags & _END_HEADERS:
            return
        (_, block, first_flags), self._block = self._block, None
        headers = self._decode(bytes(block))
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.headers.update(headers)
            if first_flags & _END_STREAM:
                self._end(stream)

    def _decode(self, block: bytes) -> list[tuple[str, str]]:
        table = self._decoder.header_table
        is_stateless = not table.dynamic_entries
        if is_stateless and block in self._decoded:
            return self._decoded[block]
        headers = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
        if is_stateless and not table.dynamic_entries and len(self._decoded) < _MAX_CACHED_BLOCKS:
            self._decoded[block] = headers
        return headers

    def _take_window(self, stream_id: int, payload: bytes) -> None:
        credit = struct.unpack(">I", payload)[0] & _MAX_STREAM_ID
        if stream_id == 0:
            self._window += credit
            self._pump_all()
        elif (stream := self._streams.get(stream_id)) is not None:
            stream.window += credit
            self._pump(stream)

    def _take_settings(self, flags: int, payload: bytes) -> None:
        if flags & _ACK:
            return
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _INITIAL_WINDOW:
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
            elif name == _MAX_FRAME:
                self._max_frame = value
            elif name == _MAX_STREAMS:
                self._max_streams = value
        self._write(_frame(_SETTINGS, _ACK, 0, b""))
        if not self.ready.done():
            self.ready.set_result(None)
        self._stream_ended()
        self._pump_all()

    def _take_reset(self, stream_id: int, payload: bytes) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            _fail(stream, f"stream reset by the backend (code {int.from_bytes(payload)})")
            self._stream_ended()

    def _take_goaway(self, payload: bytes) -> None:
        last_id = struct.unpack_from(">I", payload)[0] & _MAX_STREAM_ID
        self.retire()
        for stream in [stream for number, stream in self._streams.items() if number > last_id]:
            del self._streams[stream.id]
            _fail(stream, "the backend is going away")
        self._stream_ended()

    # Ends -------------------------------------------------------------------------------------------------------------

    def _end(self, stream: Stream) -> None:
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
        if not self.ready.done():
            self.ready.set_exception(ConnectionLost(why))
            # Whoever waits for it sees the error; when nobody does any more, nobody is left to be told.
            self.ready.exception()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            _fail(stream, why)
        self._stream_ended()


class _ProtocolError(Exception):
    """What the peer sends is not HTTP/2."""


def _fail(stream: Stream, why: str) -> None:
    if not stream.answered.done():
        stream.answered.set_exception(ConnectionLost(why))


def _frame_head(size: int, kind: int, flags: int, stream_id: int) -> bytes:
    return struct.pack(">HBBBI", size >> 8, size & 0xFF, kind, flags, stream_id)


def _frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    return _frame_head(len(payload), kind, flags, stream_id) + payload


def _without_padding(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload


def encode_headers(headers: Iterable[tuple[str, str]]) -> bytes:
    """A header block of literals that are never indexed (RFC 7541, section 6.2.3)."""
    out = bytearray()
    for name, value in headers:
        out += b"\x10"
        for text in (name.encode("ascii"), value.encode("utf-8")):
            out += _length(len(text)) + text
    return bytes(out)


def _length(size: int) -> bytes:
    """An integer with a prefix of 7 bits (RFC 7541, section 5.1)."""
    if size < 0x7F:
        return bytes((size,))
    out = bytearray((0x7F,))
    size -= 0x7F
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)
