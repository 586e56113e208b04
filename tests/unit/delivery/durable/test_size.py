"""A bound on the payload is a bound on the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pipeline.delivery import Sizer
from pipeline.delivery.durable.file.store import files_of
from pipeline.errors import Refused, Rejected
from pipeline.signals import Outcome
from tests.unit.delivery.durable.storages import queue_file, queue_in, taken
from tests.unit.delivery.scripted import batch_of

LIMIT_BYTES = 2_000_000
LOG_BYTES = 64 << 20


async def test_what_passes_through_does_not_make_the_files_grow(tmp_path: Path) -> None:
    ready = asyncio.Event()
    queue = queue_in(tmp_path, queue_size=LIMIT_BYTES, sizer=Sizer.BYTES)
    await queue.start(ready.set)
    passed = 0
    while passed < 80 << 20:
        waiting = 0
        try:
            while True:
                await queue.put(batch_of(1, size=150_000), None)
                waiting += 1
        except Refused:
            passed += waiting * 150_000
        assert waiting * 150_000 <= LIMIT_BYTES
        for _ in range(waiting):
            (await taken(queue, ready)).delivery.end(Outcome.DELIVERED)
    file, log, _ = (part.stat().st_size for part in files_of(queue_file(tmp_path)))
    queue.close()
    queue.seal()
    await queue.stop()
    # Rows that are on their way out share the file with those that come in.
    assert file < 5 * LIMIT_BYTES
    assert log <= LOG_BYTES + LIMIT_BYTES


async def test_the_limit_is_that_of_the_payload(tmp_path: Path) -> None:
    queue = queue_in(tmp_path, queue_size=LIMIT_BYTES, sizer=Sizer.BYTES)
    await queue.start(lambda: None)
    batch = batch_of(1, size=LIMIT_BYTES * 95 // 100)
    await queue.put(batch, None)
    assert queue.size == len(batch.serialize())
    with pytest.raises(Rejected, match="larger than the whole sending queue"):
        await queue.put(batch_of(1, size=LIMIT_BYTES), None)
    queue.close()
    queue.seal()
    await queue.stop()
