"""One HTTP/2 connection of a server (RFC 9113): requests of limited size in, small answers out.

Frames are taken apart here because gRPC's core costs four times as much CPU per request. Header compression is offered
without its dynamic table, so that the header blocks of a client, which hardly change, are decoded once.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

from hpack import Decoder, HPACKError

from pipeline.transport.http2_keepalive import Keepalive, KeepaliveSettings

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Types, flags, settings and error codes: RFC 9113, sections 6, 6.5.2 and 7.
_DATA, _HEADERS, _PRIORITY, _RST, _SETTINGS, _PUSH, _PING, _GOAWAY, _WINDOW, _CONTINUATION = range(10)
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_TABLE_SIZE, _MAX_STREAMS, _INITIAL_WINDOW, _MAX_FRAME, _MAX_HEADERS = 1, 3, 4, 5, 6
NO_ERROR, _PROTOCOL_ERROR, _FLOW_CONTROL_ERROR, _FRAME_SIZE_ERROR, _REFUSED_STREAM = 0, 1, 3, 6, 7
_COMPRESSION_ERROR, _ENHANCE_YOUR_CALM = 9, 11
_DEFAULT_WINDOW: Final = 65_535
_LARGEST_WINDOW: Final = (1 << 31) - 1
_CONNECTION_WINDOW: Final = 16 << 20
_LARGEST_FRAME: Final = 1 << 20
_LARGEST_BLOCK: Final = 1 << 16
_MAX_CACHED_BLOCKS: Final = 64
_MAX_RUNNING: Final = 10_000
"""Requests at work for one connection, those included whose streams the client has reset."""
_MAX_IDLE_FRAMES: Final = 20_000
"""Frames in a row that carry nothing; a client that sends more is not one."""
_MAX_PIECES: Final = 256

Headers = list[tuple[str, str]]


@dataclass(slots=True, eq=False)
class Stream:
    """One request and, once sent, its answer."""

    id: int
    window: int
    headers: Headers
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes of the body so far."""
    ended: bool = False
    """The client has sent all it will send."""
    held: tuple[bytes, int, bytes] | None = None
    """An answer that waits for the client's window: frames before, size of the data, frames from the data on."""

    def add(self, piece: bytes) -> None:
        """Take a piece of the body; many small ones are put together, since each has a cost of its own."""
        self.pieces.append(piece)
        self.size += len(piece)
        if len(self.pieces) > _MAX_PIECES and self.size < 2048 * len(self.pieces):
            self.pieces = [b"".join(self.pieces)]

    def body(self) -> bytes:
        """The whole body so far."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class Handler(Protocol):
    """What a server does with requests. Each method may answer, now or later, with `connection.answer`."""

    def begin(self, connection: ServerConnection, stream: Stream) -> bool:
        """The headers have come; False when they were answered and no body is wanted."""

    def grows(self, connection: ServerConnection, stream: Stream) -> bool:
        """A piece of the body has come; False when the request was answered and no more is wanted."""

    def complete(self, connection: ServerConnection, stream: Stream) -> None:
        """The whole request has come."""


@dataclass(frozen=True, slots=True)
class Http2Settings:
    """Limits of a connection."""

    max_streams: int
    """Requests at a time; 0: no limit of ours."""
    max_body_bytes: int
    """Window of a stream: bytes a client may send before it hears from us."""
    write_buffer_bytes: int
    keepalive: KeepaliveSettings


class ServerConnection(asyncio.BufferedProtocol):
    """The server's side of one connection.

    Args:
        handler: answers requests.
        settings: limits.
        buffer: where the socket is read into; connections of one event loop share it.
        on_open: called with the connection when it begins.
        on_closed: called with it when it has ended.

    Attributes:
        peer: IP address of the client; empty on a unix socket.
    """

    def __init__(
        self,
        handler: Handler,
        settings: Http2Settings,
        buffer: memoryview,
        on_open: Callable[[ServerConnection], None],
        on_closed: Callable[[ServerConnection], None],
    ) -> None:
        """Wait for the transport."""
        self.peer = ""
        self._handler = handler
        self._settings = settings
        self._buffer = buffer
        self._on_open = on_open
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._preface_left = len(_PREFACE)
        self._decoder = Decoder(max_header_list_size=_LARGEST_BLOCK)
        self._decoded: dict[bytes, Headers] = {}
        self._block: tuple[int, bytearray, int] | None = None
        self._data: tuple[Stream | None, int] | None = None
        self._data_left = 0
        self._streams: dict[int, Stream] = {}
        self._running = 0
        self._last_id = 0
        self._window = _DEFAULT_WINDOW
        self._stream_window = _DEFAULT_WINDOW
        self._unreported = 0
        self._idle_frames = 0
        self._leaving = False
        self._keepalive = Keepalive(settings.keepalive, self)

    # What handlers and servers use ----------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return not self._streams and not self._running

    def answer(self, stream: Stream, before: bytes, data_size: int, rest: bytes) -> None:
        """Answer a request, if its client still waits.

        Args:
            stream: the request.
            before: frames that need no window.
            data_size: bytes of body in `rest`, which count against the client's windows.
            rest: the frames that end the stream.
        """
        transport = self._transport
        if transport is None or self._streams.get(stream.id) is not stream:
            return
        if data_size > min(stream.window, self._window):
            stream.held = (before, data_size, rest)
            return
        self._window -= data_size
        if not stream.ended:
            # The client is told to send no more (RFC 9113, section 8.1).
            rest += frame(_RST, 0, stream.id, struct.pack(">I", NO_ERROR))
        transport.write(before + rest)
        self._keepalive.wrote()
        self._forget(stream)

    def began(self) -> None:
        """Work on a request has begun."""
        self._running += 1

    def done(self) -> None:
        """Work on a request has ended."""
        self._running -= 1
        self._rest_if_idle()

    def leave(self) -> None:
        """Take no new requests; close when those under way are answered."""
        if not self._leaving and self._transport is not None:
            self._leaving = True
            self._transport.write(frame(_GOAWAY, 0, 0, struct.pack(">II", self._last_id, NO_ERROR)))
        self._rest_if_idle()

    def close(self, code: int = NO_ERROR, why: bytes = b"") -> None:
        """Say why and close at once."""
        if self._transport is not None:
            if code != NO_ERROR:
                self._transport.write(frame(_GOAWAY, 0, 0, struct.pack(">II", self._last_id, code) + why))
            self._transport.close()

    def abort(self) -> None:
        """Close without a word."""
        if self._transport is not None:
            self._transport.abort()

    def ping(self) -> None:
        """Ask for a sign of life."""
        if self._transport is not None:
            self._transport.write(frame(_PING, 0, 0, bytes(8)))

    # The transport's calls --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello: settings, and a larger window for requests."""
        self._transport = cast(asyncio.Transport, transport)
        settings = self._settings
        if settings.write_buffer_bytes:
            self._transport.set_write_buffer_limits(settings.write_buffer_bytes)
        name = transport.get_extra_info("peername")
        # An IPv4 client of a socket for both families has its address mapped (RFC 4291, section 2.5.5.2).
        self.peer = str(name[0]).removeprefix("::ffff:") if isinstance(name, tuple) else ""
        pairs = [(_TABLE_SIZE, 0), (_INITIAL_WINDOW, min(settings.max_body_bytes + _DEFAULT_WINDOW, _LARGEST_WINDOW))]
        pairs += [(_MAX_FRAME, _LARGEST_FRAME), (_MAX_HEADERS, _LARGEST_BLOCK)]
        if settings.max_streams:
            pairs.append((_MAX_STREAMS, settings.max_streams))
        hello = b"".join(struct.pack(">HI", *pair) for pair in pairs)
        window = struct.pack(">I", _CONNECTION_WINDOW - _DEFAULT_WINDOW)
        self._transport.write(frame(_SETTINGS, 0, 0, hello) + frame(_WINDOW, 0, 0, window))
        self._on_open(self)
        self._keepalive.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; work that has begun goes on."""
        self._transport = None
        self._streams.clear()
        self._keepalive.stop()
        self._on_closed(self)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read into: what was read is taken out before any other connection reads."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take frames apart."""
        self._keepalive.read()
        data = self._buffer[:nbytes]
        if self._rest:
            data = memoryview(self._rest + data)
        try:
            self._rest = bytes(data[self._take_all(data) :])
        except ProtocolViolation as violation:
            self.close(violation.code, str(violation).encode())
        except (struct.error, IndexError, UnicodeDecodeError):
            self.close(_PROTOCOL_ERROR, b"malformed frame")

    # Receiving --------------------------------------------------------------------------------------------------------

    def _take_all(self, data: memoryview) -> int:
        """Take what is there; returns how much of it was used."""
        position, size = 0, len(data)
        if self._preface_left:
            position = self._take_preface(data)
            if self._preface_left:
                return position
        while position < size and self._transport is not None:
            if self._data_left:
                used = min(self._data_left, size - position)
                self._take_data(bytes(data[position : position + used]))
                position += used
                continue
            if size - position < 9:
                break
            high, low, kind, flags, stream_id = struct.unpack_from(">HBBBI", data, position)
            length = high << 8 | low
            if kind == _DATA and not flags & _PADDED:
                self._begin_data(length, flags, stream_id & _LARGEST_WINDOW)
                position += 9
                continue
            if length > _LARGEST_FRAME:
                raise ProtocolViolation(_FRAME_SIZE_ERROR, "frame too large")
            if size - position < 9 + length:
                break
            self._take(kind, flags, stream_id & _LARGEST_WINDOW, bytes(data[position + 9 : position + 9 + length]))
            position += 9 + length
        return position

    def _take_preface(self, data: memoryview) -> int:
        start = len(_PREFACE) - self._preface_left
        used = min(self._preface_left, len(data))
        if data[:used] != _PREFACE[start : start + used]:
            self._preface_left = 0
            raise ProtocolViolation(_PROTOCOL_ERROR, "not HTTP/2")
        self._preface_left -= used
        return used

    def _begin_data(self, length: int, flags: int, stream_id: int) -> None:
        if self._block is not None or not 0 < stream_id <= self._last_id:
            raise ProtocolViolation(_PROTOCOL_ERROR, "data of no stream")
        if length > _LARGEST_FRAME:
            raise ProtocolViolation(_FRAME_SIZE_ERROR, "frame too large")
        self._give_window_back(length)
        stream = self._streams.get(stream_id)
        if stream is not None and stream.ended:
            raise ProtocolViolation(_PROTOCOL_ERROR, "data behind the end of a stream")
        self._data, self._data_left = (stream, flags), length
        if not length:
            self._idle(1)
            self._end_data()

    def _take_data(self, piece: bytes) -> None:
        assert self._data is not None, "inside a frame"  # noqa: S101 - for the type checker
        stream = self._data[0]
        self._data_left -= len(piece)
        # Once answered, the rest is read and thrown away.
        if stream is not None and self._streams.get(stream.id) is stream:
            stream.add(piece)
            if not self._handler.grows(self, stream):
                self._data = (None, 0)
        if not self._data_left:
            self._end_data()

    def _end_data(self) -> None:
        assert self._data is not None, "inside a frame"  # noqa: S101 - for the type checker
        (stream, flags), self._data = self._data, None
        if stream is not None and flags & _END_STREAM and self._streams.get(stream.id) is stream:
            self._complete(stream)

    def _give_window_back(self, size: int) -> None:
        """The window of the connection never closes: what a stream may hold is limited by its own."""
        self._unreported += size
        if self._unreported > _CONNECTION_WINDOW:
            raise ProtocolViolation(_FLOW_CONTROL_ERROR, "more than the window")
        if self._unreported > _CONNECTION_WINDOW // 4 and self._transport is not None:
            self._transport.write(frame(_WINDOW, 0, 0, struct.pack(">I", self._unreported)))
            self._unreported = 0

    def _complete(self, stream: Stream) -> None:
        stream.ended = True
        self._idle_frames = 0
        if self._running >= _MAX_RUNNING:
            raise ProtocolViolation(_ENHANCE_YOUR_CALM, "too many requests")
        self._handler.complete(self, stream)

    def _take(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != _CONTINUATION:
            raise ProtocolViolation(_PROTOCOL_ERROR, "headers interrupted")
        if kind in (_HEADERS, _CONTINUATION):
            self._take_headers(kind, flags, stream_id, payload)
            return
        self._idle(1)
        if kind == _DATA:
            self._begin_data(len(payload), flags, stream_id)
            piece = without_padding(flags, payload)
            self._data_left = len(piece)
            self._take_data(piece)
        elif kind == _WINDOW:
            self._take_window(stream_id, payload)
        elif kind == _SETTINGS and not flags & _ACK:
            self._take_settings(payload)
        elif kind == _PING and not flags & _ACK:
            self._take_ping(payload)
        elif kind == _RST:
            stream = self._streams.get(stream_id)
            if stream is not None:
                self._forget(stream)
        elif kind == _GOAWAY:
            self.leave()
        elif kind == _PUSH:
            raise ProtocolViolation(_PROTOCOL_ERROR, "push by a client")

    def _take_headers(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == _HEADERS:
            payload = without_padding(flags, payload)
            self._block = (stream_id, bytearray(payload[5:] if flags & _HAS_PRIORITY else payload), flags)
        elif self._block is None or self._block[0] != stream_id:
            raise ProtocolViolation(_PROTOCOL_ERROR, "continuation of nothing")
        else:
            self._idle(1)
            self._block[1].extend(payload)
        if len(self._block[1]) > _LARGEST_BLOCK:
            raise ProtocolViolation(_ENHANCE_YOUR_CALM, "headers too large")
        if flags & _END_HEADERS:
            (_, block, first_flags), self._block = self._block, None
            self._begin_stream(stream_id, self._decode(bytes(block)), first_flags)

    def _decode(self, block: bytes) -> Headers:
        table = self._decoder.header_table
        is_stateless = not table.dynamic_entries
        if is_stateless and block in self._decoded:
            return self._decoded[block]
        try:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
        except HPACKError:
            raise ProtocolViolation(_COMPRESSION_ERROR, "headers cannot be decoded") from None
        if is_stateless and not table.dynamic_entries and len(self._decoded) < _MAX_CACHED_BLOCKS:
            self._decoded[block] = headers
        return headers

    def _begin_stream(self, stream_id: int, headers: Headers, flags: int) -> None:
        running = self._streams.get(stream_id)
        if running is not None and flags & _END_STREAM and not running.ended:
            self._complete(running)  # trailers
            return
        if stream_id <= self._last_id or not stream_id & 1:
            raise ProtocolViolation(_PROTOCOL_ERROR, "stream out of order")
        self._last_id = stream_id
        limit = self._settings.max_streams
        if self._leaving or (limit and len(self._streams) >= limit):
            self._reset(stream_id, _REFUSED_STREAM)
            return
        stream = self._streams[stream_id] = Stream(stream_id, self._stream_window, headers)
        stream.ended = bool(flags & _END_STREAM)
        if self._handler.begin(self, stream) and stream.ended:
            self._complete(stream)

    def _reset(self, stream_id: int, code: int) -> None:
        self._idle(1)
        if self._transport is not None:
            self._transport.write(frame(_RST, 0, stream_id, struct.pack(">I", code)))

    def _take_window(self, stream_id: int, payload: bytes) -> None:
        credit = struct.unpack(">I", payload)[0] & _LARGEST_WINDOW
        if stream_id == 0:
            self._window += credit
            if self._window > _LARGEST_WINDOW:
                raise ProtocolViolation(_FLOW_CONTROL_ERROR, "window too large")
            self._send_held()
        elif (stream := self._streams.get(stream_id)) is not None:
            stream.window += credit
            self._send_held()

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _INITIAL_WINDOW:
                if value > _LARGEST_WINDOW:
                    raise ProtocolViolation(_FLOW_CONTROL_ERROR, "window too large")
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
        if self._transport is not None:
            self._transport.write(frame(_SETTINGS, _ACK, 0, b""))
        self._send_held()

    def _take_ping(self, payload: bytes) -> None:
        if self._transport is None or len(payload) != 8:
            raise ProtocolViolation(_FRAME_SIZE_ERROR, "ping of a wrong size")
        self._transport.write(frame(_PING, _ACK, 0, payload))
        if not self._keepalive.may_ping():
            raise ProtocolViolation(_ENHANCE_YOUR_CALM, "too_many_pings")

    def _send_held(self) -> None:
        for stream in list(self._streams.values()):
            if stream.held is not None:
                held, stream.held = stream.held, None
                self.answer(stream, *held)

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._rest_if_idle()

    def _rest_if_idle(self) -> None:
        if self.is_idle:
            self._keepalive.idle()
            if self._leaving and self._transport is not None:
                self._transport.close()

    def _idle(self, frames: int) -> None:
        self._idle_frames += frames
        if self._idle_frames > _MAX_IDLE_FRAMES:
            raise ProtocolViolation(_ENHANCE_YOUR_CALM, "too many frames that carry nothing")


class ProtocolViolation(Exception):  # noqa: N818 - what the peer did
    """What the peer sends is not HTTP/2, or too much of it; `code` is the error code it is told."""

    def __init__(self, code: int, why: str) -> None:
        """Keep the code."""
        super().__init__(why)
        self.code = code


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A frame."""
    size = len(payload)
    return struct.pack(">HBBBI", size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def headers_frame(stream_id: int, block: bytes, *, ends: bool) -> bytes:
    """A frame with a whole header block; `ends`: nothing follows on the stream."""
    return frame(_HEADERS, _END_HEADERS | (_END_STREAM if ends else 0), stream_id, block)


def data_frame(stream_id: int, payload: bytes) -> bytes:
    """A frame with body, after which headers follow."""
    return frame(_DATA, 0, stream_id, payload)


def without_padding(flags: int, payload: bytes) -> bytes:
    """The content of a frame that may be padded."""
    if not flags & _PADDED:
        return payload
    if payload[0] >= len(payload):
        raise ProtocolViolation(_PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]
