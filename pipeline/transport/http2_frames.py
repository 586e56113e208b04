"""Frames of HTTP/2 and what they may hold, for either side (RFC 9113, sections 4 to 7)."""

from __future__ import annotations

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client says first (section 3.4)."""
HEAD_BYTES: Final = 9

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADER_LIST = 1, 2, 3, 4, 5, 6
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(6, 12)

DEFAULT_WINDOW: Final = 65_535
LARGEST_WINDOW: Final = (1 << 31) - 1
LARGEST_STREAM_ID: Final = (1 << 31) - 1
DEFAULT_MAX_FRAME: Final = 16_384
LARGEST_MAX_FRAME: Final = (1 << 24) - 1

_NO_STREAM: Final = frozenset((SETTINGS, PING, GOAWAY))
_OF_STREAM: Final = frozenset((DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE, CONTINUATION))
_SIZES: Final = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_GOAWAY_BYTES: Final = 8
_SETTING_BYTES: Final = 6
_PACK_HEAD: Final = struct.Struct(">HBBBI").pack


class ProtocolViolation(Exception):  # noqa: N818 - what the peer did
    """What the peer sends is not HTTP/2, or too much of it.

    Attributes:
        code: the error code it is told.
        stream_id: the stream that ends for it (section 5.4.2); 0: the connection (section 5.4.1).
    """

    def __init__(self, code: int, why: str, stream_id: int = 0) -> None:
        """Keep the code."""
        super().__init__(why)
        self.code = code
        self.stream_id = stream_id


def frame_head(size: int, kind: int, flags: int, stream_id: int) -> bytes:
    """The nine bytes before a payload of a size (section 4.1)."""
    return _PACK_HEAD(size >> 8, size & 0xFF, kind, flags, stream_id)


def frame(kind: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    """A frame."""
    return frame_head(len(payload), kind, flags, stream_id) + payload


def headers_frame(stream_id: int, block: bytes, *, ends: bool) -> bytes:
    """A frame with a whole header block; `ends`: nothing follows on the stream."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if ends else 0), stream_id, block)


def data_frame(stream_id: int, payload: bytes, *, ends: bool = False) -> bytes:
    """A frame with body; `ends`: nothing follows on the stream."""
    return frame(DATA, END_STREAM if ends else 0, stream_id, payload)


def reset_frame(stream_id: int, code: int) -> bytes:
    """The frame that ends a stream (section 6.4)."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway_frame(last_id: int, code: int, why: bytes = b"") -> bytes:
    """The frame that ends a connection (section 6.8)."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_id, code) + why)


def window_frame(stream_id: int, credit: int) -> bytes:
    """The frame that lets the peer send more (section 6.9)."""
    return frame(WINDOW_UPDATE, 0, stream_id, credit.to_bytes(4, "big"))


def settings_frame(pairs: list[tuple[int, int]]) -> bytes:
    """The frame that tells the peer what it may do (section 6.5)."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def check_frame(kind: int, flags: int, stream_id: int, size: int) -> None:
    """Whether a frame of a kind may belong to this stream and be of this size (section 6).

    Raises:
        ProtocolViolation: it may not.
    """
    if (kind in _NO_STREAM and stream_id) or (kind in _OF_STREAM and not stream_id):
        raise ProtocolViolation(PROTOCOL_ERROR, "frame of a wrong stream")
    wanted = _SIZES.get(kind, size)
    if kind == SETTINGS:
        wanted = 0 if flags & ACK else size - size % _SETTING_BYTES
    elif kind == GOAWAY:
        wanted = max(size, _GOAWAY_BYTES)
    if size != wanted:
        # A wrong size of a frame that changes nothing else is the stream's matter (section 6.3).
        raise ProtocolViolation(FRAME_SIZE_ERROR, "frame of a wrong size", stream_id if kind == PRIORITY else 0)


def without_padding(flags: int, payload: bytes) -> bytes:
    """The content of a frame that may be padded (sections 6.1 and 6.2). Raises ProtocolViolation."""
    if not flags & PADDED:
        return payload
    if not payload:
        raise ProtocolViolation(FRAME_SIZE_ERROR, "no room for the length of the padding")
    if payload[0] >= len(payload):
        raise ProtocolViolation(PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]


def header_fragment(flags: int, stream_id: int, payload: bytes) -> bytes:
    """The part of a header block in a HEADERS frame (section 6.2). Raises ProtocolViolation."""
    payload = without_padding(flags, payload)
    if not flags & HAS_PRIORITY:
        return payload
    if len(payload) < _SIZES[PRIORITY]:
        raise ProtocolViolation(FRAME_SIZE_ERROR, "no room for the priority")
    try:
        check_priority(stream_id, payload)
    except ProtocolViolation as violation:
        # The connection's matter: the block is not decoded, and later ones may depend on it (section 4.3).
        raise ProtocolViolation(violation.code, str(violation)) from None
    return payload[_SIZES[PRIORITY] :]


def check_priority(stream_id: int, payload: bytes) -> None:
    """Whether a stream may depend so (RFC 7540, section 5.3.1). Raises ProtocolViolation."""
    if int.from_bytes(payload[:4]) & LARGEST_STREAM_ID == stream_id:
        raise ProtocolViolation(PROTOCOL_ERROR, "a stream that depends on itself", stream_id)


def settings_of(payload: bytes) -> list[tuple[int, int]]:
    """Names and values in a SETTINGS frame (section 6.5.2). Raises ProtocolViolation."""
    pairs = list(struct.iter_unpack(">HI", payload))
    for name, value in pairs:
        if name == ENABLE_PUSH and value > 1:
            raise ProtocolViolation(PROTOCOL_ERROR, "neither push nor no push")
        if name == INITIAL_WINDOW and value > LARGEST_WINDOW:
            raise ProtocolViolation(FLOW_CONTROL_ERROR, "window too large")
        if name == MAX_FRAME and not DEFAULT_MAX_FRAME <= value <= LARGEST_MAX_FRAME:
            raise ProtocolViolation(PROTOCOL_ERROR, "a size of frames that must not be")
    return pairs


def credit_of(stream_id: int, payload: bytes) -> int:
    """How much more may be sent, by a WINDOW_UPDATE frame (section 6.9). Raises ProtocolViolation."""
    credit = int.from_bytes(payload) & LARGEST_WINDOW
    if not credit:
        raise ProtocolViolation(PROTOCOL_ERROR, "a window that does not grow", stream_id)
    return credit


def widened(window: int, credit: int, stream_id: int) -> int:
    """A window after it grew (section 6.9.1). Raises ProtocolViolation."""
    if window + credit > LARGEST_WINDOW:
        raise ProtocolViolation(FLOW_CONTROL_ERROR, "window too large", stream_id)
    return window + credit
