"""Header blocks of HTTP/2, for either side: written without compression, read and checked (RFC 7541; RFC 9113, 8.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

from hpack import Decoder, HPACKError

from pipeline.transport.http2_frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    PROTOCOL_ERROR,
    ProtocolViolation,
    header_fragment,
)

MAX_HEADER_LIST_BYTES: Final = 32_768
"""Largest header list (RFC 9113, section 6.5.2), and largest block; more would hold the event loop for too long."""
_MAX_CACHED_BLOCKS: Final = 64
_MAX_CACHED_BYTES: Final = 4096
_MAX_FRAGMENTS: Final = 64
_PSEUDO: Final = frozenset((":method", ":scheme", ":authority", ":path"))
_NEEDED: Final = (":method", ":scheme", ":path")
_OF_CONNECTION: Final = frozenset(("connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"))
# RFC 9113, section 8.2.1: no controls, space, capitals, DEL or beyond in names; no NUL, CR or LF in values.
_BAD_NAME: Final = re.compile(r"[\x00-\x20A-Z\x7f-\U0010ffff]|(?<=.):")
_BAD_VALUE: Final = re.compile(r"[\0\r\n]")

Headers = list[tuple[str, str]]
Verdict = TypeVar("Verdict")


class BlockReader(Generic[Verdict]):
    """Puts header blocks together, decodes and judges them.

    Blocks that do not depend on earlier ones are remembered: those of one peer hardly change.

    Args:
        judge: says of headers what their user wants to know.

    Attributes:
        stream_id: whose block is unfinished; 0: none is.
    """

    def __init__(self, judge: Callable[[Headers], Verdict]) -> None:
        """No block so far."""
        self._judge = judge
        self.stream_id = 0
        self._block = bytearray()
        self._flags = 0
        self._fragments = 0
        self._decoder = Decoder(max_header_list_size=MAX_HEADER_LIST_BYTES)
        self._decoded: dict[bytes, tuple[Headers, Verdict]] = {}

    def begin(self, flags: int, stream_id: int, payload: bytes) -> None:
        """Take a HEADERS frame that others continue. Raises ProtocolViolation."""
        self.stream_id, self._flags, self._fragments = stream_id, flags, 0
        self._block = bytearray(header_fragment(flags, stream_id, payload))
        self._check_size()

    def go_on(self, stream_id: int, payload: bytes) -> None:
        """Take a CONTINUATION frame (RFC 9113, section 6.10). Raises ProtocolViolation."""
        if stream_id != self.stream_id:
            raise ProtocolViolation(PROTOCOL_ERROR, "continuation of nothing")
        self._fragments += 1
        self._block += payload
        self._check_size()

    def _check_size(self) -> None:
        if len(self._block) > MAX_HEADER_LIST_BYTES or self._fragments > _MAX_FRAGMENTS:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "headers too large")

    def end(self) -> tuple[int, bytes]:
        """The flags of the HEADERS frame, and the whole block."""
        self.stream_id = 0
        return self._flags, bytes(self._block)

    def decode(self, block: bytes) -> tuple[Headers, Verdict]:
        """The headers in a block, and what the judge says. Raises ProtocolViolation."""
        table = self._decoder.header_table
        is_stateless = not table.dynamic_entries
        if is_stateless and block in self._decoded:
            return self._decoded[block]
        if len(block) > MAX_HEADER_LIST_BYTES:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "headers too large")
        try:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
        except (HPACKError, IndexError, ValueError):
            # The table is out of step from here on (RFC 9113, section 4.3).
            raise ProtocolViolation(COMPRESSION_ERROR, "headers cannot be decoded") from None
        found = headers, self._judge(headers)
        if (
            is_stateless
            and not table.dynamic_entries
            and len(block) <= _MAX_CACHED_BYTES
            and len(self._decoded) < _MAX_CACHED_BLOCKS
        ):
            self._decoded[block] = found
        return found


def request_fault(headers: Headers) -> str:
    """What is wrong with the headers of a request (RFC 9113, section 8.3.1); empty when nothing is."""
    pseudo = [(name, value) for name, value in headers if name.startswith(":")]
    given = dict(pseudo)
    if headers[: len(pseudo)] != pseudo:
        return "pseudo-header behind headers"
    if len(given) != len(pseudo) or not given.keys() <= _PSEUDO:
        return "unknown or repeated pseudo-header"
    if not all(map(given.get, _NEEDED)):
        return "pseudo-header missing"
    return _fault(headers[len(pseudo) :])


def response_fault(headers: Headers) -> str:
    """What is wrong with the headers or trailers of an answer (RFC 9113, section 8.3.2); empty when nothing is."""
    return _fault([pair for pair in headers if pair[0] != ":status"])


def trailers_fault(headers: Headers) -> str:
    """What is wrong with trailers (RFC 9113, section 8.1); empty when nothing is."""
    return "pseudo-header in trailers" if any(name.startswith(":") for name, _ in headers) else _fault(headers)


def _fault(headers: Headers) -> str:
    for name, value in headers:
        if not name or name[0] == ":" or _BAD_NAME.search(name) or _BAD_VALUE.search(value):
            return "malformed header"
        if name in _OF_CONNECTION or (name == "te" and value != "trailers"):
            return "header of a connection"
    return ""


def body_size(headers: Headers) -> int | None:
    """What content-length says (RFC 9113, section 8.1.1); None when there is none, -1 when it is no size."""
    stated = {value for name, value in headers if name == "content-length"}
    if not stated:
        return None
    text = stated.pop()
    return -1 if stated or len(text) > 18 or not (text.isascii() and text.isdigit()) else int(text)


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
