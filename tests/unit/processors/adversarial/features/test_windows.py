"""Tests of windows: at every scale each code point is in one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.adversarial.features.windows import SCALES, Windows, windows_of
from tests.unit.processors.adversarial.models import block_of

EDGES = sorted({scale + step for scale in SCALES for step in (-scale // 2, -1, 0, 1, scale // 2, scale // 2 + 1)})


def windows_by_text(lengths: list[int]) -> list[list[tuple[int, int]]]:
    """Windows of texts so long, as ranges within them."""
    block = block_of(*("x" * length for length in lengths))
    windows = windows_of(block)
    found: list[list[tuple[int, int]]] = [[] for _ in lengths]
    for text, start, end in zip(*(column.tolist() for column in windows), strict=True):
        begin = int(block.starts[text])
        found[text].append((start - begin, end - begin))
    return found


@settings(max_examples=100)
@given(st.lists(st.one_of(st.sampled_from([0, 1, *EDGES]), st.integers(0, 3000)), min_size=1, max_size=4))
@example([0])
@example(EDGES)
def test_each_code_point_is_in_a_window_of_each_scale(lengths: list[int]) -> None:
    for length, windows in zip(lengths, windows_by_text(lengths), strict=True):
        assert all(0 <= start <= end <= length for start, end in windows)
        assert len(set(windows)) == len(windows)
        for scale in SCALES:
            if scale > SCALES[0] and length <= scale // 2:
                continue
            covered = np.zeros(length, np.bool_)
            for start, end in windows:
                if end - start == scale or (end == length and start % (scale // 2) == 0 and end - start <= scale):
                    covered[start:end] = True
            assert covered.all(), scale


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_half_as_long_as_a_scale_is_in_one_window_as_a_whole(scale: int) -> None:
    length = 4 * SCALES[-1]
    half = scale // 2
    windows = windows_by_text([length])[0]

    for start in range(length - half + 1):
        assert any(first <= start and start + half <= last for first, last in windows)


def test_a_small_text_is_one_window() -> None:
    assert windows_by_text([0, 1, SCALES[0] // 2]) == [[(0, 0)], [(0, 1)], [(0, SCALES[0] // 2)]]


def test_windows_of_a_text_do_not_depend_on_others() -> None:
    lengths = [900, 0, 131, 2500]

    assert windows_by_text(lengths) == [windows_by_text([length])[0] for length in lengths]


def test_some_of_the_windows() -> None:
    windows = Windows(np.array([0, 0, 1]), np.array([10, 20, 30]), np.array([15, 25, 35]))

    taken = windows.take(np.array([2, 0]))

    assert [column.tolist() for column in taken] == [[1, 0], [30, 10], [35, 15]]
