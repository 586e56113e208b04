"""What kept traces say of all of them: sums by adjusted counts, and how far they may be off.

Horvitz and Thompson (1952): a sum over the whole is estimated by what was kept, each divided by the probability of its
being kept. Its variance is estimated by the sum over pairs of (1 - pi_i pi_j / pi_ij) z_i z_j with z = y / pi. Traces
of one randomness (a conversation) are kept together: pi_ij is the smaller of the two; all others are independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import Final, NamedTuple

_NORMAL_95: Final = 1.959964
"""Quantile of the normal distribution: 95 % lie within so many standard deviations."""


class Kept(NamedTuple):
    """One kept trace.

    Attributes:
        randomness: shared by the traces that are kept together.
        probability: with which it was kept.
        value: what is summed.
    """

    randomness: int
    probability: float
    value: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated sum.

    Attributes:
        margin: half the width of the 95 % interval.
    """

    total: float
    margin: float

    def error(self, truth: float) -> float | None:
        """Relative to the truth; None where that is 0."""
        return (self.total - truth) / truth if truth else None

    def covers(self, truth: float) -> bool:
        """Whether the interval holds the truth."""
        # What is added up in another order differs in the last digits.
        return abs(self.total - truth) <= self.margin + 1e-9 * abs(truth)


def estimate(kept: Iterable[Kept]) -> Estimate:
    """The sum over all traces, kept or not. No probability is 0."""
    together: dict[int, list[Kept]] = defaultdict(list)
    total = 0.0
    for trace in kept:
        total += trace.value / trace.probability
        together[trace.randomness].append(trace)
    variance = sum(_variance(traces) for traces in together.values())
    return Estimate(total, _NORMAL_95 * sqrt(variance))


def _variance(traces: Sequence[Kept]) -> float:
    """Of traces that are kept together: the least likely of them decides on each pair."""
    if len(traces) == 1:
        _, probability, value = traces[0]
        return (1 - probability) * (value / probability) ** 2
    by_probability = sorted(traces, key=lambda trace: trace.probability)
    scaled = [trace.value / trace.probability for trace in by_probability]
    before = accumulate(scaled, initial=0.0)
    return sum(
        (1 - trace.probability) * z * (z + 2 * less_likely)
        for trace, z, less_likely in zip(by_probability, scaled, before, strict=False)
    )
