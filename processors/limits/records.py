"""The limit of whole records: what holds most gives way first, then events and attributes go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals import Attributes, Event, LogRecord, Record, Span, Value
from processors.limits.policy import Policy
from processors.limits.sharing import Want, share
from processors.limits.tally import Tally
from processors.limits.values import COMPOSITE, Values, kind_of

SPAN: Final = "span"
TRACE: Final = "trace"

# What is left of a value while others can still give way, and what is left of it when they cannot, in bytes.
_FLOORS: Final = ((0, 256), (1, 256), (0, 64), (1, 48))
# Room for the attribute that says how much was cut.
_MARK_BYTES: Final = 40
# Tags and lengths around an event, and around a pair, its key and its value.
_EVENT_FRAME_BYTES: Final = 2
_PAIR_FRAME_BYTES: Final = 8
_KEPT_EVENT: Final = "exception"
_TEXTUAL: Final = COMPOSITE | {str}


@dataclass(slots=True)
class _Piece:
    """One value that may give way. `holder` is its mapping, or the view that has it as a field."""

    holder: Any
    key: str
    where: str
    value: Value
    size: int
    rank: int

    def write(self, value: Value) -> None:
        """Replace the value."""
        if isinstance(self.holder, Attributes):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)
        self.value = value


class Records:
    """Brings records under a number of bytes."""

    def __init__(self, policy: Policy, values: Values, tally: Tally) -> None:
        """Cut in the order of the policy, and count."""
        self._policy = policy
        self._values = values
        self._tally = tally

    def fit(self, record: Record, size: int, limit_bytes: int, limit: str) -> tuple[int, int]:
        """Cut a record of `size` bytes to at most `limit_bytes` as far as that goes.

        Returns its size now, and how many values gave way. `limit` is counted as the reason: for `trace`, attributes
        that are no content become shorter and stay.
        """
        target = limit_bytes - _MARK_BYTES
        pieces = list(self._pieces(record))
        touched: set[int] = set()
        for rank, floor in _FLOORS:
            if size <= target:
                break
            touched |= self._shrink([p for p in pieces if p.rank <= rank], size - target, floor, limit)
            size = _size_of(record)
        count = len(touched)
        if size > target and isinstance(record, Span):
            count += self._remove_events(record, size - target, limit)
            size = _size_of(record)
        if size > target:
            count += self._remove_values(record, size - target, limit)
            size = _size_of(record)
        return size, count

    # --- values that become shorter

    def _shrink(self, pieces: list[_Piece], excess: int, floor: int, limit: str) -> set[int]:
        """Cut the longest of some values, so that they are `excess` bytes shorter together; returns which."""
        wants = [Want(min(piece.size, floor), piece.size) for piece in pieces]
        room = max(0, sum(piece.size for piece in pieces) - excess)
        touched = set()
        for piece, given in zip(pieces, share(room, wants), strict=True):
            if given < piece.size:
                new = self._values.cut(piece.value, given)
                new_size = self._values.size_bytes(new)
                self._tally.cut(piece.where, kind_of(piece.value), limit, piece.size - new_size)
                piece.write(new)
                piece.size = new_size
                touched.add(id(piece))
        return touched

    def _pieces(self, record: Record) -> Iterator[_Piece]:
        if isinstance(record, Span):
            yield from self._mapping(record.attributes, "span")
            if message := record.status_message:
                yield _Piece(record, "status_message", "status", message, self._values.size_bytes(message), 1)
            for event in record.events:
                yield from self._mapping(event.attributes, "event")
            for link in record.links:
                yield from self._mapping(link.attributes, "link")
        elif isinstance(record, LogRecord):
            yield from self._mapping(record.attributes, "log")
            body = record.body
            if type(body) in _TEXTUAL:
                yield _Piece(record, "body", "body", body, self._values.size_bytes(body), 0)

    def _mapping(self, attributes: Attributes, where: str) -> Iterator[_Piece]:
        for key, value in list(attributes.items()):
            if type(value) in _TEXTUAL and (rank := self._policy.rank_of(key)) < 2:
                yield _Piece(attributes, key, where, value, self._values.size_bytes(value), rank)

    # --- what goes whole

    def _remove_events(self, span: Span, excess: int, limit: str) -> int:
        """Remove events from the middle until `excess` bytes are gone; those of exceptions stay."""
        events = span.events
        order = sorted(range(1, len(events) - 1), key=lambda index: abs(2 * index - len(events) + 1))
        gone, freed = _until(
            excess, ((events[i], events[i].pb.ByteSize() + _EVENT_FRAME_BYTES) for i in order if _may_go(events[i]))
        )
        if gone:
            span.remove_events(gone)
            span.pb.dropped_events_count += len(gone)
            self._tally.removed("event", limit, len(gone), freed)
        return len(gone)

    def _remove_values(self, record: Record, excess: int, limit: str) -> int:
        """Remove attributes, those first that give way first, the longest first, until `excess` bytes are gone."""
        last_rank = 0 if limit == TRACE else 1
        pieces = [p for p in self._pieces(record) if isinstance(p.holder, Attributes) and p.rank <= last_rank]
        pieces.sort(key=lambda piece: (piece.rank, -piece.size))
        gone, freed = _until(excess, ((p, p.size + len(p.key) + _PAIR_FRAME_BYTES) for p in pieces))
        holders = _holders(record) if gone else {}
        for piece in gone:
            del piece.holder[piece.key]
            holders[id(piece.holder)].dropped_attributes_count += 1
        if gone:
            self._tally.removed("attribute", limit, len(gone), freed)
        return len(gone)


def _holders(record: Record) -> dict[int, Any]:
    """The messages that count how many of their attributes are missing, by their mappings."""
    views: list[Any] = [record]
    if isinstance(record, Span):
        views += [*record.events, *record.links]
    return {id(view.attributes): view.pb for view in views}


def _may_go(event: Event) -> bool:
    return event.name != _KEPT_EVENT


def _until(excess: int, items: Iterable[tuple[Any, int]]) -> tuple[list[Any], int]:
    """As many items as it takes until their sizes make up `excess`, and what they make up."""
    taken: list[Any] = []
    freed = 0
    for item, size in items:
        if freed >= excess:
            break
        taken.append(item)
        freed += size
    return taken, freed


def _size_of(record: Record) -> int:
    record.content.flush()
    size_bytes: int = record.pb.ByteSize()
    return size_bytes
