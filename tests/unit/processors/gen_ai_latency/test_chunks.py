"""The gaps between chunks, from the events of a span."""

from __future__ import annotations

import pytest

from processors.gen_ai_latency import chunk_gaps
from tests.unit.processors.gen_ai_latency.timing import CHUNK, STREAM, span_of


def test_there_is_a_gap_behind_each_chunk_but_the_last() -> None:
    _, span = span_of(STREAM, (CHUNK, 0.2), ("exception", 0.3), (CHUNK, 0.5), (CHUNK, 0.6))
    assert chunk_gaps(span) == pytest.approx([0.3, 0.1])


def test_events_may_count_themselves() -> None:
    _, span = span_of(STREAM, ("mlflow.chunk.item.9", 0.2), ("mlflow.chunk.item.10", 0.3))
    assert chunk_gaps(span) == pytest.approx([0.1])


@pytest.mark.parametrize(
    "times", [(), (0.2,), (0.4, 0.2), (-0.1, 0.2), (0.2, 1.1)], ids=["none", "one", "order", "before", "behind"]
)
def test_there_are_no_gaps_where_chunks_do_not_tell(times: tuple[float, ...]) -> None:
    _, span = span_of(STREAM, *((CHUNK, at_s) for at_s in times))
    assert list(chunk_gaps(span)) == []


def test_other_events_are_no_chunks() -> None:
    _, span = span_of(STREAM, ("exception", 0.2), ("First Token Stream Event", 0.3), ("chunk.1", 0.4), ("7", 0.5))
    assert list(chunk_gaps(span)) == []
