"""One HTTP/2 connection of a server (RFC 9113): requests of limited size in, small answers out.

Frames are taken apart here because gRPC's core costs four times as much CPU per request. Clients are asked to do
without the dynamic table of header compression, so that their header blocks, which hardly change, are decoded once; one
that uses the table of 4 KiB all the same is understood.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

from pipeline.transport.http2_frames import (
    ACK,
    CONTINUATION,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEAD_BYTES,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW,
    LARGEST_WINDOW,
    MAX_FRAME,
    MAX_HEADER_LIST,
    MAX_STREAMS,
    NO_ERROR,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    ProtocolViolation,
    check_priority,
    credit_of,
    data_frame,
    frame,
    goaway_frame,
    header_fragment,
    reset_frame,
    settings_frame,
    settings_of,
    widened,
    window_frame,
)
from pipeline.transport.http2_guard import Guard, Inflow
from pipeline.transport.http2_headers import MAX_HEADER_LIST_BYTES, BlockReader, Headers, trailers_fault
from pipeline.transport.http2_keepalive import Keepalive
from pipeline.transport.http2_reader import FrameReader
from pipeline.transport.http2_stream import Handler, Http2Settings, Stream, judge_request

_CONNECTION_WINDOW: Final = 16 << 20
_LARGEST_FRAME: Final = 1 << 20
_MAX_OPEN: Final = 10_000
"""Streams at a time where the configuration has no limit, and requests at work whose streams are gone included."""
_LAST_POSSIBLE_ID: Final = 2**31 - 1
_FAREWELL: Final = b"penstock"
"""Content of the ping whose answer says that a client has heard of our leaving."""
_FAREWELL_S: Final = 1.0
"""How long that answer is waited for."""
_MAX_CUT: Final = 1000
"""How many streams are remembered that ended before their clients had said all."""


class ServerConnection(asyncio.BufferedProtocol):
    """The server's side of one connection.

    Args:
        handler: answers requests.
        settings: limits.
        buffer: where the socket is read into; connections of one event loop share it.
        inflow: what unfinished requests hold; connections of one server share it.
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
        inflow: Inflow,
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
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = FrameReader(self, max_frame=_LARGEST_FRAME, preface=PREFACE)
        self._blocks = BlockReader(judge_request)
        self._data: Stream | None = None
        self._data_flags = 0
        self._streams: dict[int, Stream] = {}
        self._cut: dict[int, None] = {}
        self._running = 0
        self._last_id = 0
        self._window = DEFAULT_WINDOW
        self._stream_window = DEFAULT_WINDOW
        self._unreported = 0
        self._greeted = False
        self._leaving = False
        self._farewell: asyncio.TimerHandle | None = None
        self._writing_paused = False
        self._keepalive = Keepalive(settings.keepalive, self)
        self._guard = Guard(self, inflow)

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
            rest: the frames that end the stream; with a body, its DATA frame is the first.
        """
        transport = self._transport
        if transport is None or self._streams.get(stream.id) is not stream or stream.held is not None:
            return
        if data_size > min(stream.window, self._window):
            transport.write(before)
            end = HEAD_BYTES + data_size
            stream.held = (rest[HEAD_BYTES:end], bool(rest[4] & END_STREAM), rest[end:])
            self._send_held(stream)
            return
        self._window -= data_size
        self._finish(stream, before + rest)

    def _finish(self, stream: Stream, last: bytes) -> None:
        assert self._transport is not None, "answered on a connection"  # noqa: S101 - for the type checker
        if not stream.ended:
            # The client is told to send no more (RFC 9113, section 8.1).
            last += reset_frame(stream.id, NO_ERROR)
            self._remember_cut(stream.id)
        self._transport.write(last)
        self._keepalive.wrote()
        self._guard.answered()
        self._forget(stream)

    def _send_held(self, stream: Stream) -> None:
        """Send as much of an answer as the client's windows allow (RFC 9113, section 6.9)."""
        assert stream.held is not None, "held back"  # noqa: S101 - for the type checker
        payload, ends, tail = stream.held
        size = min(len(payload), stream.window, self._window)
        if size == len(payload):
            self._window -= size
            self._finish(stream, data_frame(stream.id, payload, ends=ends) + tail)
        elif size > 0:
            stream.window -= size
            self._window -= size
            self._write(data_frame(stream.id, payload[:size]))
            stream.held = (payload[size:], ends, tail)

    def _send_all_held(self) -> None:
        for stream in [stream for stream in self._streams.values() if stream.held is not None]:
            self._send_held(stream)

    def began(self) -> None:
        """Work on a request has begun."""
        self._running += 1

    def taken(self, stream: Stream) -> None:
        """The body of a request has been taken over by whoever works on it."""
        self._guard.release(stream)

    def done(self) -> None:
        """Work on a request has ended."""
        self._running -= 1
        self._rest_if_idle()

    def leave(self) -> None:
        """Take no new requests; close when those under way are answered."""
        if self._farewell is None and self._transport is not None:
            # Requests that are on their way are taken until the client has heard of it (RFC 9113, section 6.8).
            self._write(goaway_frame(_LAST_POSSIBLE_ID, NO_ERROR) + frame(PING, 0, 0, _FAREWELL))
            self._farewell = self._loop.call_later(_FAREWELL_S, self._turn_away)

    def _turn_away(self) -> None:
        """From here on new requests are refused."""
        if not self._leaving:
            self._leaving = True
            self._write(goaway_frame(self._last_id, NO_ERROR))
            self._rest_if_idle()

    def close(self, code: int = NO_ERROR, why: bytes = b"") -> None:
        """Say why and close at once."""
        self._reader.stopped = True
        if self._transport is not None:
            if code != NO_ERROR:
                self._write(goaway_frame(self._last_id, code, why))
            self._transport.close()

    def abort(self) -> None:
        """Close without a word."""
        self._reader.stopped = True
        if self._transport is not None:
            self._transport.abort()

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._write(frame(PING, 0, 0, bytes(8)))

    def _write(self, raw: bytes) -> None:
        if self._transport is not None:
            self._transport.write(raw)

    # What the guard uses --------------------------------------------------------------------------------------------

    @property
    def frames(self) -> int:
        """How many frames have begun."""
        return self._reader.frames

    def is_stuck(self) -> bool:
        """Whether the client leaves something unfinished: a frame, a header block, the reading of our answers."""
        return self._reader.is_midway or bool(self._blocks.stream_id) or self._writing_paused or self._reader.stopped

    def unfinished(self) -> list[Stream]:
        """The requests that have not come whole."""
        return [stream for stream in self._streams.values() if not stream.ended]

    def give_up(self, stream: Stream, code: int) -> None:
        """End a stream without an answer."""
        self._reset(stream.id, code)
        self._forget(stream)

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
        window = min(settings.max_body_bytes + DEFAULT_WINDOW, LARGEST_WINDOW)
        pairs = [(HEADER_TABLE_SIZE, 0), (INITIAL_WINDOW, window), (MAX_FRAME, _LARGEST_FRAME)]
        pairs.append((MAX_HEADER_LIST, MAX_HEADER_LIST_BYTES))
        if settings.max_streams:
            pairs.append((MAX_STREAMS, settings.max_streams))
        self._transport.write(settings_frame(pairs) + window_frame(0, _CONNECTION_WINDOW - DEFAULT_WINDOW))
        self._on_open(self)
        self._keepalive.start()
        self._guard.start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything; work that has begun goes on."""
        self._transport = None
        self._reader.stopped = True
        for stream in self._streams.values():
            self._guard.release(stream)
        self._streams.clear()
        if self._farewell is not None:
            self._farewell.cancel()
        self._keepalive.stop()
        self._guard.stop()
        self._on_closed(self)

    def pause_writing(self) -> None:
        """A client that does not read its answers is not read either."""
        self._writing_paused = True
        self._read_or_wait()

    def resume_writing(self) -> None:
        """It reads again."""
        self._writing_paused = False
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        if self._transport is None:
            return
        if self._writing_paused or self._reader.behind:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read into: what was read is taken out before any other connection reads."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take frames apart."""
        self._keepalive.read()
        try:
            self._reader.feed(self._buffer[:nbytes])
        except ProtocolViolation as violation:
            self.close(violation.code, str(violation).encode())
        self._catch_up_later()

    def _catch_up_later(self) -> None:
        """Others have their turn before the rest of what one read has brought."""
        if self._reader.behind:
            self._read_or_wait()
            self._loop.call_soon(self._catch_up)

    def _catch_up(self) -> None:
        try:
            self._reader.go_on()
        except ProtocolViolation as violation:
            self.close(violation.code, str(violation).encode())
        if not self._reader.behind:
            self._read_or_wait()
        self._catch_up_later()

    # Receiving bodies -------------------------------------------------------------------------------------------------

    def begin_data(self, flags: int, stream_id: int, size: int) -> None:
        """A DATA frame begins (RFC 9113, section 6.1)."""
        self._data, self._data_flags = None, flags
        if self._blocks.stream_id or stream_id > self._last_id or not stream_id & 1:
            raise ProtocolViolation(PROTOCOL_ERROR, "data of no stream")
        self._give_window_back(size)
        if not size:
            self._guard.spend(1)
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.ended:
            self._data = stream
        elif stream_id not in self._cut:
            # Section 5.1, "half-closed (remote)" and "closed".
            raise ProtocolViolation(STREAM_CLOSED, "data behind the end of a stream", stream_id)

    def take_data(self, piece: bytes) -> None:
        """Give a piece of a body to its request; once that is answered, the rest is thrown away."""
        stream = self._data
        if stream is None or self._streams.get(stream.id) is not stream:
            return
        stream.add(piece)
        if stream.expected is not None and stream.size > stream.expected:
            raise ProtocolViolation(PROTOCOL_ERROR, "more body than content-length", stream.id)
        if not self._guard.hold(stream, len(piece)):
            self._handler.overflows(self, stream)
        elif self._handler.grows(self, stream):
            return
        self._data = None

    def end_data(self) -> None:
        """A DATA frame is whole."""
        stream, self._data = self._data, None
        if stream is not None and self._data_flags & END_STREAM and self._streams.get(stream.id) is stream:
            self._complete(stream)

    def _give_window_back(self, size: int) -> None:
        """The window of the connection never closes: what a stream may hold is limited by its own."""
        self._unreported += size
        if self._unreported > _CONNECTION_WINDOW:
            raise ProtocolViolation(FLOW_CONTROL_ERROR, "more than the window")
        if self._unreported > _CONNECTION_WINDOW // 4:
            self._write(window_frame(0, self._unreported))
            self._unreported = 0

    def _complete(self, stream: Stream) -> None:
        stream.ended = True
        if stream.expected is not None and stream.size != stream.expected:
            raise ProtocolViolation(PROTOCOL_ERROR, "less body than content-length", stream.id)
        if self._running >= _MAX_OPEN:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "too many requests")
        self._handler.complete(self, stream)

    # Receiving other frames -------------------------------------------------------------------------------------------

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """A frame that is no DATA frame; the content of unknown ones is left out (RFC 9113, section 5.5)."""
        if not self._greeted:
            # RFC 9113, section 3.4: SETTINGS come first.
            if kind != SETTINGS or flags & ACK:
                raise ProtocolViolation(PROTOCOL_ERROR, "no settings")
            self._greeted = True
        if self._blocks.stream_id and kind != CONTINUATION:
            raise ProtocolViolation(PROTOCOL_ERROR, "headers interrupted")
        if kind == HEADERS:
            self._take_headers(flags, stream_id, payload)
            return
        self._guard.spend(1)
        if kind == WINDOW_UPDATE:
            self._take_window(stream_id, payload)
        elif kind == SETTINGS:
            self._take_settings(flags, payload)
        elif kind == PING:
            self._take_ping(flags, payload)
        elif kind == RST_STREAM:
            self._take_reset(stream_id)
        elif kind == CONTINUATION:
            self._go_on_with_headers(flags, stream_id, payload)
        elif kind == PRIORITY:
            check_priority(stream_id, payload)
        elif kind == PUSH_PROMISE:
            raise ProtocolViolation(PROTOCOL_ERROR, "push by a client")
        # A client's GOAWAY is about streams that we open, and we open none (RFC 9113, section 6.8): it will close.

    def stream_failed(self, violation: ProtocolViolation) -> None:
        """A client broke a rule of a stream: the stream ends."""
        stream = self._streams.get(violation.stream_id)
        self._reset(violation.stream_id, violation.code)
        if stream is not None:
            self._forget(stream)

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ProtocolViolation(PROTOCOL_ERROR, "a stream that a client must not open")
        if flags & END_HEADERS:
            self._begin_stream(stream_id, flags, header_fragment(flags, stream_id, payload))
        else:
            self._blocks.begin(flags, stream_id, payload)

    def _go_on_with_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._blocks.go_on(stream_id, payload)
        if flags & END_HEADERS:
            self._begin_stream(stream_id, *self._blocks.end())

    def _begin_stream(self, stream_id: int, flags: int, block: bytes) -> None:
        headers, (fault, expected) = self._blocks.decode(block)
        if stream_id <= self._last_id:
            self._take_trailers(stream_id, flags, headers)
            return
        self._last_id = stream_id
        if fault:
            raise ProtocolViolation(PROTOCOL_ERROR, fault, stream_id)
        if self._leaving or len(self._streams) >= (self._settings.max_streams or _MAX_OPEN):
            raise ProtocolViolation(REFUSED_STREAM, "too many streams", stream_id)
        stream = self._streams[stream_id] = Stream(stream_id, self._stream_window, headers, expected)
        stream.ended = bool(flags & END_STREAM)
        if self._handler.begin(self, stream) and stream.ended:
            self._complete(stream)

    def _take_trailers(self, stream_id: int, flags: int, headers: Headers) -> None:
        """Headers of a stream that has begun (RFC 9113, section 8.1)."""
        stream = self._streams.get(stream_id)
        if stream is None:
            if stream_id not in self._cut:
                raise ProtocolViolation(STREAM_CLOSED, "headers of a stream that is over")
            self._guard.spend(1)
            return
        if stream.ended:
            raise ProtocolViolation(STREAM_CLOSED, "headers behind the end of a stream", stream_id)
        if not flags & END_STREAM or trailers_fault(headers):
            raise ProtocolViolation(PROTOCOL_ERROR, "trailers that are none", stream_id)
        self._complete(stream)

    def _reset(self, stream_id: int, code: int) -> None:
        self._guard.spend(1)
        self._write(reset_frame(stream_id, code))
        self._remember_cut(stream_id)

    def _remember_cut(self, stream_id: int) -> None:
        """What is under way on a stream that ended early is no error (RFC 9113, section 5.1, "closed")."""
        self._cut[stream_id] = None
        if len(self._cut) > _MAX_CUT:
            del self._cut[next(iter(self._cut))]

    def _take_reset(self, stream_id: int) -> None:
        self._check_begun(stream_id)
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._guard.reset()
            self._forget(stream)

    def _check_begun(self, stream_id: int) -> None:
        """RFC 9113, section 5.1, "idle"."""
        if stream_id > self._last_id or not stream_id & 1:
            raise ProtocolViolation(PROTOCOL_ERROR, "frame of a stream that has not begun")

    def _take_window(self, stream_id: int, payload: bytes) -> None:
        if stream_id == 0:
            self._window = widened(self._window, credit_of(0, payload), 0)
            self._send_all_held()
            return
        self._check_begun(stream_id)
        credit = credit_of(stream_id, payload)
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.window = widened(stream.window, credit, stream_id)
            if stream.held is not None:
                self._send_held(stream)

    def _take_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        for name, value in settings_of(payload):
            if name == INITIAL_WINDOW:
                self._change_windows(value - self._stream_window)
                self._stream_window = value
        self._write(frame(SETTINGS, ACK, 0, b""))
        self._send_all_held()

    def _change_windows(self, change: int) -> None:
        """RFC 9113, section 6.9.2: windows may become negative, and must not become too large."""
        for stream in self._streams.values():
            stream.window = widened(stream.window, change, 0)

    def _take_ping(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            if payload == _FAREWELL and self._farewell is not None:
                self._farewell.cancel()
                self._turn_away()
            return
        self._write(frame(PING, ACK, 0, payload))
        if not self._keepalive.may_ping():
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "too_many_pings")

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._guard.release(stream)
        self._rest_if_idle()

    def _rest_if_idle(self) -> None:
        if self.is_idle:
            self._keepalive.idle()
            if self._leaving and self._transport is not None:
                self._transport.close()
