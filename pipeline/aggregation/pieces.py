"""Batches in parts that can be counted without holding the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from pipeline.signals import Batch

# So much is counted in less than 10 ms.
_AT_ONCE_RECORDS: Final = 1024
_AT_ONCE_BYTES: Final = 1 << 20


def fits_at_once(batch: Batch) -> bool:
    """Whether a batch need not be cut."""
    return batch.count <= _AT_ONCE_RECORDS and batch.size_bytes <= _AT_ONCE_BYTES


async def pieces_of(batch: Batch) -> AsyncIterator[Batch]:
    """The batch, or parts of a large one, cut in another thread; all are of the batch's delivery, to be ended once."""
    if fits_at_once(batch):
        yield batch
        return
    pieces = batch.pieces(max_items=_AT_ONCE_RECORDS, max_bytes=_AT_ONCE_BYTES)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
