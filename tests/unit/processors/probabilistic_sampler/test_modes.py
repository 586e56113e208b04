"""What the real Collector (v0.145) writes for the same percentages and ids; see the comparison beside servers."""

from __future__ import annotations

import pytest

from processors.probabilistic_sampler.modes import HashSeed, Mode, mode_of, to_float32
from processors.sampling.thresholds import ALWAYS, NEVER, threshold_digits

IDS = [
    bytes.fromhex(digits)
    for digits in (
        "0af7651916cd43dd8448eb211c80319c",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00000000000000000000000000000001",
        "ffffffffffffffffffffffffffffffff",
    )
]


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (0, ["886c204b10dde4", "fdc80d0b42008d", "74f42e348fe2c2", "aae80a44919545"]),
        (22, ["f984040d03019e", "3e50158161306b", "4b3c1e4893ed30", "693000ed3b65b3"]),
    ],
)
def test_hash_seed(seed: int, expected: list[str]) -> None:
    mode = HashSeed(15.3, seed)
    assert [f"{found:014x}" for found in mode.randomness_of_ids(IDS)] == expected
    assert [mode.randomness_of_bytes(each) for each in IDS] == mode.randomness_of_ids(IDS)


def test_randomness_of_the_standard() -> None:
    for name in ("proportional", "equalizing"):
        assert mode_of(name, 50, 1, 4).randomness_of_ids(IDS[:2]) == [0x48EB211C80319C, 0xCE929D0E0E4736]


@pytest.mark.parametrize(
    ("percentage", "hashed", "standard"),
    [
        (0.01, "fffc", "fff9724"),
        (1, "fd74", "fd70a"),
        (12.5, "e", "e"),
        (15.3, "d8d8", "d8d5"),
        (33.333, "aaac", "aaab"),
        (50, "8", "8"),
        (99.9, "0044", "004189"),
        (100, "0", "0"),
        (250, "0", "0"),
    ],
)
def test_percentages(percentage: float, hashed: str, standard: str) -> None:
    assert threshold_digits(mode_of("hash_seed", percentage, 0, 4).threshold(None)) == hashed
    for name in ("proportional", "equalizing"):
        assert threshold_digits(mode_of(name, percentage, 0, 4).threshold(None)) == standard


def test_what_came_sampled() -> None:
    half, quarter = 1 << 55, 3 << 54
    assert mode_of("proportional", 50, 0, 4).threshold(half) == quarter
    assert mode_of("proportional", 100, 0, 4).threshold(half) == half
    assert mode_of("proportional", 1e-10, 0, 4).threshold(NEVER - 1) == NEVER
    assert mode_of("equalizing", 25, 0, 4).threshold(half) == quarter
    assert mode_of("equalizing", 75, 0, 4).threshold(half) == half


@pytest.mark.parametrize(("digits", "expected"), [(1, "b"), (2, "ab"), (4, "aaab"), (14, "aaaae28f5c28f4")])
def test_digits(digits: int, expected: str) -> None:
    assert threshold_digits(mode_of("equalizing", 33.333, 0, digits).threshold(None)) == expected


@pytest.mark.parametrize(
    ("mode", "keeps_none"),
    [
        (mode_of("", 0.001, 0, 4), True),
        (mode_of("equalizing", 0, 0, 4), True),
        (mode_of("proportional", 0, 0, 4), True),
        (mode_of("proportional", 0.001, 0, 4), False),
        (mode_of("hash_seed", 0.01, 0, 4), False),
    ],
)
def test_none_is_kept(mode: Mode, keeps_none: bool) -> None:
    assert mode.keeps_none is keeps_none
    assert (mode.threshold(None) == NEVER) is keeps_none
    assert mode_of("", 100, 0, 4).threshold(None) == ALWAYS


def test_percentages_have_32_bits() -> None:
    assert to_float32(15.3) == 15.300000190734863
    assert to_float32(1e39) == float("inf")
