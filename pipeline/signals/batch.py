"""The batch: one export request on its way through a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.signals import wire
from pipeline.signals.content import Content, count_records
from pipeline.signals.context import NO_CONTEXT, Context
from pipeline.signals.delivery import Delivery
from pipeline.signals.rooms import Rooms
from pipeline.signals.signal import Request, Signal

if TYPE_CHECKING:
    from pipeline.signals.views import Record, Resource


class _Lease:
    """Held by all batches of one content, and by nothing in it: with the last of them the views end.

    Views refer to each other in circles; left to the garbage collector they would hold megabytes for long.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Content) -> None:
        self._content = content

    def __del__(self) -> None:
        self._content.end_views()


class Batch:
    """One export request with its context and its delivery handle.

    The bytes that came in are kept and go out again unless a view was written to. Ownership: after passing a batch on,
    a stage does not touch it again. A batch that several branches read is shared (`share`); a branch that changes it
    works on a `copy`.

    Attributes:
        context: where the batch came from.
        delivery: the handle; whoever ends the life of a batch ends one part of it.
        rooms: what a fan-out has reserved for this batch in the stages ahead; None when nothing was.
    """

    __slots__ = ("__weakref__", "_behind", "_content", "_first", "_lease", "_records", "context", "delivery", "rooms")

    def __init__(
        self,
        content: Content,
        context: Context = NO_CONTEXT,
        delivery: Delivery | None = None,
        lease: _Lease | None = None,
    ) -> None:
        """Wrap content; without a handle the batch gets its own. `lease` is that of another batch of this content."""
        self._content = content
        self._lease = _Lease(content) if lease is None else lease
        self._records: list[Record] | None = None
        self._first = True
        self._behind: tuple[Sequence[Record], int] = ((), 0)
        self.context = context
        self.delivery = Delivery() if delivery is None else delivery
        self.rooms: Rooms | None = None

    @classmethod
    def of_message(cls, message: Request, signal: Signal, context: Context = NO_CONTEXT) -> Batch:
        """A batch of a request made in this process; the message belongs to the batch from now on."""
        return cls(Content(signal, count_records(signal, message), message=message), context)

    @property
    def signal(self) -> Signal:
        """Traces, metrics or logs."""
        return self._content.signal

    @property
    def count(self) -> int:
        """Spans, log records or data points."""
        return self._content.count

    @property
    def size_bytes(self) -> int:
        """Size of the request; exact after `serialize`, before that the size of the last serialised form."""
        return self._content.size_bytes

    @property
    def message(self) -> Request:
        """The protobuf message, to be read only: writing goes through views."""
        return self._content.message

    def records(self) -> Sequence[Record]:
        """Views of the records that are still there. `Span`s, `LogRecord`s or `DataPoint`s by the signal."""
        records = self._records
        if records is None:
            records = self._records = [
                record
                for resource in self._content.resources()
                for scope in resource.scopes
                for record in scope.records
                if not record.dropped
            ]
        return records

    def resources(self) -> Sequence[Resource]:
        """Views of the resources (and, under them, scopes) of this batch; each in exactly one slice of a batch."""
        return self._content.resources() if self._first else ()

    def serialize(self) -> bytes:
        """The request as OTLP protobuf bytes."""
        return self._content.serialize()

    @property
    def has_views(self) -> bool:
        """Whether somebody has asked for records or resources: views are there already, and cost nothing more."""
        return self._content.has_views

    def rewritten(self, raw: bytes, count: int) -> Batch:
        """A batch of other bytes in place of this one, with its handle and rooms."""
        batch = Batch(Content(self.signal, count, raw=raw), self.context, self.delivery)
        batch.rooms = self.rooms
        return batch

    @property
    def changed(self) -> bool:
        """Whether it goes out as other bytes than it came in."""
        return self._content.changed

    def drop(self, records: Iterable[Record]) -> int:
        """Mark records as dropped; returns how many. Processors call `Processor.drop`, which counts and says why."""
        dropped = 0
        for record in records:
            if not record.dropped:
                record.dropped = True
                dropped += 1
        if dropped:
            self._content.has_dropped = True
            if self._records is not None:
                self._records = [record for record in self._records if not record.dropped]
        return dropped

    def settle(self) -> None:
        """Write changes into the message and take dropped records out; the engine calls it behind a run of processors.

        Raises:
            TypeError, ValueError: an attribute was set to something that has no OTLP form.
        """
        self._content.flush()
        self._content.remove_dropped()
        self._records = None

    def slices(self, size: Callable[[], int]) -> Iterator[Batch]:
        """Windows on this batch (same content, context and handle); `size()` says how many records the next one has."""
        records = self.records()
        start = 0
        while start < len(records) or not start:
            end = start + size()
            window = Batch(self._content, self.context, self.delivery, self._lease)
            window._records = list(records[start:end])
            window._first = start == 0
            window._behind = records, end
            yield window
            start = end
        self._records = None

    def behind(self) -> Sequence[Record]:
        """What comes behind this slice in its batch, for who must know it first; nothing where this is no slice."""
        records, end = self._behind
        return records[end:]

    def share(self) -> Batch:
        """The same content for another reader, with a part of the handle of its own."""
        return Batch(self._content, self.context, self.delivery.fork(), self._lease)

    def copy(self) -> Batch:
        """Content of its own for a branch that will change it, with a part of the handle of its own."""
        content = Content(self.signal, self.count, raw=self.serialize())
        return Batch(content, self.context, self.delivery.fork())

    def renew(self, delivery: Delivery) -> Batch:
        """The batch as it is now with content of its own and another handle, for a stage that may try again."""
        return Batch(Content(self.signal, self.count, raw=self.serialize()), self.context, delivery)

    def split(
        self, *, max_items: int = 0, max_bytes: int = 0, first_items: int = 0, first_bytes: int = 0
    ) -> list[Batch]:
        """Cut into batches of at most so many items and bytes (0: no limit); a larger single item stands alone.

        `first_items` and `first_bytes` limit the first piece alone, where it is to fill up something that has begun.
        The handle gets a part for each piece in place of the one for this batch, which must not be used again.
        """
        items, size = first_items or max_items, first_bytes or max_bytes
        if (not items or self.count <= items) and (not size or len(self.serialize()) <= size):
            return [self]
        limits = {
            "max_items": max_items,
            "max_bytes": max_bytes,
            "first_items": first_items,
            "first_bytes": first_bytes,
        }
        pieces = [
            Batch(Content(self.signal, count, raw=raw), self.context, self.delivery)
            for raw, count in wire.split(self.signal, self.serialize(), **limits)
        ]
        if len(pieces) > 1:
            self.delivery.fork(len(pieces) - 1)
        return pieces

    def pieces(self, *, max_items: int, max_bytes: int) -> Iterator[Batch]:
        """Cut a batch that is too large to be worked on at once; the pieces share its one part of the handle.

        See `rejoin`.
        """
        for raw, count in wire.split(self.signal, self.serialize(), max_items=max_items, max_bytes=max_bytes):
            yield Batch(Content(self.signal, count, raw=raw), self.context, self.delivery)

    def rejoin(self, pieces: Sequence[Batch]) -> Batch:
        """One batch of the worked-on `pieces` of this one, with this one's handle and rooms."""
        raw = b"".join([piece.serialize() for piece in pieces if piece.count])
        return self.rewritten(raw, sum(piece.count for piece in pieces))

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """One batch of many of one signal, in order: OTLP requests concatenate. Context: the first's."""
        first = batches[0]
        if len(batches) == 1:
            return first
        raw = b"".join([batch.serialize() for batch in batches])
        content = Content(first.signal, sum(batch.count for batch in batches), raw=raw)
        return Batch(content, first.context, Delivery.merge([batch.delivery for batch in batches]))
