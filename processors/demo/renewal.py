"""Recorded requests made new: as if they had just happened, with ids of their own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals import Signal

_NO_TRACE: Final = b""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One export request of a recording."""

    signal: Signal
    body: bytes
    """Protobuf."""
    count: int
    """Spans or log records."""


class Renewal:
    """Gives requests of one recording, pass by pass, the times of now and ids that were never used.

    Within a trace distances in time stay as they are; its last span ends when its first request is sent. Spans of
    different requests, links and log records find each other as they did. Times of day that stand in attributes stay.
    """

    def __init__(self, recording: Iterable[Recorded]) -> None:
        """Read when each trace ended."""
        self._ends: dict[bytes, int] = {}
        for recorded in recording:
            for part in _parts(recorded.signal.request_class.FromString(recorded.body)):
                self._ends[part.trace_id] = max(self._ends.get(part.trace_id, 0), _last(part))
        self.next_pass()

    def next_pass(self) -> None:
        """From here on requests are those of other traces."""
        self._traces: dict[bytes, tuple[bytes, int]] = {}
        self._mask = int.from_bytes(secrets.token_bytes(8), "big")

    def renewed(self, recorded: Recorded, now_ns: int) -> bytes:
        """The request as it would be sent at `now_ns`, Unix time."""
        message: Any = recorded.signal.request_class.FromString(recorded.body)
        parts = list(_parts(message))
        own_shift_ns = now_ns - max(map(_last, parts), default=now_ns)
        for part in parts:
            if part.trace_id == _NO_TRACE:
                _move(part, own_shift_ns)
            else:
                trace_id, shift_ns = self._trace(part.trace_id, now_ns)
                self._rename(part, trace_id, now_ns)
                _move(part, shift_ns)
        return bytes(message.SerializeToString())

    def _trace(self, trace_id: bytes, now_ns: int) -> tuple[bytes, int]:
        found = self._traces.get(trace_id)
        if found is None:
            end_ns = self._ends.get(trace_id, 0) or now_ns
            found = self._traces[trace_id] = secrets.token_bytes(len(trace_id)), now_ns - end_ns
        return found

    def _rename(self, part: Any, trace_id: bytes, now_ns: int) -> None:
        part.trace_id, part.span_id = trace_id, self._span_id(part.span_id)
        if hasattr(part, "parent_span_id"):
            part.parent_span_id = self._span_id(part.parent_span_id)
            for link in part.links:
                link.trace_id, link.span_id = self._trace(link.trace_id, now_ns)[0], self._span_id(link.span_id)

    def _span_id(self, span_id: bytes) -> bytes:
        if len(span_id) != 8:
            return span_id
        return (int.from_bytes(span_id, "big") ^ self._mask).to_bytes(8, "big")


def _parts(message: Any) -> Iterator[Any]:
    """All spans, or log records."""
    for group in getattr(message, "resource_spans", ()):
        for scope in group.scope_spans:
            yield from scope.spans
    for group in getattr(message, "resource_logs", ()):
        for scope in group.scope_logs:
            yield from scope.log_records


def _times(part: Any) -> Sequence[str]:
    if hasattr(part, "observed_time_unix_nano"):
        return "time_unix_nano", "observed_time_unix_nano"
    return "start_time_unix_nano", "end_time_unix_nano"


def _last(part: Any) -> int:
    """When it was over, Unix nanoseconds; 0 where it does not say."""
    return max(int(getattr(part, name)) for name in _times(part))


def _move(part: Any, shift_ns: int) -> None:
    for name in _times(part):
        _shift(part, name, shift_ns)
    for event in getattr(part, "events", ()):
        _shift(event, "time_unix_nano", shift_ns)


def _shift(part: Any, name: str, shift_ns: int) -> None:
    time_ns = getattr(part, name)
    if time_ns:
        setattr(part, name, max(time_ns + shift_ns, 1))
