"""Sums over all traces from those that were kept, many draws at a time.

Horvitz and Thompson, "A generalization of sampling without replacement from a finite universe" (JASA 47, 1952): the sum
of y over all traces is estimated by the sum of y / pi over the kept ones, pi the probability of each being kept. Its
variance is estimated by the sum over pairs of kept ones of (1 - pi_i pi_j / pi_ij) z_i z_j with z = y / pi. For traces
that are drawn independently (Poisson sampling; Saerndal, Swensson and Wretman, "Model Assisted Survey Sampling", 1992,
3.5) only the pairs of a trace with itself are left: the sum of (1 - pi) z^2. Traces of one conversation share their
randomness, so that both of a pair are kept where the less likely one is: pi_ij = min(pi_i, pi_j).

Totals are 95 % intervals of the normal distribution around the estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from processors.sampling.thresholds import ALWAYS, adjusted_count_of, probability_of
from tests.evaluation.sampling.simulation import Verdict
from tests.support.sampling import PlainTrace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MEASURES: Final = ("traces", "tokens", "cost")
_NORMAL_95: Final = 1.959964


@dataclass(slots=True)
class Population:
    """All traces, sorted by what they share their randomness with, then by probability.

    Attributes:
        probability: of being kept, given that the trace came in.
        group: traces of one group share their randomness.
        values: of each measure, each trace as many times as it stands for when it comes in.
        spans: of each trace.
        tenant: number of each trace's tenant.
    """

    probability: Floats
    group: Ints
    values: dict[str, Floats]
    spans: Floats
    tenant: Ints

    @classmethod
    def of(cls, traces: Sequence[PlainTrace], verdicts: Sequence[Verdict]) -> Self:
        """From what rules said of each trace."""
        names: dict[str, int] = {}
        tenants: dict[str, int] = {}
        probability, group, tenant = [], [], []
        for number, (trace, verdict) in enumerate(zip(traces, verdicts, strict=True)):
            came_in, threshold = trace.threshold_in or ALWAYS, verdict.threshold
            assert threshold is not None
            probability.append(probability_of(max(came_in, threshold)) / probability_of(came_in))
            own = trace.session if trace.session and not trace.tracestate else f"trace {number}"
            group.append(names.setdefault(own, len(names)))
            tenant.append(tenants.setdefault(trace.tenant, len(tenants)))
        order = np.lexsort((np.array(probability), np.array(group)))
        counts = np.array([adjusted_count_of(trace.threshold_in or ALWAYS) for trace in traces])
        values = {
            "traces": counts,
            "tokens": counts * np.array([trace.tokens for trace in traces]),
            "cost": counts * np.array([trace.cost_usd for trace in traces]),
        }
        return cls(
            np.array(probability)[order],
            np.array(group)[order],
            {name: value[order] for name, value in values.items()},
            np.array([float(len(trace.spans)) for trace in traces])[order],
            np.array(tenant)[order],
        )

    def draw(self, rng: np.random.Generator) -> Ints:
        """Which traces are kept with other randomness."""
        randomness = rng.random(int(self.group.max()) + 1)
        return np.flatnonzero(randomness[self.group] >= 1 - self.probability)

    def uniform(self) -> Floats:
        """Probabilities of a uniform sample that keeps as many spans in expectation."""
        share = float((self.probability * self.spans).sum() / self.spans.sum())
        return np.full_like(self.probability, share)

    def estimate(self, kept: Ints, measure: str) -> tuple[float, float]:
        """The total and its standard error."""
        probability = self.probability[kept]
        scaled = self.values[measure][kept] / probability
        return float(scaled.sum()), float(np.sqrt((1 - probability) @ (scaled * self._pairs(kept, scaled))))

    def _pairs(self, kept: Ints, scaled: Floats) -> Floats:
        """Of each trace its z, and twice those of its group that are less likely than it."""
        group = self.group[kept]
        before = np.cumsum(scaled) - scaled
        is_first = np.r_[True, group[1:] != group[:-1]]
        at_first = np.maximum.accumulate(np.where(is_first, np.arange(len(kept)), 0))
        paired: Floats = scaled + 2 * (before - before[at_first])
        return paired


@dataclass(frozen=True, slots=True)
class Truth:
    """How estimates of one measure behave over many draws.

    Attributes:
        bias: of their mean, relative to the truth.
        deviation: standard deviation of one, relative to the truth.
        coverage: share of the draws whose 95 % interval holds the truth.
    """

    bias: float
    deviation: float
    coverage: float


def truths(population: Population, draws: int, seed: int) -> dict[str, Truth]:
    """By measure."""
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float]]] = {measure: [] for measure in MEASURES}
    for _ in range(draws):
        kept = population.draw(rng)
        for measure in MEASURES:
            found[measure].append(population.estimate(kept, measure))
    return {
        measure: _truth(np.array(pairs), float(population.values[measure].sum())) for measure, pairs in found.items()
    }


def _truth(estimates: Floats, total: float) -> Truth:
    errors = estimates[:, 0] / total - 1
    margins = _NORMAL_95 * estimates[:, 1] / total
    return Truth(float(errors.mean()), float(errors.std()), float((np.abs(errors) <= margins).mean()))


def tenant_errors(population: Population, probability: Floats, draws: int, seed: int) -> float:
    """Mean relative error of each tenant's estimated cost, over tenants and draws."""
    rng = np.random.default_rng(seed)
    cost, tenant = population.values["cost"], population.tenant
    truth = np.bincount(tenant, cost)
    errors = []
    for _ in range(draws):
        randomness = rng.random(int(population.group.max()) + 1)
        kept = np.flatnonzero(randomness[population.group] >= 1 - probability)
        estimated = np.bincount(tenant[kept], cost[kept] / probability[kept], minlength=len(truth))
        errors.append(np.abs(estimated / truth - 1).mean())
    return float(np.mean(errors))
