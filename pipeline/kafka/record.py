"""A record that was read, as far as it is used: who works on one needs no client library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """What is used of an `aiokafka.ConsumerRecord`."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """Where it was read."""

    @property
    def offset(self) -> int:
        """Where it was read."""

    @property
    def key(self) -> bytes | None:
        """Its key, None for none."""

    @property
    def value(self) -> bytes | None:
        """Its value, None for a mark that the key is deleted."""

    @property
    def headers(self) -> Headers:
        """In their order; a name may stand more than once."""
