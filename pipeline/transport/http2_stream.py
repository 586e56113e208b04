"""Requests as an HTTP/2 server sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipeline.transport.http2_headers import Headers, body_size, request_fault
from pipeline.transport.http2_keepalive import KeepaliveSettings

if TYPE_CHECKING:
    from pipeline.transport.http2_server import ServerConnection

_MAX_PIECES: Final = 256
_SMALL_PIECE_BYTES: Final = 2048


@dataclass(slots=True, eq=False)
class Stream:
    """One request and, once sent, its answer."""

    id: int
    window: int
    headers: Headers
    expected: int | None = None
    """Size of the body, where the client has stated it."""
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    """Bytes of the body so far."""
    counted: int = 0
    """Bytes of it that the server's inflow counts."""
    swept_size: int = -1
    """Its size when it was last looked at whether it grows."""
    refusal: tuple[bytes, int, bytes] | None = None
    """The arguments of an answer that waits for the end of the request."""
    sender: Any = None
    """Who sends it, where a handler finds that out before the body has come."""
    is_whole: bool = False
    """It has come before that was found out."""
    ended: bool = False
    """The client has sent all it will send."""
    held: tuple[bytes, bool, bytes] | None = None
    """An answer that waits for the client's window: body, whether the stream ends with it, and the frames behind it."""

    def add(self, piece: bytes) -> None:
        """Take a piece of the body; many small ones are put together, since each has a cost of its own."""
        self.pieces.append(piece)
        self.size += len(piece)
        if len(self.pieces) > _MAX_PIECES and self.size < _SMALL_PIECE_BYTES * len(self.pieces):
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

    def overflows(self, connection: ServerConnection, stream: Stream) -> None:
        """Unfinished requests hold too much: answer this one."""

    def complete(self, connection: ServerConnection, stream: Stream) -> None:
        """The whole request has come; `connection.taken` when its body is no longer held."""


@dataclass(frozen=True, slots=True)
class Http2Settings:
    """Limits of a connection."""

    max_streams: int
    """Requests at a time; 0: no limit of ours."""
    max_body_bytes: int
    """Window of a stream: bytes a client may send before it hears from us."""
    write_buffer_bytes: int
    keepalive: KeepaliveSettings


def judge_request(headers: Headers) -> tuple[str, int | None]:
    """What is wrong with a request's headers, if anything, and the size of the body they state."""
    fault, size = request_fault(headers), body_size(headers)
    return fault or ("content-length that is no size" if size == -1 else ""), size
