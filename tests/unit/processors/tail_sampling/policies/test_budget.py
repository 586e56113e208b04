"""`budget`: what other policies want, scaled to a rate."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from processors.sampling.thresholds import NEVER, probability_of, randomness_of
from processors.tail_sampling.policies.budget import Budget, BudgetConfig
from processors.tail_sampling.policy import UNKNOWN, Setting, Span
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace

ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
SMALL_SHARE = {"name": "share", "type": "probabilistic", "probabilistic": {"sampling_percentage": 1}}
LARGE = {"name": "large", "type": "span_count", "span_count": {"min_spans": 5}}
HALF_OF_LARGE = {
    "name": "half of large",
    "type": "and",
    "and": {"and_sub_policy": [LARGE, SMALL_SHARE | {"probabilistic": {"sampling_percentage": 50}}]},
}
SETTLED_S = 45.0


class Alone(Rules):
    """Rules of one policy."""

    def __init__(self, config: BudgetConfig, setting: Setting) -> None:
        self.policy = Budget("it", config, setting)
        super().__init__([self.policy], setting)


def rules_of(setting: Setting | None = None, **config: Any) -> Alone:
    return Alone(BudgetConfig(**config), setting or Setting(weighted=True))


def trace_of(rules: Alone, randomness: int = 0, **values: Any) -> Trace:
    trace = Trace(bytes(16), randomness, 0.0, rules.begin())
    trace.span_count, trace.size_bytes, trace.status_codes = 1, 1000, 1
    for name, value in values.items():
        setattr(trace, name, value)
    return trace


def run(
    rules: Alone, rate: float, seconds: float, make: Callable[[random.Random], dict[str, Any]], seed: int = 1
) -> list[tuple[Trace, float]]:
    """Traces that come at a rate with their probabilities, after the first three intervals."""
    rng, now_s, found = random.Random(seed), 0.0, []
    while now_s < seconds:
        now_s += rng.expovariate(rate)
        trace = trace_of(rules, **make(rng))
        threshold = rules.policy.threshold(trace, now_s)
        if now_s > SETTLED_S:
            found.append((trace, probability_of(threshold)))
    return found


@pytest.mark.parametrize(
    ("config", "cost"),
    [
        ({"spans_per_second": 120}, lambda trace: trace.span_count / 120),
        ({"bytes_per_second": 90_000}, lambda trace: trace.size_bytes / 90_000),
        ({"traces_per_second": 30}, lambda _: 1 / 30),
        ({"usd_per_day": 864, "usd_per_gib": 100}, lambda trace: trace.size_bytes / 2**30 * 100 / 0.01),
        (
            {"usd_per_day": 8.64, "usd_per_million_spans": 1},
            lambda trace: trace.span_count / 1e6 / 1e-4,
        ),
    ],
    ids=["spans", "bytes", "traces", "dollars for bytes", "dollars for spans"],
)
def test_the_rate_is_met(config: dict[str, Any], cost: Callable[[Trace], float]) -> None:
    found = run(
        rules_of(**config),
        300,
        145,
        lambda rng: {"span_count": rng.randint(1, 9), "size_bytes": rng.randint(500, 5000)},
    )
    assert sum(probability * cost(trace) for trace, probability in found) / 100 == pytest.approx(1, rel=0.1)


def test_errors_are_kept_and_the_rest_fills_what_is_left() -> None:
    rules = rules_of(traces_per_second=20, policies=[ERRORS, SMALL_SHARE])
    found = run(rules, 400, 145, lambda rng: {"status_codes": 4 if rng.random() < 0.01 else 1})
    errors = {probability for trace, probability in found if trace.status_codes == 4}
    others = [probability for trace, probability in found if trace.status_codes == 1]
    assert list(errors) == [1.0]
    assert sum(others) / 100 == pytest.approx(16, rel=0.1)


def test_a_share_does_not_rise_where_that_is_not_wanted() -> None:
    for fill, expected in ((True, 0.05), (False, 0.01)):
        found = run(rules_of(traces_per_second=20, policies=[SMALL_SHARE], fill=fill), 400, 95, lambda _: {})
        assert found[-1][1] == pytest.approx(expected, rel=0.1)


def test_probabilities_of_policies_are_relative() -> None:
    rules = rules_of(traces_per_second=10, policies=[SMALL_SHARE, HALF_OF_LARGE])
    found = run(rules, 400, 95, lambda rng: {"span_count": rng.choice((1, 9))})
    last = {trace.span_count: probability for trace, probability in found}
    assert last[9] / last[1] == pytest.approx(50, rel=0.01)


def test_what_nobody_wants_is_not_kept() -> None:
    rules = rules_of(traces_per_second=10, policies=[ERRORS])
    assert rules.policy.threshold(trace_of(rules), 1.0) == NEVER


def test_errors_above_the_budget_are_kept_as_far_as_it_goes() -> None:
    rules = rules_of(traces_per_second=10, policies=[ERRORS, SMALL_SHARE])
    found = run(rules, 400, 145, lambda rng: {"status_codes": 4 if rng.random() < 0.5 else 1})
    spent: dict[int, float] = defaultdict(float)
    for trace, probability in found:
        assert 0 < probability < 1
        spent[trace.status_codes] += probability / 100
    assert spent[4] == pytest.approx(9.5, rel=0.1)
    assert spent[1] == pytest.approx(0.5, rel=0.1)


def test_tenants_share_fairly_by_any_key() -> None:
    """`tenant` is that of the batch; an attribute is found on spans or their resource."""
    for fair_by in ("tenant", "team"):
        rules = rules_of(traces_per_second=40, fair_by=[fair_by])
        watch = rules.watches[0] if rules.watches else None

        def make(rng: random.Random, fair_by: str = fair_by, watch: Any = watch) -> dict[str, Any]:
            name = rng.choices(("noisy", "a", "b"), (90, 7, 3))[0]
            if fair_by == "tenant":
                return {"tenant": name}
            return {"facts": [watch.add("", Span(None, {}, {"team": name}))], "tenant": name}

        spent: dict[str, float] = defaultdict(float)
        for trace, probability in run(rules, 200, 145, make):
            spent[trace.tenant] += probability / 100
        assert spent == {
            "noisy": pytest.approx(20, rel=0.1),
            "a": pytest.approx(14, rel=0.1),
            "b": pytest.approx(6, rel=0.1),
        }


def test_whose_a_trace_is_does_not_depend_on_the_order_of_spans() -> None:
    (watch,) = rules_of(traces_per_second=1, fair_by=["team"]).watches
    first, second = Span(None, {"team": "b"}), Span(None, {"team": "a"})
    assert (
        watch.add(watch.add(watch.begin(), first), second) == watch.add(watch.add(watch.begin(), second), first) == "a"
    )


def test_an_unknown_probability_stays_unknown_within_the_budget() -> None:
    inverted = {"name": "not", "type": "not", "not": {"not_sub_policy": SMALL_SHARE}}
    rules = rules_of(traces_per_second=10, policies=[inverted, ERRORS])
    policy = rules.policy
    for number in range(4000):
        decision = rules.decide(trace_of(rules, randomness=number * (NEVER // 4100)), number / 100)
        assert not decision.kept or decision.threshold is None
    assert policy.threshold(trace_of(rules, randomness=NEVER * 98 // 100), 40.0) == UNKNOWN


def test_the_same_thresholds_whatever_the_randomness() -> None:
    """The proof that nothing learned depends on what was kept."""
    found = []
    for seed in (1, 2):
        rules = rules_of(traces_per_second=20, policies=[ERRORS, SMALL_SHARE], fair_by=["tenant"])
        rng, ids, thresholds = random.Random(3), random.Random(seed), []
        for number in range(20_000):
            tenant, code = f"tenant-{rng.randrange(9)}", 4 if rng.random() < 0.02 else 1
            trace = trace_of(rules, randomness_of(ids.randbytes(16)), tenant=tenant, status_codes=code)
            rules.decide(trace, number / 300)
            trace.randomness = NEVER - 1
            thresholds.append(rules.policy.threshold(trace, number / 300))
        found.append(thresholds)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "set one of spans_per_second"),
        ({"spans_per_second": 1, "bytes_per_second": 1}, "set one of spans_per_second"),
        ({"usd_per_day": 1}, "goes with the prices"),
        ({"spans_per_second": 1, "usd_per_gib": 1}, "goes with the prices"),
        ({"spans_per_second": 1, "policies": [ERRORS, ERRORS]}, "duplicate policy name"),
        ({"spans_per_second": 1, "policies": [ERRORS | {"name": ""}]}, "cannot be empty"),
        (
            {
                "spans_per_second": 1,
                "policies": [{"name": "x", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 1}}],
            },
            "a policy of type rate_limiting cannot stand inside this one",
        ),
    ],
)
def test_what_makes_no_sense_is_told(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BudgetConfig(**config)


def test_what_is_wanted_by_degrees_makes_no_room_for_itself_among_errors() -> None:
    """Each trace is the first of its kind, and wanted as much as can be; errors are kept for certain all the same."""
    rare = {"name": "rare", "type": "rare", "rare": {"keys": ["user"], "traces": 5}}
    rules = rules_of(traces_per_second=20, policies=[ERRORS, rare])
    watch = rules.watches[0]
    number = 0

    def make(rng: random.Random) -> dict[str, Any]:
        nonlocal number
        number += 1
        fact = watch.add(watch.begin(), Span(None, {"user": f"user {number}"}))
        return {"facts": [fact], "status_codes": 4 if rng.random() < 0.02 else 1}

    found = run(rules, 400, 95, make)
    assert {probability for trace, probability in found if trace.status_codes == 4} == {1.0}
    others = [probability for trace, probability in found if trace.status_codes == 1]
    assert sum(others) / 50 == pytest.approx(12, rel=0.15)


def test_what_is_kept_with_a_probability_that_nobody_knows_stays_within_the_budget() -> None:
    inverted = {"name": "not", "type": "not", "not": {"not_sub_policy": SMALL_SHARE}}
    rules, rng = rules_of(traces_per_second=10, policies=[inverted]), random.Random(4)
    kept = sum(
        rules.decide(trace_of(rules, randomness=rng.randrange(NEVER)), number / 200).kept and number > 6000
        for number in range(16_000)
    )
    # Of the twentieth that the budget lets through, a fifth is what the share inside would keep.
    assert kept == pytest.approx(0.8 * 10 * 50, rel=0.2)


def test_the_rule_is_the_policy_inside_that_wanted_it_most() -> None:
    rules = rules_of(traces_per_second=10, policies=[SMALL_SHARE, ERRORS])
    found = [rules.decide(trace_of(rules, NEVER - 1, status_codes=codes), 0.0).rule for codes in (1, 4, 1)]
    assert found == ["it/share", "it/errors", "it/share"]
