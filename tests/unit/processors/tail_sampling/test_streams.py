"""Traces that were kept early, and are not over for those who brought them."""

from __future__ import annotations

from typing import Any, Final

from pipeline.errors import Refused
from pipeline.signals import Delivery, Outcome, Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import FakeClock, make_host
from tests.unit.processors.tail_sampling.test_processor import Run, spans, traces_of

QUIET: Final[dict[str, Any]] = {"deadline": {"settle": 2.0, "idle": 10.0}}


def states(*deliveries: Delivery) -> list[bool]:
    return [delivery.resolved for delivery in deliveries]


async def test_spans_leave_early_and_their_handles_end_when_the_trace_is_over() -> None:
    async with Run(**QUIET) as run:
        first = await run.send(spans(1, error=True, root=False))
        await run.clock.advance(5.0)
        second = await run.send(spans(1, 1, root=False))
        await run.clock.advance(5.0)
        assert traces_of(run.sink) == [1, 1, 1]
        third = await run.send(spans(1))
        assert [*states(first, second, third), first.held] == [False, False, False, 1]

        await run.clock.advance(1.8)
        assert states(first, second, third) == [False, False, False]
        await run.clock.advance(0.5)
        assert states(first, second, third) == [True, True, True]
        assert {delivery.outcome for delivery in (first, second, third)} == {Outcome.DELIVERED}
        assert first.held == 0


async def test_without_a_root_they_end_when_it_is_idle() -> None:
    async with Run(**QUIET) as run:
        first = await run.send(spans(1, error=True, root=False))
        await run.clock.advance(9.8)
        assert states(first) == [False]
        await run.clock.advance(0.5)
        assert states(first) == [True]


async def test_a_root_among_others_ends_them_sooner() -> None:
    async with Run(deadline={"settle": 2.0, "idle": 60.0}) as run:
        first = await run.send(spans(1, error=True, root=False))
        await run.clock.advance(1.0)
        mixed = spans(1, 1, 1, root=False)
        message: Any = mixed.message
        message.resource_spans[0].scope_spans[0].spans[1].parent_span_id = b""
        second = await run.send(parse(Signal.TRACES, message.SerializeToString()))
        await run.clock.advance(1.7)
        assert states(first, second) == [False, False]
        await run.clock.advance(0.6)
        assert states(first, second) == [True, True]


async def test_what_comes_later_is_nobodys_concern() -> None:
    async with Run(**QUIET) as run:
        await run.send(spans(1, error=True))
        await run.clock.advance(3.0)
        late = await run.send(spans(1))
        await run.clock.advance(0.3)
        assert traces_of(run.sink) == [1, 1]
        assert states(late) == [True]


async def test_what_somebody_else_brings_again_is_not_over() -> None:
    async with Run(**QUIET) as run:
        first, other = (
            await run.send(spans(1, error=True, root=False)),
            await run.send(spans(2, error=True, root=False)),
        )
        await run.clock.advance(1.0)
        first.disown()
        await run.clock.advance(0.3)
        assert states(first, other) == [True, False]
        assert (first.outcome, type(first.error)) == (Outcome.FAILED, Refused)


async def test_what_only_one_of_two_brings_again_goes_on() -> None:
    async with Run(**QUIET) as run:
        first = await run.send(spans(1, error=True, root=False))
        second = await run.send(spans(1, root=False))
        second.disown()
        await run.clock.advance(1.0)
        assert states(first, second) == [False, False]
        await run.clock.advance(9.5)
        assert [first.outcome, second.outcome] == [Outcome.DELIVERED] * 2
        assert states(first, second) == [True, True]


async def test_they_are_no_more_than_traces_that_may_wait() -> None:
    async with Run(**QUIET, num_traces=3) as run:
        sent = [await run.send(spans(number, error=True, root=False)) for number in range(1, 6)]
        await run.clock.advance(1.0)
        assert states(*sent) == [False, False, False, True, True]
        assert len(traces_of(run.sink)) == 5


async def test_the_end_ends_them() -> None:
    async with Run(**QUIET) as run:
        first, lost = await run.send(spans(1, error=True, root=False)), await run.send(spans(2, error=True, root=False))
        lost.disown()
    assert [delivery.outcome for delivery in (first, lost)] == [Outcome.DELIVERED, Outcome.FAILED]


async def test_a_successor_goes_on() -> None:
    registry = MetricsRegistry()
    async with Run(**QUIET, host=make_host("tail_sampling", clock=FakeClock(), registry=registry)) as old:
        first = await old.send(spans(1, error=True, root=False))
        async with Run(**QUIET, host=make_host("tail_sampling", clock=old.host.clock, registry=registry)) as new:
            second = await new.send(spans(1, root=False))
            await old.processor.stop()
            found = [states(first, second)]
            await _advance(new, 10.5)
            found.append(states(first, second))
            assert found == [[False, False], [True, True]]


async def _advance(run: Run, seconds: float) -> None:
    clock = run.host.clock
    assert isinstance(clock, FakeClock)
    await clock.advance(seconds)
