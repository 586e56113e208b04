"""What policies with others inside say, whatever the randomness of the traces that they are asked about."""

from __future__ import annotations

import random
from typing import Any

import pytest

from processors.sampling.thresholds import ALWAYS, NEVER, adjusted_count_of, threshold_of
from processors.tail_sampling.policies.budget import Budget
from processors.tail_sampling.policies.joining import And
from processors.tail_sampling.policies.probabilistic import Probabilistic
from processors.tail_sampling.policy import LIMITED, UNKNOWN, Policy, Setting, Span
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace


def share(percentage: float, name: str = "share") -> dict[str, Any]:
    return {"name": name, "type": "probabilistic", "probabilistic": {"sampling_percentage": percentage}}


def all_of(*inside: dict[str, Any], name: str = "all") -> dict[str, Any]:
    return {"name": name, "type": "and", "and": {"and_sub_policy": list(inside)}}


def none_of(inside: dict[str, Any]) -> dict[str, Any]:
    return {"name": "none", "type": "not", "not": {"not_sub_policy": inside}}


RARE = {"name": "rare", "type": "rare", "rare": {"keys": ["k"], "traces": 100, "decay": 0}}
BUCKET = {"name": "bucket", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}


def rules_of(*policies: Policy) -> Rules:
    return Rules(policies, Setting(weighted=True))


def budget(*inside: dict[str, Any], traces_per_second: float) -> Budget:
    config = Budget.Config(traces_per_second=traces_per_second, policies=inside)
    return Budget("budget", config, Setting(weighted=True))


def joined(*inside: dict[str, Any]) -> And:
    return And("all", And.Config(and_sub_policy=inside), Setting(weighted=True))


def probabilistic(percentage: float) -> Probabilistic:
    return Probabilistic("share", Probabilistic.Config(sampling_percentage=percentage), Setting(weighted=True))


def trace_of(rules: Rules, randomness: int) -> Trace:
    facts = [watch.add(watch.begin(), Span(None, {"k": "v"})) for watch in rules.watches]
    trace = Trace(bytes(16), randomness, 0.0, facts)
    trace.span_count, trace.size_bytes, trace.status_codes = 1, 1000, 1
    return trace


def counted(rules: Rules, traces: int, per_second: float, seed: int) -> tuple[float, int]:
    """Of so many traces: what the kept ones stand for, and of how many kept ones nobody knows that."""
    rng, total, unknown = random.Random(seed), 0.0, 0
    for number in range(traces):
        decision = rules.decide(trace_of(rules, rng.randrange(NEVER)), number / per_second)
        if decision.kept and decision.threshold is None:
            unknown += 1
        elif decision.threshold is not None:
            total += adjusted_count_of(decision.threshold)
    return total, unknown


def test_a_share_of_what_is_rare_is_asked_of_all_traces_within_a_budget() -> None:
    """With room in the budget probabilities rise, also of traces whose randomness the share alone would not reach."""
    rules = rules_of(budget(all_of(share(10), RARE), traces_per_second=50))
    total, unknown = counted(rules, 30_000, 100, seed=1)
    assert unknown == 0
    assert total == pytest.approx(30_000, rel=0.03)


def test_within_a_budget_a_chance_that_nobody_knows_makes_all_unknown() -> None:
    rules = rules_of(budget(none_of(share(50)), share(10), traces_per_second=10))
    total, unknown = counted(rules, 4000, 100, seed=2)
    assert total == 0
    assert unknown > 100


def test_where_only_the_unknown_could_have_kept_it_nobody_knows() -> None:
    policy = budget(none_of(share(50)), traces_per_second=10)
    rules = rules_of(policy)
    assert policy.threshold(trace_of(rules, NEVER - 1), 0.0) == LIMITED
    assert policy.threshold(trace_of(rules, ALWAYS), 0.0) == UNKNOWN


def test_who_is_not_asked_for_it_would_cost_others_makes_no_chance_unknown() -> None:
    """A trace that the share does not reach is kept by the larger one: however rare it is, the chance is that one's."""
    rules = rules_of(joined(share(10), RARE), probabilistic(50))
    decision = rules.decide(trace_of(rules, threshold_of(0.3)), 0.0)
    assert decision.threshold == threshold_of(0.5)
    total, unknown = counted(rules, 20_000, 100, seed=3)
    assert unknown == 0
    assert total == pytest.approx(20_000, rel=0.03)


def test_what_a_bucket_is_not_asked_for_stays_unknown() -> None:
    rules = rules_of(joined(share(10), BUCKET), probabilistic(50))
    assert rules.decide(trace_of(rules, threshold_of(0.3)), 0.0).threshold is None
    assert rules.decide(trace_of(rules, NEVER - 1), 0.0).threshold is None


@pytest.mark.parametrize("randomness", [0, NEVER - 1])
def test_one_without_interest_settles_it(randomness: int) -> None:
    errors = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
    policy = joined(share(10), BUCKET, errors)
    assert policy.threshold(trace_of(rules_of(policy), randomness), 0.0) == NEVER
