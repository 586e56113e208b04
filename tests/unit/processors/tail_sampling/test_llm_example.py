"""The configuration that is shown for LLM applications: what it finds in traffic whose truth is known."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from pipeline.signals.values import set_any_value
from processors.sampling.thresholds import ALWAYS, BITS, NEVER, adjusted_count_of
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.scanning import Scanner
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import Trace
from tests.support.sampling import Traffic, generate
from tests.support.sampling_otlp import pb_of
from tests.unit.processors.tail_sampling.policies.scanned import Made, scanned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.sampling import PlainTrace

EXAMPLE = Path(__file__).parents[4] / "configs" / "overlays" / "sampling.yaml"
LOADED = yaml.safe_load(EXAMPLE.read_text())["processors"]["tail_sampling"]
TRAFFIC = Traffic(
    traces=1200, tenants=2, templates=4, error_share=0.03, flagged_share=0.02, low_score_share=0.03, giant_share=0.001
)
ADAPTIVE: list[dict[str, Any]] = [
    {
        "name": "slow",
        "type": "attribute",
        "attribute": {
            "key": "gen_ai.response.time_to_first_chunk",
            "percentile": {"above": 0.95, "by": ["gen_ai.request.model"], "window": "30s", "min_count": 20},
            "sampling_percentage": 40,
        },
    },
    {
        "name": "unusual",
        "type": "agent",
        "agent": {"percentile": {"above": 0.9, "of": ["tool_calls", "depth"], "window": "30s"}},
    },
    {"name": "cover", "type": "coverage", "coverage": {"keys": ["gen_ai.prompt.name"], "window": "2m"}},
    {"name": "rare", "type": "rare", "rare": {"keys": ["gen_ai.request.model"], "per_tenant": True, "window": "1m"}},
    {"name": "baseline", "type": "probabilistic", "probabilistic": {"sampling_percentage": 5}},
]


def inner_policies() -> list[dict[str, Any]]:
    """Those within the budget, where each tells by its name what it kept."""
    policies: list[dict[str, Any]] = LOADED["policies"][0]["budget"]["policies"]
    return policies


def rules_of(policies: Sequence[dict[str, Any]]) -> Rules:
    setting = Setting(weighted=True)
    config = TailSamplingConfig.model_validate({"policies": policies})
    return Rules(build_policies(config.policies, setting), setting)


def read(rules: Rules, plain: PlainTrace) -> Trace:
    """The trace with its facts, as the scanner gathers them; it is due when its last span has come."""
    scanner, heads = Scanner(rules.watches), Heads()
    trace = Trace(plain.trace_id, int.from_bytes(plain.trace_id[-7:], "big"), 0.0, rules.begin())
    trace.tenant = plain.tenant
    for span in (*plain.spans, *plain.again):
        group = ResourceSpans()
        set_any_value(group.resource.attributes.add(key="service.name").value, span.service)
        scope = ScopeSpans(spans=[pb_of(plain, span)])
        scanner.scan(
            trace, heads.get(b"", group.SerializeToString(), b""), scope.SerializeToString(), list(scope.spans)
        )
        trace.span_count += 1
        trace.last_s = max(trace.last_s, span.arrived_s)
    return trace


@pytest.fixture(scope="module")
def traffic() -> list[PlainTrace]:
    return generate(TRAFFIC)


def test_all_errors_attacks_and_low_scores_are_kept_for_certain(traffic: list[PlainTrace]) -> None:
    rules = rules_of(LOADED["policies"])
    traces = sorted(((read(rules, plain), plain) for plain in traffic), key=lambda pair: pair[0].last_s)
    decided = [(rules.decide(trace, trace.last_s), plain) for trace, plain in traces]
    wanted = [decision for decision, plain in decided if plain.is_interesting]
    assert len(wanted) > 50
    assert {(decision.kept, decision.threshold) for decision in wanted} == {(True, ALWAYS)}
    assert sum(decision.kept for decision, _ in decided) < 0.5 * len(decided)


@pytest.mark.parametrize(
    ("rule", "is_meant"),
    [("errors", "is_error"), ("attack", "is_flagged"), ("low-evaluation", "is_low_score")],
)
def test_each_rule_finds_what_it_is_for_and_nothing_else(traffic: list[PlainTrace], rule: str, is_meant: str) -> None:
    rules = rules_of([policy for policy in inner_policies() if policy["name"] == rule])
    found = [rules.decide(read(rules, plain), 0.0).kept for plain in traffic]
    assert found == [getattr(plain, is_meant) for plain in traffic]
    assert sum(found) > 10


def feedback(score: float) -> Made:
    said = {"gen_ai.evaluation.name": "user_feedback", "gen_ai.evaluation.score.value": score}
    return Made(events=[("gen_ai.evaluation.result", said)])


def tool(arguments: int, *error: str) -> Made:
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": str(arguments)}
    return Made({**said, **({"error.type": error[0]} if error else {})})


FOUND: list[tuple[str, list[Made]]] = [
    ("thumbs-down", [feedback(-1.0)]),
    ("thumbs-down", [feedback(0.0)]),
    ("expensive", [Made({"penstock.cost.usd": 0.4}) for _ in range(3)]),
    ("refused-or-cut", [Made({"gen_ai.response.finish_reasons": ["stop", "content_filter"]})]),
    ("agent-astray", [tool(number, "timeout") for number in range(3)]),
    ("agent-astray", [tool(7)] * 5),
    ("prompt-versions", [Made({"gen_ai.prompt.name": "a", "gen_ai.prompt.version": "2"})]),
    ("rare-models", [Made({"gen_ai.request.model": "new"})]),
]
LEFT: list[list[Made]] = [
    [feedback(1.0)],
    [Made({"penstock.cost.usd": 0.4}) for _ in range(2)],
    [Made({"gen_ai.response.finish_reasons": ["stop"]})],
    [tool(1, "timeout"), tool(2, "timeout")],
    [Made({"gen_ai.prompt.name": "a"})],
    [Made({"gen_ai.response.time_to_first_chunk": 99.0})],
]


@pytest.mark.parametrize(("rule", "spans"), FOUND)
def test_what_is_meant_is_kept_by_the_rule_for_it(rule: str, spans: list[Made]) -> None:
    rules = rules_of(inner_policies())
    decision = rules.decide(scanned(rules, *spans), 0.0)
    assert (decision.kept, decision.rule, decision.threshold) == (True, rule, ALWAYS)


@pytest.mark.parametrize("spans", LEFT)
def test_what_is_ordinary_is_left_to_the_baseline(spans: list[Made]) -> None:
    rules = rules_of(inner_policies())
    decision = rules.decide(scanned(rules, *spans, trace_id=b"\xff" * 16), 0.0)
    assert (decision.kept, decision.rule) == (True, "baseline")
    assert not rules.decide(scanned(rules, *spans), 0.0).kept


def test_no_threshold_depends_on_randomness_so_that_estimates_are_unbiased() -> None:
    plain = generate(Traffic(traces=1500, seed=4))
    traces = sorted((read(rules_of(ADAPTIVE), one) for one in plain), key=lambda trace: trace.last_s)
    thresholds = smallest(traces)
    assert len(set(thresholds)) > 20
    rng, estimates = random.Random(7), []
    for run in range(200):
        for trace in traces:
            trace.randomness = rng.getrandbits(BITS)
        if run < 3:
            assert smallest(traces) == thresholds
        kept = (t for trace, t in zip(traces, thresholds, strict=True) if t <= trace.randomness)
        estimates.append(sum(map(adjusted_count_of, kept)))
    assert fmean(estimates) == pytest.approx(1500, rel=0.01)


def smallest(traces: Sequence[Trace]) -> list[int]:
    """T of each trace, asked of policies that know nothing yet; policies of different rules share no state."""
    setting = Setting(weighted=True)
    config = TailSamplingConfig.model_validate({"policies": ADAPTIVE})
    policies = build_policies(config.policies, setting)
    Rules(policies, setting)
    found = [min(policy.threshold(trace, trace.last_s) for policy in policies) for trace in traces]
    assert NEVER not in found
    return found
