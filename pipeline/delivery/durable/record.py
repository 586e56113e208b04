"""A request in the durable queue, as it is in memory and as a row of the file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pipeline.delivery.durable.file.errors import StoreDamagedError
from pipeline.delivery.durable.file.store import ROW_BYTES, Row
from pipeline.signals import Batch, Content, Context, Signal
from pipeline.signals.context import NO_CONTEXT

_CREDENTIALS: Final = frozenset(("authorization", "proxy-authorization", "cookie"))
"""Client metadata (`include_metadata`) that is never written to a disk."""
_to_json: Final = json.JSONEncoder(separators=(",", ":")).encode


class Record:
    """One request of the queue with its bytes.

    Attributes:
        id: place in the queue.
        content: what to send; bytes only, so that it weighs no more than it must.
        context: where it came from, without who sent it: that is proof for one request, and not kept.
    """

    __slots__ = ("content", "context", "id", "stored_unix_ms")

    def __init__(self, row_id: int, content: Content, context: Context, stored_unix_ms: int) -> None:
        """Put together what belongs together."""
        self.id = row_id
        self.content = content
        self.context = context
        self.stored_unix_ms = stored_unix_ms

    @classmethod
    def of_batch(cls, batch: Batch, now_unix_ms: int) -> Record:
        """A record of a batch that is admitted; it gets its place when it is written."""
        context = batch.context
        kept = Context(context.receiver, context.transport, context.peer, _without_credentials(context.metadata))
        return cls(0, Content(batch.signal, batch.count, raw=batch.serialize()), kept, now_unix_ms)

    @classmethod
    def of_row(cls, row: Row, signal: Signal) -> Record:
        """A record that was read. Raises StoreDamagedError where it is not as it was written."""
        if not row.is_whole:
            raise StoreDamagedError("a row is not as it was written")
        return cls(row.id, Content(signal, row.items, raw=row.body), decode_context(row.context), row.stored_unix_ms)

    @property
    def weight_bytes(self) -> int:
        """About what it takes up in memory."""
        return self.content.size_bytes + ROW_BYTES

    def row(self) -> Row:
        """What is written."""
        content = self.content
        return Row(
            self.id,
            content.count,
            content.size_bytes,
            self.stored_unix_ms,
            encode_context(self.context),
            content.serialize(),
        )

    def shed(self) -> None:
        """Let go of what a sender has made of the bytes."""
        content = self.content
        self.content = Content(content.signal, content.count, raw=content.serialize())


def _without_credentials(metadata: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """What a client says beside its data, without what proves who it is: nobody asks for that behind a queue."""
    if metadata.keys().isdisjoint(_CREDENTIALS):
        return metadata
    return {name: values for name, values in metadata.items() if name not in _CREDENTIALS}


def encode_context(context: Context) -> str:
    """Context as JSON. What a client may have sent as a header has a form in it, whatever it is."""
    fields: dict[str, Any] = {
        "receiver": context.receiver,
        "transport": context.transport,
        "peer": context.peer,
        "metadata": dict(context.metadata),
    }
    return _to_json(fields)


@lru_cache(maxsize=256)
def decode_context(text: str) -> Context:
    """The context of a row; an empty one where it cannot be read, since the data matters more."""
    try:
        fields = json.loads(text)
        metadata = {str(key): tuple(map(str, values)) for key, values in fields["metadata"].items()}
        return Context(str(fields["receiver"]), str(fields["transport"]), str(fields["peer"]), metadata)
    except (ValueError, KeyError, TypeError, AttributeError):
        return NO_CONTEXT
