"""What holds of decisions whatever the policies and traces are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS, NEVER
from processors.tail_sampling.policies.joining import And, AndConfig
from processors.tail_sampling.policy import LIMITED, UNKNOWN, Policy, Setting, TraceFacts
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.policy_counts import PolicyCounts
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace
from tests.support.policy_cases import items_of, rules_of, trace_of, waiting

RANDOMNESS = st.integers(0, NEVER - 1)
PROBABILITIES = st.one_of(st.just(ALWAYS), st.just(NEVER), st.integers(ALWAYS, NEVER))
ANSWERS = st.one_of(PROBABILITIES, st.just(UNKNOWN), st.just(LIMITED))


class Says(Policy):
    """Answers what it was told to, and counts how often."""

    type = "says"
    Config = ConfigModel

    def __init__(self, name: str, answer: int, *, drops: bool = False) -> None:
        super().__init__(name, None, Setting())
        self.answer, self.drops, self.asked = answer, drops, 0

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        self.asked += 1
        return self.answer


def trace_with(randomness: int) -> Trace:
    return Trace(bytes(9) + randomness.to_bytes(7, "big"), randomness, 0.0, [])


def rules_that_say(answers: list[int], *, weighted: bool = True, first: bool = False) -> Rules:
    policies = [Says(str(place), answer) for place, answer in enumerate(answers)]
    return Rules(policies, Setting(weighted=weighted), sample_on_first_match=first)


@given(st.lists(PROBABILITIES), RANDOMNESS)
def test_the_threshold_is_the_smallest_that_matches(answers: list[int], randomness: int) -> None:
    decision = rules_that_say(answers).decide(trace_with(randomness), 0.0)
    matching = [answer for answer in answers if answer <= randomness]
    assert decision.kept == bool(matching)
    assert decision.threshold == (min(matching) if matching else None)
    assert decision.rule == (str(answers.index(min(matching))) if matching else "")


@given(st.lists(PROBABILITIES), RANDOMNESS, RANDOMNESS)
def test_whoever_has_more_randomness_is_kept_at_the_same_threshold(answers: list[int], one: int, other: int) -> None:
    rules = rules_that_say(answers)
    low, high = sorted((one, other))
    first, second = rules.decide(trace_with(low), 0.0), rules.decide(trace_with(high), 0.0)
    assert second.kept >= first.kept
    if first.kept:
        assert second.threshold == first.threshold


@given(st.lists(ANSWERS), RANDOMNESS)
def test_what_nobody_knows_is_said_to_be_unknown(answers: list[int], randomness: int) -> None:
    decision = rules_that_say(answers).decide(trace_with(randomness), 0.0)
    matching = [answer for answer in answers if answer <= randomness]
    assert decision.kept == bool(matching)
    if ALWAYS in answers:
        assert decision.threshold == ALWAYS
        assert decision.rule == str(answers.index(ALWAYS))
    elif matching and (UNKNOWN in answers or LIMITED in answers):
        assert decision.threshold is None


@given(st.lists(ANSWERS, min_size=1), st.sampled_from([NEVER, NEVER // 2, LIMITED]), RANDOMNESS)
def test_a_drop_by_chance_leaves_no_probability_known(answers: list[int], drop: int, randomness: int) -> None:
    policies = [Says(str(place), answer) for place, answer in enumerate(answers)]
    decision = Rules([*policies, Says("drop", drop, drops=True)], Setting(weighted=True)).decide(
        trace_with(randomness), 0.0
    )
    if drop <= randomness:
        assert (decision.kept, decision.rule) == (False, "drop")
        assert [policy.asked for policy in policies] == [0] * len(policies)
    elif drop != NEVER:
        assert decision.threshold is None


@given(st.lists(ANSWERS), RANDOMNESS, st.booleans())
def test_stopping_at_the_first_match_keeps_the_same(answers: list[int], randomness: int, weighted: bool) -> None:
    trace = trace_with(randomness)
    every = rules_that_say(answers, weighted=weighted).decide(trace, 0.0)
    first = rules_that_say(answers, weighted=weighted, first=True).decide(trace, 0.0)
    assert first.kept == every.kept
    if weighted:
        assert first == every


@given(st.lists(ANSWERS, min_size=1), RANDOMNESS)
def test_and_keeps_what_all_keep(answers: list[int], randomness: int) -> None:
    policy = And("all", AndConfig.model_validate({"and_sub_policy": [{"type": "always_sample"}]}), Setting())
    policy.contain([Says(str(place), answer) for place, answer in enumerate(answers)])
    threshold = policy.threshold(trace_with(randomness), 0.0)
    assert (threshold <= randomness) == all(answer <= randomness for answer in answers)
    if NEVER in answers:
        assert threshold == NEVER
    elif UNKNOWN in answers or LIMITED in answers:
        assert threshold in (UNKNOWN, LIMITED)
    else:
        assert threshold == max(answers)


VALUES = st.sampled_from([0, 1, 60, -5, True, False, "a", "b", "", 1.5])
SPANS = st.fixed_dictionaries(
    {},
    optional={
        "attributes": st.dictionaries(st.sampled_from(["k", "l"]), VALUES),
        "resource": st.dictionaries(st.sampled_from(["k", "l"]), VALUES),
        "status": st.sampled_from(["OK", "ERROR", "UNSET"]),
        "start_ms": st.integers(0, 200),
        "end_ms": st.integers(0, 200),
        "tracestate": st.sampled_from(["", "v=r", "v=b", "=="]),
        "flags": st.sampled_from([0, 1, 2, 0x100]),
    },
)


def block(kind: str, **settings: Any) -> dict[str, Any]:
    return {"type": kind, kind: settings}


LEAF = st.one_of(
    st.just(block("always_sample")),
    st.builds(
        lambda low, high: block("latency", threshold_ms=low, upper_threshold_ms=high),
        st.integers(0, 150), st.sampled_from([0, 150]),
    ),
    st.builds(
        lambda low, invert: block("numeric_attribute", key="k", min_value=low, invert_match=invert),
        st.integers(-10, 70), st.booleans(),
    ),
    st.builds(
        lambda value, invert: block("boolean_attribute", key="k", value=value, invert_match=invert),
        st.booleans(), st.booleans(),
    ),
    st.builds(
        lambda values, regex, invert: block(
            "string_attribute", key="l", values=values, enabled_regex_matching=regex, invert_match=invert
        ),
        st.lists(st.sampled_from(["a", "b", ""])), st.booleans(), st.booleans(),
    ),
    st.builds(lambda percent: block("probabilistic", sampling_percentage=percent), st.sampled_from([0, 50, 100])),
    st.builds(lambda code: block("status_code", status_codes=[code]), st.sampled_from(["OK", "ERROR", "UNSET"])),
    st.builds(
        lambda low, high: block("span_count", min_spans=low, max_spans=high), st.integers(0, 4), st.integers(0, 4)
    ),
    st.just(block("trace_state", key="v", values=["r"])),
    st.just(block("trace_flags")),
    st.just(block("rate_limiting", spans_per_second=5)),
)  # fmt: skip
POLICY = st.one_of(
    LEAF,
    st.builds(lambda inside: block("and", and_sub_policy=inside), st.lists(LEAF, min_size=1, max_size=3)),
    st.builds(lambda inside: block("not", not_sub_policy=inside), LEAF),
    st.builds(lambda inside: block("drop", drop_sub_policy=inside), st.lists(LEAF, min_size=1, max_size=2)),
)


def named(policies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": f"p{place}", **policy} for place, policy in enumerate(policies)]


@given(POLICY, st.lists(SPANS, min_size=1, max_size=4), st.booleans(), st.binary(min_size=16, max_size=16))
@settings(deadline=None)
def test_what_an_instant_policy_holds_on_to_it_does_not_let_go(
    policy: dict[str, Any], spans: list[dict[str, Any]], weighted: bool, trace_id: bytes
) -> None:
    setting = Setting(weighted=weighted)
    (made,) = build_policies(items_of(named([policy])), setting)
    if not made.is_instant:
        return
    rules = Rules([made], setting)
    answers = [
        made.threshold(waiting(rules, trace_of(trace_id, spans[:count])), 0.0) for count in range(1, len(spans) + 1)
    ]
    assert all(later == ALWAYS for answer, later in pairwise(answers) if answer == ALWAYS)


@given(
    st.lists(POLICY, min_size=1, max_size=3),
    st.lists(SPANS, min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.binary(min_size=16, max_size=16),
)
@settings(deadline=None)
def test_an_early_decision_is_the_one_that_would_come(
    policies: list[dict[str, Any]], spans: list[dict[str, Any]], weighted: bool, old: bool, trace_id: bytes
) -> None:
    rules = rules_of(named(policies), Setting(weighted=weighted, legacy_invert_match=old))
    early = [rules.early(waiting(rules, trace_of(trace_id, spans[: count + 1])), 0.0) for count in range(len(spans))]
    first = next((decision for decision in early if decision is not None), None)
    if first is not None:
        last = rules.decide(waiting(rules, trace_of(trace_id, spans)), 0.0)
        assert (last.kept, last.threshold) == (first.kept, first.threshold)


def counted(rules: Rules) -> list[list[int]]:
    return [[getattr(one.counts, name) for name in PolicyCounts.__slots__ if name != "took_ns"] for one in rules._keeps]


@given(
    st.lists(LEAF, min_size=1, max_size=4),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.lists(SPANS, min_size=1, max_size=3)), max_size=12),
    st.booleans(),
)
@settings(deadline=None)
def test_many_at_once_are_decided_as_one_by_one(
    policies: list[dict[str, Any]], traces: list[tuple[bytes, list[dict[str, Any]]]], weighted: bool
) -> None:
    together, alone = (rules_of(named(policies), Setting(weighted=weighted)) for _ in range(2))
    if not together.are_stateless:
        assert any(policy["type"] == "rate_limiting" for policy in policies)
        return
    waits = [waiting(together, trace_of(trace_id, spans)) for trace_id, spans in traces]
    assert together.decide_all(waits, 0.0) == [alone.decide(trace, 0.0) for trace in waits]
    assert counted(together) == counted(alone)
