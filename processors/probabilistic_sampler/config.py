"""The Collector's keys of `probabilistic_sampler`."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, InvalidKey
from processors.probabilistic_sampler.modes import to_float32

_SMALLEST_PERCENTAGE = 100 / 2**56


class ProbabilisticSamplerConfig(ConfigModel):
    """How many are kept, and by which randomness."""

    sampling_percentage: float = Field(
        0.0, ge=0, description="How many are kept, in percent, as a 32-bit number; 100 and more keeps all."
    )
    mode: Literal["hash_seed", "proportional", "equalizing", ""] = Field(
        "hash_seed",
        description="`hash_seed`: by a hash of the trace id. `proportional`: so many of those that arrive. "
        "`equalizing`: so many of all there were, before earlier samplers took theirs.",
    )
    hash_seed: int = Field(
        0, ge=0, lt=2**32, description="Seed of the hash: samplers with one seed keep the same traces."
    )
    fail_closed: bool = Field(
        True, description="Drop what cannot be decided on (without a trace id, malformed, sampled in another way)."
    )
    sampling_precision: int = Field(4, ge=1, le=14, description="Hexadecimal digits of a written threshold.")
    attribute_source: Literal["traceID", "record"] = Field(
        "traceID", description="Logs: whether the trace id is hashed, where there is one, or always `from_attribute`."
    )
    from_attribute: str = Field("", description="Logs: attribute of the record that is hashed in place of a trace id.")
    sampling_priority: str = Field(
        "", description="Logs: attribute of the record that has a percentage of its own for it."
    )

    @model_validator(mode="after")
    def _is_possible(self) -> ProbabilisticSamplerConfig:
        percentage = to_float32(self.sampling_percentage)
        if not math.isfinite(percentage):
            raise InvalidKey(f"sampling rate is invalid: {percentage}%", "sampling_percentage")
        if 0 < percentage < _SMALLEST_PERCENTAGE:
            raise InvalidKey(f"sampling rate is too small: {percentage:g}%", "sampling_percentage")
        return self
