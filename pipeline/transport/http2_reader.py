"""Takes the bytes of a connection apart into frames, for either side, in slices that let other connections live."""

from __future__ import annotations

import struct
from time import monotonic
from typing import Final, Protocol

from pipeline.transport.http2_frames import (
    CONTINUATION,
    DATA,
    ENHANCE_YOUR_CALM,
    FRAME_SIZE_ERROR,
    HEAD_BYTES,
    PADDED,
    PROTOCOL_ERROR,
    ProtocolViolation,
    check_frame,
)

_MAX_WHOLE_BYTES: Final = 33_280
"""Largest frame that is taken whole: the largest header block, padded and with a priority."""
_SLICE_FRAMES: Final = 128
_SLICE_S: Final = 0.003
"""How much is taken before the event loop turns: the work that requests cause comes on top."""
_UNPACK_HEAD: Final = struct.Struct(">HBBBI").unpack_from
_STREAM_ID: Final = 0x7FFF_FFFF


class FrameSink(Protocol):
    """What a connection does with frames. Every method may raise ProtocolViolation."""

    def begin_data(self, flags: int, stream_id: int, size: int) -> None:
        """A DATA frame begins; its size counts against the windows, padding included."""

    def take_data(self, piece: bytes) -> None:
        """A piece of it, as the socket gave it."""

    def end_data(self) -> None:
        """It is whole."""

    def take_frame(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Another frame, whole and of a size that its kind may have."""

    def stream_failed(self, violation: ProtocolViolation) -> None:
        """A frame broke a rule of its stream (RFC 9113, section 5.4.2)."""


class FrameReader:
    """The reading end of a connection. DATA frames and unknown ones are never held as a whole.

    Attributes:
        behind: more can be taken at once; `go_on` does.
        stopped: set it, and nothing more is taken.
        frames: how many have begun.
    """

    def __init__(self, sink: FrameSink, *, max_frame: int, preface: bytes = b"") -> None:
        """`preface`: what comes before the first frame."""
        self.behind = False
        self.stopped = False
        self.frames = 0
        self._sink = sink
        self._max_frame = max_frame
        self._preface = preface
        self._rest = bytearray()
        self._at = 0
        self._data_left = 0
        self._skip_left = 0

    @property
    def is_midway(self) -> bool:
        """Whether the peer has begun a frame, or its preface, and not ended it."""
        return bool(self._preface or self._rest or self._data_left or self._skip_left)

    def feed(self, data: memoryview) -> None:
        """Take bytes that have come. Raises ProtocolViolation: the connection must end."""
        if not self._rest:
            self._take(data)
            self._rest += data[self._at :]
            return
        self._rest += data
        if not self.behind:
            self.go_on()

    def go_on(self) -> None:
        """Take more of what has come. Raises ProtocolViolation: the connection must end."""
        with memoryview(self._rest) as data:
            self._take(data)
        del self._rest[: self._at]

    def _take(self, data: memoryview) -> None:
        self._at = 0
        self.behind = False
        if self._preface:
            self._take_preface(data)
        while not self.stopped:
            try:
                self._take_frames(data)
            except ProtocolViolation as violation:
                if not violation.stream_id:
                    raise
                self._sink.stream_failed(violation)
            else:
                return

    def _take_preface(self, data: memoryview) -> None:
        used = self._at = min(len(self._preface), len(data))
        if data[:used] != self._preface[:used]:
            raise ProtocolViolation(PROTOCOL_ERROR, "not HTTP/2")
        self._preface = self._preface[used:]

    def _take_frames(self, data: memoryview) -> None:
        size, frames, until_s = len(data), 0, monotonic() + _SLICE_S
        while self._at < size and not self.stopped:
            if self._data_left or self._skip_left:
                self._take_piece(data)
            elif frames >= _SLICE_FRAMES or monotonic() > until_s:
                self.behind = True
                return
            elif not self._take_head(data, size - self._at):
                return
            frames += 1

    def _take_piece(self, data: memoryview) -> None:
        start = self._at
        if not self._data_left:
            self._at = min(start + self._skip_left, len(data))
            self._skip_left -= self._at - start
            return
        end = self._at = min(start + self._data_left, len(data))
        self._data_left -= end - start
        self._sink.take_data(bytes(data[start:end]))
        if not self._data_left:
            self._sink.end_data()

    def _take_head(self, data: memoryview, size: int) -> bool:
        """Take the head of a frame, and the frame where it is taken whole; False when that has not come yet."""
        if size < HEAD_BYTES:
            return False
        start = self._at
        high, low, kind, flags, stream_id = _UNPACK_HEAD(data, start)
        length = high << 8 | low
        stream_id &= _STREAM_ID
        if length > self._max_frame:
            raise ProtocolViolation(FRAME_SIZE_ERROR, "frame too large")
        if kind == DATA and stream_id and not flags & PADDED:
            self.frames += 1
            self._at, self._data_left = start + HEAD_BYTES, length
            self._begin_data(flags, stream_id, length)
            return True
        return self._take_other(data, kind, flags, stream_id, length)

    def _begin_data(self, flags: int, stream_id: int, size: int) -> None:
        self._sink.begin_data(flags, stream_id, size)
        if not self._data_left:
            self._sink.end_data()

    def _take_other(self, data: memoryview, kind: int, flags: int, stream_id: int, length: int) -> bool:
        start = self._at + HEAD_BYTES
        is_padded_data = kind == DATA and length > 0
        needed = 1 if is_padded_data else length if kind <= CONTINUATION else 0
        if needed > _MAX_WHOLE_BYTES:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "headers too large")
        if len(data) < start + needed:
            return False
        self.frames += 1
        self._at = start + needed
        check_frame(kind, flags, stream_id, length)
        if is_padded_data:
            self._take_padded(flags, stream_id, length, data[start])
        elif kind == DATA:
            raise ProtocolViolation(FRAME_SIZE_ERROR, "no room for the length of the padding")
        else:
            self._skip_left = length - needed
            self._sink.take_frame(kind, flags, stream_id, bytes(data[start : start + needed]))
        return True

    def _take_padded(self, flags: int, stream_id: int, length: int, padding: int) -> None:
        if padding >= length:
            raise ProtocolViolation(PROTOCOL_ERROR, "more padding than frame")
        self._data_left, self._skip_left = length - 1 - padding, padding
        self._begin_data(flags, stream_id, length)
