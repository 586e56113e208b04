from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.hashing import START_32, START_64, fnv1a_32, fnv1a_32_of_ids, fnv1a_64, fnv1a_64_of_ids


# draft-eastlake-fnv, appendix C: test vectors.
@pytest.mark.parametrize(
    ("data", "of_32", "of_64"),
    [
        (b"", 0x811C9DC5, 0xCBF29CE484222325),
        (b"a", 0xE40C292C, 0xAF63DC4C8601EC8C),
        (b"foobar", 0xBF9CF968, 0x85944171F73967E8),
    ],
)
def test_known_hashes(data: bytes, of_32: int, of_64: int) -> None:
    assert fnv1a_32(data) == of_32
    assert fnv1a_64(data) == of_64


def test_a_state_goes_on() -> None:
    assert fnv1a_32(b"bar", fnv1a_32(b"foo")) == fnv1a_32(b"foobar")
    assert fnv1a_64(b"bar", fnv1a_64(b"foo")) == fnv1a_64(b"foobar")


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=40), st.integers(0, 2**32 - 1))
def test_ids_side_by_side(ids: list[bytes], state: int) -> None:
    assert fnv1a_32_of_ids(ids, state) == [fnv1a_32(each, state) for each in ids]


def test_more_ids_than_are_hashed_at_once() -> None:
    ids = [number.to_bytes(16, "big") for number in range(700)]
    assert fnv1a_32_of_ids(ids) == [fnv1a_32(each, START_32) for each in ids]


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=40), st.integers(0, 2**64 - 1))
def test_ids_side_by_side_in_64_bits(ids: list[bytes], state: int) -> None:
    assert fnv1a_64_of_ids(ids, state) == [fnv1a_64(each, state) for each in ids]


def test_more_ids_than_are_hashed_at_once_in_64_bits() -> None:
    ids = [number.to_bytes(16, "big") for number in range(700)]
    assert fnv1a_64_of_ids(ids) == [fnv1a_64(each, START_64) for each in ids]


def test_ids_of_other_sizes() -> None:
    ids = [b"", *(bytes([number]) * 16 for number in range(20)), bytes(8)]
    assert fnv1a_64_of_ids(ids) == [fnv1a_64(each) for each in ids]
