"""Attacks on a running processor: stops, reloads and cancelled callers at the worst moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.component import Host
from pipeline.errors import Refused
from pipeline.signals import Batch, Outcome, Rooms
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import CollectingSink, make_host
from processors.tail_sampling.processor import TailSampling
from tests.unit.processors.tail_sampling.test_processor import ALL, Closed, spans, traces_of
from tests.unit.processors.tail_sampling.test_processor import Run as Processor


def large(first: int = 0) -> Batch:
    return spans(*range(first, first + 1000))


class Run(Processor):
    """With a registry that successors share."""

    def __init__(self, sink: Any = None, *, host: Host | None = None, **config: Any) -> None:
        self.registry = MetricsRegistry() if host is None else host.meter.registry
        super().__init__(sink, host=host or make_host("tail_sampling", registry=self.registry), **config)
        self.clock = self.host.clock  # type: ignore[assignment]  # a fake one


def successor(run: Run, **config: Any) -> Run:
    """Another instance of the same processor, as a reload makes it."""
    host = make_host("tail_sampling", clock=run.clock, registry=run.registry)
    return Run(run.sink, host=host, **config)


async def fill(run: Run, pad: int, until_stuck: bool = True) -> list[Batch]:
    """Send until nothing more is taken, or decided."""
    taken = []
    for number in range(1000):
        each = spans(number, pad=pad)
        try:
            await run.send(each)
        except Refused:
            break
        taken.append(each)
        await run.clock.advance(0.02)
        if until_stuck and run.processor._is_stuck():
            break
    return taken


async def test_a_full_buffer_leaves_at_the_end_no_faster_than_it_is_taken(tmp_path: Path) -> None:
    sink = Closed()
    buffer = {"max_bytes": 1 << 20, "spill_directory": str(tmp_path), "compress_above_bytes": 0}
    run = Run(sink, decision_wait=1000.0, policies=ALL, buffer=buffer)
    await run.processor.start()
    taken = [await run.send(spans(*[number] * 10, pad=2000)) for number in range(400)]
    stopping = asyncio.create_task(run.processor.stop())
    for _ in range(2000):
        await asyncio.sleep(0)
        assert run.processor.outlet.held_bytes < 2 << 20
    sink.open.set()
    await stopping
    assert sink.taken.count == 4000
    assert all(delivery.outcome is Outcome.DELIVERED for delivery in taken)


async def test_a_stop_that_has_no_time_ends_all_that_waits() -> None:
    sink = Closed()
    run = Run(sink, decision_wait=1000.0, policies=ALL, buffer={"max_bytes": 1 << 20})
    await run.processor.start()
    taken = [await run.send(spans(number, pad=2000)) for number in range(200)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await run.processor.stop()
    assert all(delivery.resolved and isinstance(delivery.error, Refused) for delivery in taken)


class Hanging:
    """A decision topic that does not close."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_a_stop_that_has_no_time_to_close_ends_what_it_could_not_send() -> None:
    run = Run(decision_wait=1000.0, policies=ALL)
    await run.processor.start()
    run.processor._topic = Hanging()  # type: ignore[assignment]  # one that hangs
    run.processor.next = Closed()
    taken = await run.send(spans(1))
    stopping = asyncio.create_task(run.processor.stop())
    await asyncio.sleep(0.01)
    stopping.cancel()
    await asyncio.sleep(0.01)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert taken.resolved


async def test_what_others_bring_again_is_let_go_though_nothing_can_leave() -> None:
    async with Run(Closed(), decision_wait=0.1, policies=ALL, buffer={"max_bytes": 1 << 20}) as run:
        await fill(run, pad=20_000)
        assert run.processor._is_stuck()
        late = await run.send(spans(5000))
        late.disown()
        await run.clock.advance(0.2)
        assert late.outcome is Outcome.FAILED


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("then", ["wait", "stop", "reload"])
async def test_a_cancelled_caller_of_a_large_request(turns: int, then: str) -> None:
    sink = CollectingSink()
    run = Run(sink, decision_wait=1.0, policies=ALL)
    await run.processor.start()
    last = run
    given = large()
    calling = asyncio.create_task(run.processor.consume(given))
    for _ in range(turns):
        await asyncio.sleep(0)
    was_taken = calling.done()
    calling.cancel()
    if then == "stop":
        await run.processor.stop()
    elif then == "reload":
        last = successor(run, decision_wait=1.0, policies=ALL)
        await last.processor.start()
        await run.processor.stop()
    with pytest.raises(asyncio.CancelledError) if not was_taken else pytest.MonkeyPatch.context():
        await calling
    if then != "stop":
        await asyncio.sleep(0.01)
        await last.processor.stop()
    if turns:
        assert given.delivery.outcome is Outcome.DELIVERED
        assert given.delivery.resolved
        assert sorted(traces_of(sink)) == list(range(1000))
    else:
        # It was never begun: nobody has it.
        assert not sink.count


def _failing(work: Iterator[None]) -> Iterator[None]:
    yield from [next(work)]
    raise ZeroDivisionError


@pytest.mark.parametrize("ends", ["cancel", "stop"])
async def test_a_large_request_that_fails_when_its_caller_has_gone(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(decision_wait=1.0, policies=ALL)
    await run.processor.start()
    adding = run.processor.sampler.adding
    monkeypatch.setattr(run.processor.sampler, "adding", lambda *given: _failing(adding(*given)))
    given = large()
    calling = asyncio.create_task(run.processor.consume(given))
    await asyncio.sleep(0)
    if ends == "cancel":
        calling.cancel()
    await run.processor.stop()
    await asyncio.wait([calling])
    assert given.delivery.resolved
    assert isinstance(given.delivery.error, Refused)


async def test_room_that_was_kept_before_a_stop_is_no_way_in_behind_it() -> None:
    run = Run(decision_wait=1.0, policies=ALL)
    await run.processor.start()
    given, rooms = spans(1), Rooms()
    await run.processor.reserve(given, rooms)
    given.rooms = rooms
    await run.processor.stop()
    with pytest.raises(Refused, match="shutting down"):
        await run.processor.consume(given)
    assert not run.processor.sampler.open


async def test_reloads_in_a_row_while_nothing_can_leave() -> None:
    sink = Closed()
    policies: list[Any] = ALL
    first = Run(sink, decision_wait=0.1, policies=policies, buffer={"max_bytes": 1 << 20})
    await first.processor.start()
    taken = await fill(first, pad=20_000)
    runs: list[TailSampling] = [first.processor]
    stops = []
    for number in range(3):
        more = [{"name": f"all {number}", "type": "always_sample"}] if number else ALL
        run = successor(first, decision_wait=0.1, policies=more, buffer={"max_bytes": 1 << 20})
        await run.processor.start()
        stops.append(asyncio.create_task(runs[-1].stop()))
        for _ in range(5):
            await asyncio.sleep(0)
        runs.append(run.processor)
        each = spans(2000 + number)
        await runs[number].consume(each)
        taken.append(each)
    sink.open.set()
    await asyncio.gather(*stops)
    await runs[-1].stop()
    assert all(each.delivery.outcome is Outcome.DELIVERED and each.delivery.resolved for each in taken)
    assert sink.taken.count == len(taken)
