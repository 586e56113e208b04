"""A `batch` block can be turned off by a key of its own."""

from __future__ import annotations

from tests.unit.delivery.scripted import batch_of, rig, settle, started


async def test_a_batch_block_that_is_off_joins_nothing() -> None:
    made = await started(rig(batch={"enabled": False, "min_size": 100}))

    await made.consume(batch_of(1))
    await made.consume(batch_of(2))
    await settle()

    assert made.exporter.requests == [[1], [2]]
