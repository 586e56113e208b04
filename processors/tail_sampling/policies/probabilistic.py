"""`probabilistic`: a share of the traces."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from pydantic import Field

from pipeline.config import ConfigModel
from processors.sampling.hashing import fnv1a_64, fnv1a_64_of_ids
from processors.sampling.thresholds import ALWAYS, threshold_of
from processors.tail_sampling.policy import NEVER, Policy, Setting, TraceFacts

_DEFAULT_SALT: Final = "default-hash-seed"
_MAX: Final = (1 << 64) - 1


class ProbabilisticConfig(ConfigModel):
    """Which share."""

    sampling_percentage: float = Field(0.0, description="Share of the traces that is kept, percent.")
    hash_salt: str = Field(
        "", description="Text that is hashed before the trace id; without effect where weights are written."
    )


def largest_hash(percentage: float) -> int:
    """The largest hash that is kept: the share of 2^64 - 1, rounded to 64 binary digits and then down."""
    exact = Fraction(percentage / 100) * _MAX
    if exact <= 0:
        return 0
    if exact >= _MAX:
        return _MAX
    shift = 64 - int(exact).bit_length()
    return int(Fraction(round(exact * 2**shift), 2**shift))


class Probabilistic(Policy):
    """Keeps a share of the traces, by a salted hash of the trace id, or by the randomness where weights are written."""

    type = "probabilistic"
    Config = ProbabilisticConfig
    is_instant = True
    is_stateless = True

    def __init__(self, name: str, config: ProbabilisticConfig, setting: Setting) -> None:
        """The share as a threshold of the randomness, or as the largest hash."""
        super().__init__(name, config, setting)
        self._threshold = threshold_of(config.sampling_percentage / 100) if setting.weighted else None
        self._salted = fnv1a_64((config.hash_salt or _DEFAULT_SALT).encode())
        self._largest = largest_hash(config.sampling_percentage)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """T of the share; without weights ALWAYS or NEVER by the hash."""
        if self._threshold is not None:
            return self._threshold
        return ALWAYS if fnv1a_64(trace.trace_id, self._salted) <= self._largest else NEVER

    def thresholds(self, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        """See `Policy`."""
        if self._threshold is not None:
            return [self._threshold] * len(traces)
        largest = self._largest
        hashes = fnv1a_64_of_ids([trace.trace_id for trace in traces], self._salted)
        return [ALWAYS if each <= largest else NEVER for each in hashes]
