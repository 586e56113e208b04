from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.probabilistic_sampler.config import ProbabilisticSamplerConfig


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sampling_percentage": -1}, "greater than or equal to 0"),
        ({"sampling_percentage": float("inf")}, "finite number"),
        ({"sampling_percentage": 1e39}, "sampling rate is invalid"),
        ({"sampling_percentage": 1e-20}, "sampling rate is too small: 1e-20%"),
        ({"mode": "x"}, "mode"),
        ({"hash_seed": -1}, "hash_seed"),
        ({"hash_seed": 2**32}, "hash_seed"),
        ({"sampling_precision": 0}, "sampling_precision"),
        ({"sampling_precision": 15}, "sampling_precision"),
        ({"attribute_source": "x"}, "attribute_source"),
    ],
)
def test_what_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ProbabilisticSamplerConfig(**keys)


def test_what_is_taken() -> None:
    assert ProbabilisticSamplerConfig().sampling_percentage == 0
    assert ProbabilisticSamplerConfig(sampling_percentage=250, hash_seed=2**32 - 1, sampling_precision=14).mode
    assert ProbabilisticSamplerConfig(mode="", sampling_percentage=100 / 2**56).mode == ""
