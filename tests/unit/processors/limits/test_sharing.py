"""Room is divided fairly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.limits.sharing import Want, share


def test_small_wants_are_met_and_large_ones_get_the_same() -> None:
    assert share(100, [Want(0, 10), Want(0, 500), Want(0, 1000)]) == [10, 45, 45]


def test_the_heavier_get_more() -> None:
    assert share(80, [Want(0, 500, 3), Want(0, 500, 1)]) == [60, 20]


def test_everyone_gets_the_least() -> None:
    assert share(0, [Want(5, 10), Want(7, 7)]) == [5, 7]


@given(
    st.integers(0, 2000),
    st.lists(st.builds(lambda a, b, w: Want(a, a + b, w), st.integers(0, 50), st.integers(0, 500), st.integers(1, 3))),
)
def test_nobody_gets_too_much_and_nothing_is_wasted(room: int, wants: list[Want]) -> None:
    given_to = share(room, wants)
    assert all(want.least <= got <= want.most for want, got in zip(wants, given_to, strict=True))
    if sum(want.least for want in wants) <= room:
        assert sum(given_to) <= room
        assert sum(given_to) > room - len(wants) or given_to == [want.most for want in wants]
