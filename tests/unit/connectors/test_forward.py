"""`forward` hands batches on, with their refusals and reservations."""

from __future__ import annotations

import pytest

from pipeline.connectors.forward import Forward
from pipeline.errors import Refused
from pipeline.signals import Rooms, Signal
from pipeline.testing import BoundedSink, CollectingSink, configured, logs, traces


async def test_each_signal_goes_on_to_its_own_next() -> None:
    forward: Forward = configured(Forward)
    sinks = {Signal.TRACES: CollectingSink(), Signal.LOGS: CollectingSink()}
    forward.connect(sinks)
    await forward.consume(traces({}))
    await forward.consume(logs("a", "b"))
    assert (sinks[Signal.TRACES].count, sinks[Signal.LOGS].count) == (1, 2)


async def test_room_and_refusals_are_those_of_the_next() -> None:
    forward: Forward = configured(Forward)
    sink = BoundedSink(1)
    forward.connect({Signal.TRACES: sink})
    await forward.reserve(traces({}), Rooms())
    assert sink.room == 0
    with pytest.raises(Refused):
        await forward.consume(traces({}))
