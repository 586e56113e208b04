"""What a replay remembers of a partition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kafka.command.source import Progress

REASONS = ("rejected", "too_large", "undecodable")


@given(
    st.lists(st.sampled_from(REASONS), max_size=30),
    st.lists(st.tuples(st.none() | st.sampled_from(REASONS), st.integers(1, 10)), max_size=10),
)
def test_every_record_is_replayed_once_whatever_reasons_are_asked_for(
    records: list[str], runs: list[tuple[str | None, int]]
) -> None:
    """Each run asks for a reason, or all, and for so many records; what it commits is read by the next."""
    replayed: list[int] = []
    committed = Progress()
    for reason, limit in [*runs, (None, len(records))]:
        progress = Progress.read(committed.offset, committed.metadata())
        assert progress == committed
        for offset in range(progress.behind(reason), len(records)):
            if limit and reason in (None, records[offset]) and not progress.has(offset, records[offset]):
                replayed.append(offset)
                progress.advance(offset, reason)
                limit -= 1  # noqa: PLW2901 - counts down
        committed = progress
    assert sorted(replayed) == list(range(len(records)))


@pytest.mark.parametrize("metadata", ["", "by hand", "[1]", '{"rejected": "x"}'])
def test_metadata_of_others_count_for_nothing(metadata: str) -> None:
    assert Progress.read(7, metadata) == Progress(7)


def test_a_group_without_an_offset_begins_at_the_start() -> None:
    assert Progress.read(-1, "") == Progress(0)
