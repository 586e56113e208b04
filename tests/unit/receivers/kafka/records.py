"""Records as the consumer reads them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Rec:
    """A record of a topic."""

    value: bytes | None
    offset: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()
    key: bytes | None = None
    topic: str = "t"
    partition: int = 0


def in_order(*values: bytes | None, first: int = 0) -> list[Rec]:
    """Records with offsets in a row."""
    return [Rec(value, first + index) for index, value in enumerate(values)]
