"""Ids of spans that have come, against a set of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.tail_sampling.facts.seen import Seen

IDS = st.integers(0, 2**64 - 1) | st.integers(0, 9).flatmap(
    lambda shift: st.integers(0, 3).map(lambda n: n << 8 * shift)
)


@given(st.lists(IDS.map(lambda number: (number % 2**64).to_bytes(8, "big")), max_size=60))
def test_an_id_is_new_once_however_ids_look_alike(ids: list[bytes]) -> None:
    seen, known = Seen(), set[bytes]()
    for span_id in ids:
        assert seen.is_new(span_id) is (span_id not in known)
        known.add(span_id)


def test_an_id_of_another_length_is_always_new() -> None:
    seen = Seen()
    assert [seen.is_new(b"") for _ in range(2)] == [True, True]
    assert [seen.is_new(b"abc") for _ in range(2)] == [True, True]
    seen.is_new(b"abcdefgh")
    assert seen.is_new(b"abc")


def test_so_many_are_remembered() -> None:
    seen, ids = Seen(), [number.to_bytes(8, "big") for number in range(1, 2001)]
    assert all(map(seen.is_new, ids))
    assert [seen.is_new(span_id) for span_id in ids].count(False) == 1024
