"""The memory of calls: its size, and what of it several processors share."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import make_host
from processors.gen_ai_normalizer.counting.calls import MEMORY_BYTES, Calls, calls_of
from processors.gen_ai_normalizer.counting.reports import Note, Report

CALLS, MANY = 32_000, 200_000


def report(number: int, *, parent: int = 0, response: bool = True, library: int = 1) -> Report:
    """A call whose every value is an object of its own, as values out of a message are."""
    start_ns = 1_700_000_000_000_000_000 + number * 1_000_000
    return Report(
        span_id=number.to_bytes(8, "big"),
        parent_id=parent.to_bytes(8, "big") if parent else b"",
        source=(library, 1),
        start_ns=start_ns,
        end_ns=start_ns + 900_000,
        input_tokens=1000 + number,
        output_tokens=2000 + number,
        model=hash("gpt-4o-mini") + number,
        response=hash(f"chatcmpl-{number}") if response else 0,
        is_server=False,
        first=None,
    )


def own_traces() -> Iterator[tuple[bytes, Report]]:
    return ((number.to_bytes(16, "big"), report(number)) for number in range(1, CALLS))


def below_parents() -> Iterator[tuple[bytes, Report]]:
    return ((number.to_bytes(16, "big"), report(number, parent=number + MANY)) for number in range(1, MANY))


def without_response() -> Iterator[tuple[bytes, Report]]:
    calls = (report(number, parent=number + CALLS, response=False) for number in range(1, CALLS))
    return ((call.span_id * 2, call) for call in calls)


def short_traces() -> Iterator[tuple[bytes, Report]]:
    return (((number // 2).to_bytes(16, "big"), report(number, parent=number + CALLS)) for number in range(2, CALLS))


def one_trace() -> Iterator[tuple[bytes, Report]]:
    return ((b"t" * 16, report(number, parent=number + CALLS)) for number in range(1, CALLS))


def two_libraries() -> Iterator[tuple[bytes, Report]]:
    """Traces in which every report is compared with those before it."""
    calls = (report(number, parent=number + CALLS, library=number % 2) for number in range(1, CALLS))
    return (((number // 20).to_bytes(16, "big"), call) for number, call in enumerate(calls))


def one_response() -> Iterator[tuple[bytes, Report]]:
    same = report(1)
    return ((number.to_bytes(16, "big"), report(number)._replace(response=same.response)) for number in range(1, CALLS))


def most_bytes(entries: int, remember: Callable[[Calls], Iterator[None]]) -> int:
    """The most that the memory takes; what is remembered at last is measured, since the allocator is slow to ask."""
    memory, most = Calls(), 0
    try:
        for number, _ in enumerate(remember(memory)):
            if number == max(0, entries - CALLS):
                gc.collect()
                tracemalloc.start()
            if number % 500 == 0:
                memory.forget(0.0)
                most = max(most, tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    "calls", [own_traces, below_parents, without_response, short_traces, one_trace, two_libraries, one_response]
)
def test_memory_is_bounded_in_bytes(calls: Callable[[], Iterator[tuple[bytes, Report]]]) -> None:
    """What the allocator says is never above the bound, and most of the bound is put to use."""

    def remember(memory: Calls) -> Iterator[None]:
        for trace_id, call in calls():
            yield None
            note: Note = (*call,)
            memory.see(trace_id, note, is_loose=not (call.parent_id and call.response))

    entries = MANY if calls is below_parents else CALLS
    assert MEMORY_BYTES / 2 < most_bytes(entries, remember) < MEMORY_BYTES


def test_links_are_in_the_bound() -> None:
    def remember(memory: Calls) -> Iterator[None]:
        for number in range(3 * CALLS):
            yield None
            memory.link(number.to_bytes(16, "big"), number.to_bytes(8, "big"), (number + 1).to_bytes(8, "big"))

    assert MEMORY_BYTES / 2 < most_bytes(CALLS, remember) < MEMORY_BYTES


def test_the_pipelines_of_a_processor_share_their_memory() -> None:
    registry = MetricsRegistry()
    spans, logs = (make_host("gen_ai_normalizer", registry=registry) for _ in range(2))
    assert calls_of(spans) is calls_of(logs)
    assert calls_of(make_host("gen_ai_normalizer/other", registry=registry)) is not calls_of(spans)
    assert calls_of(make_host("gen_ai_normalizer")) is not calls_of(spans)


def test_sources_do_not_make_the_table_larger() -> None:
    memory = Calls()
    for number in range(5000):
        memory.source(f"library {number}", "")
    assert len(memory._sources) <= 1024
    assert memory.source("library 1", "") == memory.source("library 1", "")
