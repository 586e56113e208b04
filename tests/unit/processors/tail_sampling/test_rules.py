"""What becomes of a trace when several policies speak."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipeline.config import ConfigModel
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import make_host
from processors.sampling.thresholds import ALWAYS, NEVER, threshold_digits
from processors.tail_sampling.policies.joining import And, AndConfig
from processors.tail_sampling.policy import Decision, Policy, Setting, TraceFacts
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace
from tests.support.policy_cases import Case, decision_cases, rules_of, trace_of, waiting


@pytest.mark.parametrize("case", decision_cases(), ids=lambda case: case.about)
def test_decision(case: Case) -> None:
    weighted = case.options.get("weights", False)
    setting = Setting(weighted=weighted, legacy_invert_match=case.options.get("legacy_invert_match", False))
    first = case.options.get("sample_on_first_match", False)
    rules = rules_of(case.policies, setting, sample_on_first_match=first)
    decision = rules.decide(waiting(rules, case.trace), 0.0)
    assert (decision.kept, decision.rule) == (case.kept, case.rule)
    if weighted:
        assert case.threshold == ("" if decision.threshold is None else threshold_digits(decision.threshold))


class Broken(Policy):
    """Fails with the text of a span."""

    type = "broken"
    Config = ConfigModel

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        raise ValueError("a secret of the span")


class Says(Policy):
    """Has one answer, and counts how often it is asked."""

    type = "says"
    Config = ConfigModel

    def __init__(self, name: str, answer: int) -> None:
        super().__init__(name, None, Setting())
        self.answer = answer
        self.asked = 0

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        self.asked += 1
        return self.answer


ALL: Final = {"name": "all", "type": "always_sample"}
ERRORS: Final = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
HEALTH: Final = {"name": "health", "type": "drop", "drop": {"drop_sub_policy": [
    {"type": "string_attribute", "string_attribute": {"key": "route", "values": ["/health"]}}]}}  # fmt: skip


def trace(rules: Rules, *spans: dict[str, Any]) -> Trace:
    return waiting(rules, trace_of(bytes(15) + b"\1", spans or [{}]))


def test_equal_watches_share_one_place() -> None:
    values = {"key": "route", "values": ["/a"]}
    same = [{"name": name, "type": "string_attribute", "string_attribute": values} for name in ("a", "b")]
    inside = {"name": "c", "type": "and", "and": {"and_sub_policy": [same[0], {**same[0], "type": "trace_flags"}]}}
    del inside["and"]["and_sub_policy"][1]["string_attribute"]  # type: ignore[index]  # a block of the table
    rules = rules_of([*same, inside])
    assert len(rules.watches) == 2
    assert rules.begin() == [False, False]


def test_a_policy_that_fails_is_skipped_counted_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    host = make_host("tail_sampling")
    broken, half = Broken("broken", None, Setting()), Says("half", NEVER // 2)
    rules = Rules([broken, half], Setting(weighted=True), log=host.log)
    rules.bind(host.meter)
    decisions = [rules.decide(Trace(bytes(16), NEVER - 1, 0.0, []), 0.0) for _ in range(3)]
    rules.publish()
    # What it would have said nobody knows.
    assert decisions == [Decision(kept=True, rule="half")] * 3
    errors = host.meter.counter("otelcol_processor_tail_sampling_sampling_policy_evaluation_error", "")
    assert errors._value.get() == 3
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "A sampling policy failed and is skipped."
    ]
    assert "secret" not in caplog.text


def test_a_policy_that_fails_for_one_trace_of_many_costs_no_other() -> None:
    class Choosy(Broken):
        is_stateless = True

        def threshold(self, trace: TraceFacts, now_s: float) -> int:
            return ALWAYS if trace.trace_id[0] else super().threshold(trace, now_s)

    rules = Rules([Choosy("choosy", None, Setting())], Setting())
    assert rules.are_stateless
    traces = [Trace(bytes([number]) * 16, 0, 0.0, []) for number in range(3)]
    assert [decision.kept for decision in rules.decide_all(traces, 0.0)] == [False, True, True]
    assert rules._keeps[0].counts.errors == 1


def test_once_one_has_kept_it_nobody_else_is_asked_if_that_is_wanted() -> None:
    policies = [Says("first", ALWAYS), Says("second", ALWAYS)]
    Rules(policies, Setting(), sample_on_first_match=True).decide(Trace(bytes(16), 0, 0.0, []), 0.0)
    assert [policy.asked for policy in policies] == [1, 0]
    Rules(policies, Setting()).decide(Trace(bytes(16), 0, 0.0, []), 0.0)
    assert [policy.asked for policy in policies] == [2, 1]


def test_one_without_interest_settles_what_all_have_to_keep() -> None:
    policy = And("all", AndConfig.model_validate({"and_sub_policy": [{"type": "always_sample"}]}), Setting())
    inside = [Says("a", ALWAYS), Says("b", NEVER), Says("c", ALWAYS)]
    policy.contain(inside)
    assert not Rules([policy], Setting()).decide(Trace(bytes(16), 0, 0.0, []), 0.0).kept
    assert [child.asked for child in inside] == [1, 1, 0]


@pytest.mark.parametrize(
    ("policies", "spans", "expected"),
    [
        ([ERRORS], [{}], None),
        ([ERRORS], [{"status": "ERROR"}], Decision(kept=True, rule="errors", threshold=ALWAYS)),
        # A span to come may drop it.
        ([ERRORS, HEALTH], [{"status": "ERROR"}], None),
        ([ERRORS, HEALTH], [{"attributes": {"route": "/health"}}], Decision(kept=False, rule="health")),
        ([{"name": "n", "type": "not", "not": {"not_sub_policy": ERRORS}}], [{}], None),
    ],
)  # fmt: skip
def test_early(policies: list[dict[str, Any]], spans: list[dict[str, Any]], expected: Decision | None) -> None:
    rules = rules_of(policies)
    assert rules.early(trace(rules, *spans), 0.0) == expected


def test_a_policy_that_fails_early_is_asked_again_later() -> None:
    broken = Broken("broken", None, Setting())
    broken.is_instant = True
    assert Rules([broken], Setting()).early(Trace(bytes(16), 0, 0.0, []), 0.0) is None


def test_metrics_of_each_policy() -> None:
    host = make_host("tail_sampling")
    rules = rules_of([ERRORS, ALL, HEALTH])
    rules.bind(host.meter, "eu")
    traces: list[list[dict[str, Any]]] = [[{}], [{"status": "ERROR"}, {}], [{"attributes": {"route": "/health"}}]]
    for spans in traces:
        rules.decide(trace(rules, *spans), 0.0)
    rules.publish()
    rules.publish()
    assert _samples(host.meter.registry, "count_traces_sampled") == {
        ("eu.all", "sampled", "true"): 2, ("eu.all", "not_sampled", "false"): 0,
        ("eu.errors", "sampled", "true"): 1, ("eu.errors", "not_sampled", "false"): 1,
        ("eu.health", "dropped", "false"): 1, ("eu.health", "not_sampled", "false"): 2,
    }  # fmt: skip
    spans_sampled = _samples(host.meter.registry, "count_spans_sampled")
    assert spans_sampled["eu.errors", "sampled", "true"] == 2
    assert spans_sampled["eu.all", "sampled", "true"] == 3
    assert spans_sampled["eu.health", "dropped", "false"] == 1
    executions = _samples(host.meter.registry, "sampling_policy_execution_count")
    assert executions == {("eu.all", "", ""): 2, ("eu.errors", "", ""): 2, ("eu.health", "", ""): 3}
    assert set(_samples(host.meter.registry, "sampling_policy_execution_time_sum")) == set(executions)


def _samples(registry: MetricsRegistry, name: str) -> dict[tuple[str, str, str], float]:
    """By policy, decision and whether it was sampled."""
    return {
        (sample.labels["policy"], sample.labels.get("decision", ""), sample.labels.get("sampled", "")): sample.value
        for metric in registry.collect()
        if metric.name == f"otelcol_processor_tail_sampling_{name}"
        for sample in metric.samples
    }


@pytest.mark.parametrize(("randomness", "kept"), [(NEVER // 2 - 1, True), (NEVER // 2, False)])
def test_a_share_is_dropped_from_its_threshold_on(randomness: int, kept: bool) -> None:
    half = {"type": "probabilistic", "probabilistic": {"sampling_percentage": 50}}
    rules = rules_of(
        [{"name": "less", "type": "drop", "drop": {"drop_sub_policy": [half]}}, ALL], Setting(weighted=True)
    )
    waits = trace(rules)
    waits.randomness = randomness
    assert rules.decide(waits, 0.0).kept is kept


def test_what_a_limit_might_have_kept_has_no_known_probability() -> None:
    """A composite that a trace's randomness did not reach could have kept it, as far as its limits go."""
    few, half = (
        {"name": f"{percent}", "type": "probabilistic", "probabilistic": {"sampling_percentage": percent}}
        for percent in (1, 50)
    )
    composite = {"max_total_spans_per_second": 10, "composite_sub_policy": [few]}
    rules = rules_of([{"name": "c", "type": "composite", "composite": composite}, half], Setting(weighted=True))
    waits = trace(rules)
    waits.randomness = NEVER * 3 // 4
    assert rules.decide(waits, 0.0) == Decision(kept=True, rule="50")


@pytest.mark.parametrize("legacy", [False, True])
def test_inverted_policies_of_old_are_asked_trace_by_trace(legacy: bool) -> None:
    """One of them overrules others, which is no matter of each alone."""
    inverted = {"key": "route", "values": ["/health"], "invert_match": True}
    policies: list[dict[str, Any]] = [ALL, {"name": "no", "type": "string_attribute", "string_attribute": inverted}]
    rules = rules_of(policies, Setting(legacy_invert_match=legacy))
    assert rules.are_stateless is not legacy
    assert rules.decide(trace(rules, {"attributes": {"route": "/health"}}), 0.0).kept is not legacy


@pytest.mark.parametrize(("upper_ms", "is_certain"), [(0, True), (5000, False)])
def test_a_trace_may_still_get_longer_than_a_latency_allows(upper_ms: int, is_certain: bool) -> None:
    bounds = {"threshold_ms": 1000, "upper_threshold_ms": upper_ms}
    rules = rules_of([{"name": "slow", "type": "latency", "latency": bounds}])
    waits = trace(rules)
    waits.start_unix_ns, waits.end_unix_ns = 0, 2 * 10**9
    assert rules.decide(waits, 0.0).kept
    assert (rules.early(waits, 0.0) is not None) is is_certain
