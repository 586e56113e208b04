"""One value before and after redaction, for people to see what left the machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Change:
    """An attribute that is not what it was."""

    key: str
    before: str
    after: str


def changes(before: Span, after: Span) -> Iterator[Change]:
    """Text attributes that both spans have under one name, with different values."""
    originals = {entry.key: entry.value.string_value for entry in before.attributes}
    for entry in after.attributes:
        original, now = originals.get(entry.key), entry.value.string_value
        if original and now and original != now:
            yield Change(entry.key, original, now)
