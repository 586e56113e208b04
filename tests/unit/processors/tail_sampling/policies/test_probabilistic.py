"""Shares of the traces: the Collector's hash, and the shared randomness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.hashing import fnv1a_64
from processors.sampling.thresholds import ALWAYS, NEVER, threshold_of
from processors.tail_sampling.policies.probabilistic import Probabilistic, ProbabilisticConfig, largest_hash
from processors.tail_sampling.policy import Setting
from processors.trace_buffer.trace import Trace


def policy(percentage: float, salt: str = "", *, weighted: bool = False) -> Probabilistic:
    config = ProbabilisticConfig(sampling_percentage=percentage, hash_salt=salt)
    return Probabilistic("it", config, Setting(weighted=weighted))


def answer(policy: Probabilistic, trace_id: bytes) -> int:
    return policy.threshold(Trace(trace_id, 0, 0.0, []), 0.0)


@pytest.mark.parametrize(
    ("percentage", "largest"),
    [
        (0, 0), (-1, 0), (100, 2**64 - 1), (1000, 2**64 - 1), (50, 2**63 - 1), (25, 2**62 - 1),
        (10, 1844674407370955263),
    ],
)  # fmt: skip
def test_the_largest_hash_that_is_kept(percentage: float, largest: int) -> None:
    # 10 %: the double next to 0.1 is a little above it, and the product is rounded to 64 binary digits.
    assert abs(largest_hash(percentage) - largest) <= (2**11 if percentage == 10 else 1)


def test_the_salt_is_hashed_before_the_trace_id() -> None:
    trace_id = bytes(range(16))
    share = fnv1a_64(b"pepper" + trace_id) / (2**64 - 1) * 100
    assert answer(policy(share + 1e-9, "pepper"), trace_id) == ALWAYS
    assert answer(policy(share - 1e-9, "pepper"), trace_id) == NEVER
    default = fnv1a_64(b"default-hash-seed" + trace_id) / (2**64 - 1) * 100
    assert answer(policy(default + 1e-9), trace_id) == ALWAYS
    assert answer(policy(default - 1e-9), trace_id) == NEVER


@given(st.binary(min_size=16, max_size=16), st.floats(0, 100), st.text())
def test_with_weights_the_share_is_a_threshold_of_the_randomness(trace_id: bytes, share: float, salt: str) -> None:
    assert answer(policy(share, salt, weighted=True), trace_id) == threshold_of(share / 100)
