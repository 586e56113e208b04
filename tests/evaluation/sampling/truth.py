"""Whether the whole can be told from what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from processors.sampling.thresholds import ALWAYS
from tests.evaluation.sampling.estimation import MEASURES, Population, tenant_errors, truths
from tests.evaluation.sampling.goals import Goal
from tests.evaluation.sampling.simulation import Outcome, config_of, simulate, within_budget
from tests.evaluation.sampling.wholeness import is_in_time, randomness
from tests.support.sampling import PlainTrace, Traffic, generate, with_other_ids

TRACES_PER_SECOND: Final = 100
SPANS_PER_SECOND: Final = 25.0
_TENANT_DRAWS: Final = 200
_OTHER_IDS: Final = (11,)
"""Seeds of the traffic with other ids."""
_MANY: Final = 1000
"""Draws, of as many traces as go with them. Of fewer, shares are off by chance, and intervals of few kept traces are
less normal.
"""
_SLACK_OF_FEW: Final = 0.08


def traffic(traces: int, seed: int = 1) -> list[PlainTrace]:
    """Bursts of three times the rate, heavy-tailed costs, conversations, and traces that were sampled before."""
    duration_s = traces / TRACES_PER_SECOND
    return generate(
        Traffic(traces=traces, seed=seed, duration_s=duration_s, burst_share=0.06, incoming_share=0.1, skew=1.1)
    )


def truth(traces: int, draws: int) -> list[Goal]:
    """Goals of estimates: thresholds by the real sampler, then many draws of the randomness."""
    sent = traffic(traces)
    config = config_of(within_budget(SPANS_PER_SECOND))
    shown = simulate(sent, config, all_kept=True)
    population = Population.of(sent, [shown.verdicts[trace.trace_id] for trace in sent])
    return [
        Goal("traces that are drawn from", traces, unit=""),
        Goal("draws of the randomness of all traces", draws, unit=""),
        Goal("traces kept, expected", float(population.probability.sum()), unit=""),
        *_estimates(population, draws),
        *_tenants(population, most=0.6 if draws >= _MANY else 0.7),
        *_detection(sent, shown),
        _independence(sent, shown),
    ]


def _estimates(population: Population, draws: int) -> Iterator[Goal]:
    found = truths(population, draws, seed=1)
    # The mean of few draws is off by chance; of a thousand it is not.
    doubt = {measure: 3 * found[measure].deviation / draws**0.5 for measure in MEASURES}
    for measure in MEASURES:
        most = max(0.01, doubt[measure])
        yield Goal(f"bias of the estimated {measure}", abs(found[measure].bias), most=most)
    for measure in MEASURES:
        slack = 0.02 if draws >= _MANY else _SLACK_OF_FEW
        yield Goal(
            f"95 % intervals that hold the true {measure}",
            found[measure].coverage,
            least=0.95 - slack,
            most=0.95 + slack,
        )
    for measure in MEASURES:
        yield Goal(f"standard deviation of the estimated {measure}", found[measure].deviation)


def _tenants(population: Population, most: float) -> Iterator[Goal]:
    ours = tenant_errors(population, population.probability, _TENANT_DRAWS, seed=2)
    uniform = tenant_errors(population, population.uniform(), _TENANT_DRAWS, seed=2)
    yield Goal("error of a tenant's estimated cost, mean", ours)
    yield Goal("error of a tenant's estimated cost, mean, uniform sampling of as many spans", uniform)
    yield Goal("the one relative to the other", ours / uniform, most=most, unit="x")


def _detection(sent: list[PlainTrace], shown: Outcome) -> Iterator[Goal]:
    kinds: dict[str, Callable[[PlainTrace], bool]] = {
        "errors": lambda trace: trace.is_error,
        "flagged": lambda trace: trace.is_flagged,
        "badly judged": lambda trace: trace.is_low_score,
    }
    for name, is_one in kinds.items():
        found = [shown.verdicts[trace.trace_id].threshold for trace in sent if is_one(trace) and is_in_time(trace)]
        yield Goal(f"{name}: kept for certain", sum(one == ALWAYS for one in found) / len(found), least=1.0)


def _independence(sent: list[PlainTrace], shown: Outcome) -> Goal:
    """The same traffic with other ids, decided for real: each trace is kept if its randomness reaches the threshold."""
    wrong = 0
    for seed in _OTHER_IDS:
        others = list(with_other_ids(sent, seed))
        outcome = simulate(others, config_of(within_budget(SPANS_PER_SECOND)))
        for before, now in zip(sent, others, strict=True):
            threshold, verdict = shown.verdicts[before.trace_id].threshold, outcome.verdicts[now.trace_id]
            assert threshold is not None
            is_right = verdict.kept == (randomness(now) >= threshold)
            wrong += not is_right or (verdict.kept and verdict.threshold != threshold)
    return Goal(
        "traces whose threshold or fate depends on the randomness of others, with other ids", wrong, most=0, unit=""
    )
