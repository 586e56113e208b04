"""What a server's HTTP/2 connection bears from its client before it ends it: floods, stalls, hoards."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from pipeline.transport.http2_frames import CANCEL, ENHANCE_YOUR_CALM, ProtocolViolation
from pipeline.transport.http2_stream import Stream

_MAX_WASTE: Final = 20_000
"""Frames that carry nothing, beyond those that answered requests pay for; a client that sends more is not one."""
_RESET_COSTS: Final = 10
"""A request given up costs more than a frame (CVE-2023-44487): fewer than two thousand in a row, without an answer."""
_ANSWER_PAYS: Final = 100
_STALL_S: Final = 60.0
"""A client that is midway for one to two of these times, without a byte of progress, has gone."""
_SERVER_BYTES: Final = 128 << 20
_CONNECTION_BYTES: Final = 32 << 20
_LEAST_BODIES: Final = 4


class Guarded(Protocol):
    """A connection as its guard sees it."""

    @property
    def frames(self) -> int:
        """How many frames have begun."""

    def is_stuck(self) -> bool:
        """Whether the client leaves something unfinished that is no request."""

    def unfinished(self) -> list[Stream]:
        """The requests that have not come whole."""

    def give_up(self, stream: Stream, code: int) -> None:
        """End a stream without an answer."""

    def abort(self) -> None:
        """Close at once."""


class Inflow:
    """Bytes of request bodies that a server holds before they are batches.

    The window of HTTP/2 bounds what one stream may send, and nobody bounds the streams: this does.

    Attributes:
        held_bytes: now, of all connections.
    """

    def __init__(self, max_body_bytes: int) -> None:
        """The limits leave room for some of the largest bodies."""
        self.held_bytes = 0
        self.server_bytes = max(_SERVER_BYTES, _LEAST_BODIES * max_body_bytes)
        self.connection_bytes = max(_CONNECTION_BYTES, _LEAST_BODIES * max_body_bytes)


class Guard:
    """Watches one connection."""

    def __init__(self, connection: Guarded, inflow: Inflow) -> None:
        """`start` begins to look for stalls."""
        self._connection = connection
        self._inflow = inflow
        self._held_bytes = 0
        self._waste = 0
        self._stuck_frames = -1
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """The connection is there."""
        self._timer = asyncio.get_running_loop().call_later(_STALL_S, self._sweep)

    def stop(self) -> None:
        """The connection has gone."""
        if self._timer is not None:
            self._timer.cancel()

    def spend(self, frames: int) -> None:
        """Frames came that carry nothing. Raises ProtocolViolation when there are too many."""
        self._waste += frames
        if self._waste > _MAX_WASTE:
            raise ProtocolViolation(ENHANCE_YOUR_CALM, "too many frames that carry nothing")

    def reset(self) -> None:
        """The client gave a request up. Raises ProtocolViolation when there are too many."""
        self.spend(_RESET_COSTS)

    def answered(self) -> None:
        """A request was answered: so the client is one."""
        self._waste = max(0, self._waste - _ANSWER_PAYS)

    def hold(self, stream: Stream, size: int) -> bool:
        """Count bytes of a body that is on its way; False: there is no room for it."""
        inflow = self._inflow
        stream.counted += size
        self._held_bytes += size
        inflow.held_bytes += size
        return self._held_bytes <= inflow.connection_bytes and inflow.held_bytes <= inflow.server_bytes

    def release(self, stream: Stream) -> None:
        """The body is gone, or somebody else's to count."""
        self._held_bytes -= stream.counted
        self._inflow.held_bytes -= stream.counted
        stream.counted = 0

    def _sweep(self) -> None:
        """End what has not moved since the last time."""
        connection = self._connection
        moved = False
        for stream in connection.unfinished():
            if stream.size == stream.swept_size:
                connection.give_up(stream, CANCEL)
            else:
                stream.swept_size = stream.size
                moved = True
        if not connection.is_stuck() or moved:
            self._stuck_frames = -1
        elif self._stuck_frames == connection.frames:
            connection.abort()
            return
        else:
            self._stuck_frames = connection.frames
        self._waste = max(0, self._waste - _ANSWER_PAYS)
        self.start()
