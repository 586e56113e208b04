"""Spans that have come before: a source that repeats what it sent must not make a trace look bigger."""

from __future__ import annotations

from typing import Final

_ID_BYTES: Final = 8
_MOST: Final = 1024
"""Ids that are remembered for each trace; of more spans than that a repetition counts again."""


class Seen:
    """Ids of a trace's spans, eight bytes each."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        """None has come."""
        self._ids = b""

    def is_new(self, span_id: bytes) -> bool:
        """Whether a span comes for the first time; it is remembered."""
        ids = self._ids
        at = ids.find(span_id)
        while at > 0 and at % _ID_BYTES:
            at = ids.find(span_id, at + 1)
        if at >= 0:
            return len(span_id) != _ID_BYTES
        if len(span_id) == _ID_BYTES and len(ids) < _MOST * _ID_BYTES:
            self._ids = ids + span_id
        return True
