"""Large traces on their way out: a portion at a time, so that nobody is held up by one of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome
from pipeline.signals.wire import read_varint
from processors.sampling.marking import Mark
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store
from processors.trace_buffer.trace import Trace

MAX_SPANS: Final = 256
MAX_BYTES: Final = 1 << 20
"""What is marked and sent at a time; a larger span stands alone."""
_STOPPED: Final = Refused("shut down before the trace could be sent")
_UNREADABLE: Final = Refused("spans of a waiting trace could not be read from disk")


class Sending:
    """Kept traces that are too large to be sent at once."""

    def __init__(self, out: Callable[[list[Piece], list[Delivery]], None], on_lost: Callable[[], None]) -> None:
        """`out(pieces, deliveries)` takes what leaves; `on_lost()` is told of one that a disk does not give back."""
        self._out = out
        self._on_lost = on_lost
        self._waiting: deque[Iterator[None]] = deque()

    @staticmethod
    def is_large(trace: Trace) -> bool:
        """Whether a trace is too large to be sent at once."""
        return trace.span_count > MAX_SPANS or trace.size_bytes > MAX_BYTES

    @property
    def is_busy(self) -> bool:
        """Whether some wait."""
        return bool(self._waiting)

    def add(self, trace: Trace, store: Store, mark: Mark | None) -> None:
        """Have a trace sent; its bytes stay in the store until then."""
        store.seal(trace)
        work = self._send(trace, store, mark)
        # To where the handles are in its hands: one that never began could not end them.
        next(work)
        self._waiting.append(work)

    def steps(self) -> Iterator[None]:
        """Send what waits, a portion at a time."""
        while self._waiting:
            work = self._waiting[0]
            for _ in work:
                yield
            # Somebody else may have sent the rest meanwhile.
            if self._waiting and self._waiting[0] is work:
                self._waiting.popleft()

    def give_up(self) -> None:
        """End what could not be sent in time."""
        while self._waiting:
            self._waiting.popleft().close()  # type: ignore[attr-defined]  # they are generators

    def _send(self, trace: Trace, store: Store, mark: Mark | None) -> Iterator[None]:
        handle = Delivery.merge(trace.deliveries)
        error: Refused | None = _STOPPED
        try:
            yield
            for head, body, count in store.pieces(trace):
                for part, spans in cut(body, count):
                    marked = part if mark is None else mark.write(part, has_tracestate=trace.has_tracestate)
                    self._out([(head, marked, spans)], [handle.fork()])
                    yield
            error = None
        except OSError:
            error = _UNREADABLE
            self._on_lost()
        finally:
            store.forget(trace)
            if error is None:
                handle.end(Outcome.DROPPED)
            else:
                handle.end(Outcome.FAILED, error)


def cut(body: bytes, count: int) -> Iterator[tuple[bytes, int]]:
    """Bytes of spans (each with tag and length) in parts of at most `MAX_SPANS` and `MAX_BYTES`, with their numbers."""
    if count <= MAX_SPANS and len(body) <= MAX_BYTES:
        yield body, count
        return
    start = position = spans = 0
    while position < len(body):
        length, inner = read_varint(body, position + 1)
        end = inner + length
        if spans and (spans >= MAX_SPANS or end - start > MAX_BYTES):
            yield body[start:position], spans
            start, spans = position, 0
        position = end
        spans += 1
    yield body[start:], spans
