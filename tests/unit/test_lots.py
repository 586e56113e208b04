"""Lots: everything in its order, none too large but one that is so alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.lots import lots


@given(st.lists(st.integers(0, 12)), st.integers(1, 20))
def test_all_are_in_lots_that_could_not_take_the_next(sizes: list[int], most: int) -> None:
    found = list(lots(sizes, abs, most))

    assert [size for lot in found for size in lot] == sizes
    assert all(sum(lot) <= most or len(lot) == 1 for lot in found)
    assert all(sum(lot) + following[0] > most for lot, following in pairwise(found))
