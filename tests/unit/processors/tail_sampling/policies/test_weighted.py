"""`weighted`: probabilities proportional to what traces weigh, at a rate."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from processors.sampling.thresholds import ALWAYS, NEVER, probability_of, randomness_of
from processors.tail_sampling.policies.weighted import Weighted, WeightedConfig
from processors.tail_sampling.policy import Setting, Span
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace

COST = "penstock.cost.usd"
TRACE_ID = bytes(16)


class Pb:
    """As much of a span as the sum looks at."""

    def __init__(self, number: int) -> None:
        self.span_id = number.to_bytes(8, "big")


class Alone(Rules):
    """Rules of one policy."""

    def __init__(self, config: WeightedConfig, setting: Setting) -> None:
        self.policy = Weighted("it", config, setting)
        super().__init__([self.policy], setting)


def rules_of(setting: Setting | None = None, **config: Any) -> Alone:
    return Alone(WeightedConfig(**config), setting or Setting(weighted=True))


def trace_of(rules: Alone, *spans: dict[str, Any]) -> Trace:
    trace = Trace(TRACE_ID, randomness_of(TRACE_ID), 0.0, rules.begin())
    for number, attributes in enumerate(spans):
        trace.span_count += 1
        for slot, watch in enumerate(rules.watches):
            if watch.keys & attributes.keys():
                trace.facts[slot] = watch.add(trace.facts[slot], Span(Pb(number), attributes))
    return trace


def thresholds_of(
    rules: Alone, weights: list[float], rate: float, seconds: float, seed: int = 1
) -> list[tuple[float, int]]:
    """Weight and threshold of traces that come at a rate, after the first two intervals."""
    rng, now_s, found = random.Random(seed), 0.0, []
    policy = rules.policy
    while now_s < seconds:
        now_s += rng.expovariate(rate)
        weight = rng.choice(weights)
        threshold = policy.threshold(trace_of(rules, {COST: weight}), now_s)
        if now_s > 20:
            found.append((weight, threshold))
    return found


def test_the_rate_is_met_and_probabilities_are_proportional() -> None:
    found = thresholds_of(rules_of(key=COST, traces_per_second=10), [0.001, 0.01, 0.1, 5.0], 200, 120)
    by_weight: dict[float, set[int]] = {}
    for weight, threshold in found:
        by_weight.setdefault(weight, set()).add(threshold)
    assert by_weight[5.0] <= {ALWAYS} or probability_of(max(by_weight[5.0])) > 0.15
    for cheap, dear in ((0.001, 0.01), (0.01, 0.1)):
        ratio = probability_of(min(by_weight[dear])) / probability_of(min(by_weight[cheap]))
        assert ratio == pytest.approx(10, rel=0.01)
    assert sum(probability_of(threshold) for _, threshold in found) / 100 == pytest.approx(10, rel=0.1)


def test_a_rate_of_spans_counts_the_spans_of_each_trace() -> None:
    rules = rules_of(by="spans", spans_per_second=40)
    now_s, kept = 0.0, 0.0
    while now_s < 120:
        now_s += 0.005
        threshold = rules.policy.threshold(trace_of(rules, *[{}] * 4), now_s)
        kept += 4 * probability_of(threshold) if now_s > 20 else 0
    assert kept / 100 == pytest.approx(40, rel=0.1)


def test_workers_have_a_share_each() -> None:
    setting = Setting(weighted=True, share=0.25)
    found = thresholds_of(rules_of(setting, key=COST, traces_per_second=40), [1.0, 2.0], 200, 120)
    assert sum(probability_of(threshold) for _, threshold in found) / 100 == pytest.approx(10, rel=0.1)


def test_what_has_no_weight_is_left_to_others_or_has_the_share_of_the_floor() -> None:
    for floor, expected in ((0.0, 0.0), (25.0, 0.25)):
        rules = rules_of(key=COST, traces_per_second=1, floor_percentage=floor)
        without: list[list[dict[str, Any]]] = [
            [],
            [{}],
            [{COST: 0.0}],
            [{COST: -1.0}],
            [{COST: float("nan")}],
            [{COST: "much"}],
        ]
        for spans in without:
            threshold = rules.policy.threshold(trace_of(rules, *spans), 1.0)
            assert probability_of(threshold) == pytest.approx(expected)


def test_no_weight_is_too_large() -> None:
    rules = rules_of(key=COST, traces_per_second=1)
    for costs in ([1e308], [1e308, 1e308], [5e-324]):
        assert rules.policy.threshold(trace_of(rules, *({COST: cost} for cost in costs)), 1.0) < NEVER


def test_the_sum_and_the_largest_of_spans() -> None:
    """Two policies see the same trace; where sums are equal and maxima are not, only one of them tells traces apart."""
    for aggregate, ratio in (("sum", 1.0), ("max", 2.0)):
        rules = rules_of(key=COST, traces_per_second=5, aggregate=aggregate)
        policy, found = rules.policy, {}
        for number in range(4000):
            for name, costs in (("one", (2.0,)), ("two", (1.0, 1.0))):
                found[name] = policy.threshold(trace_of(rules, *({COST: cost} for cost in costs)), number / 100)
        assert probability_of(found["one"]) / probability_of(found["two"]) == pytest.approx(ratio, rel=0.001)


@pytest.mark.parametrize(
    ("by", "attribute"), [("duration", "end_unix_ns"), ("spans", "span_count"), ("bytes", "size_bytes")]
)
def test_weights_that_need_no_attribute(by: str, attribute: str) -> None:
    rules = rules_of(by=by, traces_per_second=5)
    policy, found = rules.policy, {}
    for number in range(4000):
        for weight in (100, 300):
            trace = trace_of(rules)
            trace.start_unix_ns = 0
            setattr(trace, attribute, weight)
            found[weight] = policy.threshold(trace, number / 100)
    assert probability_of(found[300]) / probability_of(found[100]) == pytest.approx(3, rel=0.001)


def test_what_was_learned_outlives_a_reload() -> None:
    setting = Setting(weighted=True)
    thresholds_of(rules_of(setting, key=COST, traces_per_second=1), [1.0], 100, 60)
    again = rules_of(setting, key=COST, traces_per_second=1)
    assert probability_of(again.policy.threshold(trace_of(again, {COST: 1.0}), 60.1)) == pytest.approx(0.01, rel=0.2)


@pytest.mark.parametrize(
    "config",
    [
        {"traces_per_second": 1},
        {"key": COST, "by": "spans", "traces_per_second": 1},
        {"key": COST},
        {"key": COST, "traces_per_second": 1, "spans_per_second": 1},
    ],
)
def test_what_is_missing_or_too_much_is_told(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="set either"):
        WeightedConfig(**config)


def test_the_floor_holds_for_what_weighs_little_too() -> None:
    rules = rules_of(key=COST, traces_per_second=1, floor_percentage=5)
    found = thresholds_of(rules, [0.001, 100.0], 200, 60)
    assert [probability_of(each) for each in {threshold for weight, threshold in found if weight < 1}] == [
        pytest.approx(0.05, rel=1e-4)
    ]
