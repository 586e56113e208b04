"""The low watermark, whatever the order in which data ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.receivers.kafka.progress import Progress, Stretch


def test_nothing_is_committed_before_anything_ends() -> None:
    progress = Progress()
    progress.begin(5, 8, 2)
    assert progress.to_commit() is None
    assert not progress.is_idle


def test_a_stretch_ends_with_its_last_part() -> None:
    progress = Progress()
    stretch = progress.begin(5, 8, 2)
    progress.end(stretch)
    assert progress.to_commit() is None
    progress.split(stretch, 1)
    progress.end(stretch)
    progress.end(stretch)
    assert progress.to_commit() == 8
    assert progress.is_idle


def test_what_holds_nothing_ends_in_its_turn() -> None:
    progress = Progress()
    first = progress.begin(0, 2, 1)
    progress.begin(2, 5, 0)
    assert progress.to_commit() is None
    progress.end(first)
    assert progress.to_commit() == 5


def test_what_is_committed_is_not_committed_again() -> None:
    progress = Progress()
    progress.end(progress.begin(0, 2, 1))
    progress.committed = 2
    assert progress.to_commit() is None
    progress.end(progress.begin(2, 3, 1))
    assert progress.to_commit() == 3


def test_a_part_ends_once() -> None:
    progress = Progress()
    stretch = progress.begin(0, 1, 1)
    progress.end(stretch)
    with pytest.raises(RuntimeError, match="ended twice"):
        progress.end(stretch)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3)), max_size=30),
    data=st.data(),
)
def test_the_watermark_is_where_all_below_has_ended(sizes: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """Sizes: records of a stretch, offsets that hold nothing in front of it, its parts."""
    progress = Progress()
    open_parts: list[Stretch] = []
    offset = 0
    ended: dict[int, bool] = {}
    for records, gap, parts in sizes:
        first = offset + gap
        stretch = progress.begin(first, first + records, parts)
        offset = first + records
        ended[offset] = not parts
        open_parts += [stretch] * parts
        for which in data.draw(st.lists(st.integers(0, 100), max_size=5)):
            if not open_parts:
                break
            part = open_parts.pop(which % len(open_parts))
            progress.end(part)
            ended[part.next] = part not in open_parts
        reached = None
        for end in sorted(ended):
            if not ended[end]:
                break
            reached = end
        assert progress.to_commit() == reached
