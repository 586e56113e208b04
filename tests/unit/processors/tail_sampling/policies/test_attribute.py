"""`attribute`: tables of cases, written from its description."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.sampling.thresholds import ALWAYS, NEVER, threshold_of
from processors.tail_sampling.policies.attribute import Attribute, AttributeConfig
from processors.tail_sampling.policy import Setting, Span
from tests.unit.processors.tail_sampling.policies.scanned import Asked, Made, scanned, span

COST = "penstock.cost.usd"
SCORE = "gen_ai.evaluation.score.value"
LABEL = "gen_ai.evaluation.score.label"
RESULT = "gen_ai.evaluation.result"
ROLE = "penstock.gen_ai.role"
TTFT = "gen_ai.response.time_to_first_chunk"
MODEL = "gen_ai.request.model"


def result(name: str, **said: Any) -> Made:
    attributes = {"gen_ai.evaluation.name": name, **{f"gen_ai.evaluation.score.{key}": v for key, v in said.items()}}
    return Made(events=((RESULT, attributes),))


def costs(*usd: float, **more: Any) -> list[Made]:
    return [Made({COST: value, **more}) for value in usd]


VALUES: list[tuple[dict[str, Any], Any, bool]] = [
    ({"min": 2}, 2, True),
    ({"min": 2}, 2.0, True),
    ({"min": 2}, 1.99, False),
    ({"max": 2}, 2, True),
    ({"max": 2}, 2.01, False),
    ({"min": -1, "max": 1}, 0, True),
    ({"min": 0}, 0, True),
    ({"min": 0}, 0.0, True),
    ({"max": 0}, 1, False),
    ({"min": 0}, True, False),
    ({"min": 0}, "3", False),
    ({"min": 0}, float("nan"), False),
    ({"min": 0}, float("inf"), False),
    ({"min": 0}, [-1, 5], True),
    ({"min": 0}, [-1, -5], False),
    ({"min": 0}, {"a": 5}, False),
    ({"values": "attack"}, "attack", True),
    ({"values": "attack"}, "attacks", False),
    ({"values": ["attack", "suspect"]}, "suspect", True),
    ({"values": ""}, "", True),
    ({"values": 1}, 1, True),
    ({"values": 1}, 1.0, True),
    ({"values": 1}, True, False),
    ({"values": True}, True, True),
    ({"values": True}, 1, False),
    ({"values": False}, False, True),
    ({"values": False}, 0, False),
    ({"values": "1"}, 1, False),
    ({"values": "content_filter"}, ["stop", "content_filter"], True),
    ({"values": "content_filter"}, ["stop"], False),
    ({"values": "content_filter"}, [], False),
    ({"values": "a"}, {"a": "a"}, False),
    ({"regex": "^gpt-"}, "gpt-4o", True),
    ({"regex": "4o$"}, "gpt-4o\n", False),
    ({"regex": "^gpt-"}, "my gpt-4o", False),
    ({"regex": "1"}, 1, False),
    ({"regex": "filter"}, ["stop", "content_filter"], True),
    ({"values": ["gpt-4", "o3"], "regex": "^gpt"}, "o3", False),
    ({"exists": True}, "", True),
    ({"exists": True}, False, True),
    ({"exists": True}, 0, True),
    ({"exists": True}, [], True),
    ({"exists": False}, 0, False),
]


@pytest.mark.parametrize(("test", "value", "expected"), VALUES)
def test_a_value_is_taken_by_its_type(test: dict[str, Any], value: Any, expected: bool) -> None:
    asked = Asked(Attribute, key="k", **test)
    assert asked(Made(), Made({"k": value})) == (ALWAYS if expected else NEVER)


@pytest.mark.parametrize("test", [{"min": 0}, {"values": ""}, {"regex": ""}, {"exists": True}])
def test_what_is_not_there_matches_nothing(test: dict[str, Any]) -> None:
    assert Asked(Attribute, key="k", **test)(Made({"other": 1}), Made(resource={"other": 1})) == NEVER


def test_what_must_not_be_there_is_looked_for_everywhere() -> None:
    asked = Asked(Attribute, key="k", exists=False)
    assert asked(Made({"other": 1})) == ALWAYS
    assert asked(Made({"other": 1}), Made({"k": 1})) == NEVER
    assert not asked.policy.is_instant


PLACES: list[tuple[dict[str, Any], bool, bool, bool]] = [
    ({}, True, True, False),
    ({"in": ["span"]}, True, False, False),
    ({"in": ["resource"]}, False, True, False),
    ({"in": ["event"]}, False, False, True),
    ({"in": ["span", "event"]}, True, False, True),
    ({"in": ["span", "resource", "event"]}, True, True, True),
    ({"event": "e"}, False, False, True),
    ({"event": "other"}, False, False, False),
    ({"in": ["span", "event"], "event": "other"}, True, False, False),
]


@pytest.mark.parametrize(("config", "of_span", "of_resource", "of_event"), PLACES)
def test_where_a_value_may_stand(config: dict[str, Any], of_span: bool, of_resource: bool, of_event: bool) -> None:
    asked = Asked(Attribute, key="k", min=1, **config)
    assert (asked(Made({"k": 1})) == ALWAYS) is of_span
    assert (asked(Made(resource={"k": 1})) == ALWAYS) is of_resource
    assert (asked(Made(events=(("x", {}), ("e", {"k": 1})))) == ALWAYS) is of_event


def test_a_span_s_own_value_stands_before_that_of_its_resource() -> None:
    asked = Asked(Attribute, key="k", min=1)
    assert asked(Made({"k": 0}, resource={"k": 1})) == NEVER


WHERE: list[tuple[dict[str, Any], Made, bool]] = [
    ({"m": "a"}, Made({"k": 1, "m": "a"}), True),
    ({"m": "a"}, Made({"k": 1, "m": "b"}), False),
    ({"m": "a"}, Made({"k": 1}), False),
    ({"m": ["a", "b"]}, Made({"k": 1, "m": "b"}), True),
    ({"m": "a"}, Made({"k": 1}, resource={"m": "a"}), True),
    ({"m": "a", "n": True}, Made({"k": 1, "m": "a", "n": True}), True),
    ({"m": "a", "n": True}, Made({"k": 1, "m": "a", "n": 1}), False),
]


@pytest.mark.parametrize(("where", "made", "expected"), WHERE)
def test_other_attributes_of_the_same_span_must_be_such(where: dict[str, Any], made: Made, expected: bool) -> None:
    asked = Asked(Attribute, key="k", exists=True, where=where)
    assert asked(made, Made({"m": "a", "n": True})) == (ALWAYS if expected else NEVER)


def test_beside_an_event_s_value_those_of_the_event_then_of_the_span_are_meant() -> None:
    asked = Asked(Attribute, key="k", event="e", exists=True, where={"m": "a"})
    assert asked(Made({"m": "b"}, (("e", {"k": 1, "m": "a"}),))) == ALWAYS
    assert asked(Made({"m": "a"}, (("e", {"k": 1, "m": "b"}),))) == NEVER
    assert asked(Made({"m": "a"}, (("e", {"k": 1}),))) == ALWAYS


def test_scores_below_a_bound_by_name_of_the_evaluation() -> None:
    asked = Asked(Attribute, key=SCORE, event=RESULT, where={"gen_ai.evaluation.name": "faithfulness"}, max=0.5)
    assert asked(result("faithfulness", value=0.5)) == ALWAYS
    assert asked(result("faithfulness", value=0.9), result("faithfulness", value=0.1)) == ALWAYS
    assert asked(result("faithfulness", value=0.9), result("relevance", value=0.1)) == NEVER
    assert asked(result("faithfulness", label="bad")) == NEVER


def test_thumbs_down() -> None:
    asked = Asked(Attribute, key=LABEL, event=RESULT, where={"gen_ai.evaluation.name": "user_feedback"}, values="down")
    assert asked(result("user_feedback", label="down")) == ALWAYS
    assert asked(result("user_feedback", label="up"), result("other", label="down")) == NEVER


AGGREGATES: list[tuple[dict[str, Any], list[Any], bool]] = [
    ({"aggregate": "sum", "min": 6}, [1, 2, 3], True),
    ({"aggregate": "sum", "min": 6}, [1, 2, 2.9], False),
    ({"aggregate": "sum", "max": 0.5}, [], False),
    ({"aggregate": "sum", "max": 0.5}, [0.5], True),
    ({"aggregate": "sum", "min": 1}, ["1", True, float("nan")], False),
    ({"aggregate": "sum", "min": 6}, [[1, 2], 3], True),
    ({"aggregate": "max", "max": 3}, [1, 3], True),
    ({"aggregate": "max", "max": 3}, [1, 4], False),
    ({"aggregate": "max", "min": 4}, [1, 4], True),
    ({"aggregate": "max", "max": 3}, [], False),
    ({"aggregate": "min", "min": 2}, [2, 9], True),
    ({"aggregate": "min", "min": 2}, [1, 9], False),
    ({"aggregate": "min", "max": 1}, [1, 9], True),
    ({"aggregate": "count", "min": 2}, ["a", 1], True),
    ({"aggregate": "count", "min": 2}, ["a"], False),
    ({"aggregate": "count", "max": 0}, [], True),
    ({"aggregate": "count", "min": 2, "values": "a"}, ["a", "b"], False),
    ({"aggregate": "count", "min": 2, "values": "a"}, ["a", "b", "a"], True),
    ({"aggregate": "count", "min": 2, "regex": "^a"}, ["ab", "ba", "ac"], True),
    ({"aggregate": "distinct", "min": 2}, ["a", "a"], False),
    ({"aggregate": "distinct", "min": 2}, ["a", "b"], True),
    ({"aggregate": "distinct", "min": 2}, [["a"], ["a"]], False),
    ({"aggregate": "distinct", "min": 2, "regex": "a"}, ["a", "b"], False),
]


@pytest.mark.parametrize(("test", "values", "expected"), AGGREGATES)
def test_values_over_the_trace(test: dict[str, Any], values: list[Any], expected: bool) -> None:
    asked = Asked(Attribute, key="k", **test)
    assert asked(Made(), *[Made({"k": value}) for value in values]) == (ALWAYS if expected else NEVER)


@pytest.mark.parametrize("role", ["aggregate", "duplicate"])
def test_usage_that_a_span_repeats_is_not_summed(role: str) -> None:
    asked = Asked(Attribute, key=COST, aggregate="sum", min=3)
    repeat = Made({COST: 3.0, ROLE: role})
    assert asked(*costs(1.0, 1.5), repeat) == NEVER
    assert asked(*costs(1.0, 2.0), repeat) == ALWAYS
    assert Asked(Attribute, key=COST, aggregate="count", min=3)(*costs(1.0, 1.5), repeat) == NEVER


def test_a_flag_on_a_span_that_repeats_usage_is_seen_all_the_same() -> None:
    flagged = Made({"penstock.adversarial.label": "attack", ROLE: "aggregate"})
    assert Asked(Attribute, key="penstock.adversarial.label", values="attack")(flagged) == ALWAYS
    scored = Made({ROLE: "aggregate"}, ((RESULT, {SCORE: 0.1}),))
    assert Asked(Attribute, key=SCORE, event=RESULT, aggregate="count", min=1)(scored) == ALWAYS


@pytest.mark.parametrize("aggregate", ["sum", "count"])
def test_a_span_that_comes_twice_counts_once(aggregate: str) -> None:
    asked = Asked(Attribute, key="k", aggregate=aggregate, min=3)
    spans = [Made({"k": 1}, id=number) for number in (1, 256, 1, 256, 1)]
    assert asked(*spans) == NEVER
    assert asked(*spans, Made({"k": 1}, id=7)) == ALWAYS


def test_a_share_of_matches_is_kept() -> None:
    asked = Asked(Attribute, key="k", min=1, sampling_percentage=25)
    assert asked(Made({"k": 1})) == threshold_of(0.25)
    assert asked(Made({"k": 0})) == NEVER
    assert not asked.policy.is_instant


LASTING: list[tuple[dict[str, Any], bool]] = [
    ({"min": 1}, True),
    ({"exists": True}, True),
    ({"exists": False}, False),
    ({"aggregate": "sum", "min": 1}, False),
    ({"aggregate": "max", "min": 1}, True),
    ({"aggregate": "max", "max": 1}, False),
    ({"aggregate": "min", "max": 1}, True),
    ({"aggregate": "min", "min": 1}, False),
    ({"aggregate": "count", "min": 1}, True),
    ({"aggregate": "count", "min": 1, "max": 3}, False),
    ({"aggregate": "distinct", "min": 1}, True),
    ({"percentile": {"above": 0.9}}, False),
]


@pytest.mark.parametrize(("config", "expected"), LASTING)
def test_only_what_further_spans_cannot_undo_is_known_early(config: dict[str, Any], expected: bool) -> None:
    assert Asked(Attribute, key="k", **config).policy.is_instant is expected


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "set what the value must be"),
    ({"exists": True, "min": 1}, "stands alone"),
    ({"exists": True, "aggregate": "count"}, "stands alone"),
    ({"aggregate": "sum", "values": 1}, "use min, max or percentile"),
    ({"aggregate": "max", "regex": "a"}, "use min, max or percentile"),
    ({"aggregate": "count", "values": 1}, "needs min or max"),
    ({"event": "e", "in": ["span"], "min": 1}, "has no effect where in has no event"),
    ({"aggregate": "max", "percentile": {"above": 0.9}}, "goes with aggregate any"),
    ({"values": 1, "percentile": {"above": 0.9}}, "use where"),
    ({"percentile": {}}, "set either above or below"),
    ({"percentile": {"above": 0.9, "below": 0.1}}, "set either above or below"),
    ({"percentile": {"above": 1.0}}, "less than 1"),
    ({"min": 1, "sampling_percentage": 0}, "greater than 0"),
    ({"regex": "(", "key": "k"}, "not a regular expression"),
    ({"minimum": 1}, "Extra inputs"),
    ({"values": []}, "name at least one value"),
    ({"min": 1, "where": {"m": []}}, "name at least one value"),
    ({"min": 2, "max": 1}, "no number is both"),
]


@pytest.mark.parametrize(("config", "reason"), REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        AttributeConfig.model_validate({"key": "k", **config})


def slow(seconds: float, model: str = "m") -> Made:
    return Made({TTFT: seconds, MODEL: model})


PERCENTILE = {"above": 0.9, "by": [MODEL], "window": 60.0, "min_count": 10}


def taught(values: list[float], **more: Any) -> Asked:
    asked = Asked(Attribute, key=TTFT, percentile={**PERCENTILE, **more})
    for value in values:
        assert asked(slow(value), now_s=1.0) == NEVER
    return asked


def test_a_bound_is_learned_from_past_windows_by_key() -> None:
    asked = taught([value / 10 for value in range(1, 101)])
    assert asked(slow(50.0), now_s=59.9) == NEVER, "the bound changes at the edge of a window only"
    assert asked(slow(50.0), now_s=60.0) == ALWAYS
    assert asked(slow(8.0), now_s=60.0) == NEVER
    assert asked(slow(9.4), now_s=60.0) == ALWAYS
    assert asked(slow(50.0, "another"), now_s=60.0) == NEVER, "nothing is known of the other model"


def test_a_bound_needs_enough_values() -> None:
    asked = taught([1.0] * 9)
    assert asked(slow(50.0), now_s=60.0) == NEVER
    asked = taught([1.0] * 10)
    assert asked(slow(50.0), now_s=60.0) == ALWAYS


def test_values_that_are_all_the_same_are_not_unusual() -> None:
    for value in (0.0, 1.0, 0.37, 1e-9, 1e12, -4.0):
        assert taught([value] * 20)(slow(value), now_s=60.0) == NEVER


def test_a_trace_is_taken_by_any_of_its_values() -> None:
    asked = taught([1.0] * 20)
    assert asked(slow(0.5), slow(3.0), slow(0.5), now_s=60.0) == ALWAYS


def test_a_bound_may_have_a_floor_that_the_same_value_must_reach() -> None:
    asked = Asked(Attribute, key=TTFT, min=2.0, percentile=PERCENTILE)
    for _ in range(20):
        asked(slow(0.1))
    assert asked(slow(0.3), now_s=60.0) == NEVER
    assert asked(slow(2.0), now_s=60.0) == ALWAYS


def test_values_below_a_quantile() -> None:
    asked = Asked(Attribute, key=SCORE, event=RESULT, percentile={"below": 0.1, "min_count": 10, "window": 60.0})
    for tenths in range(1, 101):
        asked(result("a", value=tenths / 100))
    assert asked(result("a", value=0.05), now_s=60.0) == ALWAYS
    assert asked(result("a", value=0.15), now_s=60.0) == NEVER


def test_each_tenant_may_have_a_bound_of_its_own() -> None:
    asked = Asked(Attribute, key=TTFT, percentile={**PERCENTILE, "per_tenant": True})
    for _ in range(20):
        asked(slow(1.0), tenant="a")
    assert asked(slow(9.0), tenant="a", now_s=60.0) == ALWAYS
    assert asked(slow(9.0), tenant="b", now_s=60.0) == NEVER


def test_sums_of_a_trace_are_learned_as_one_value() -> None:
    asked = Asked(Attribute, key=COST, aggregate="sum", percentile={**PERCENTILE, "by": []})
    for _ in range(20):
        asked(*costs(0.1, 0.1))
    assert asked(*costs(0.1, 0.09), now_s=60.0) == NEVER
    assert asked(*costs(0.1, 0.1, 0.1), now_s=60.0) == ALWAYS
    assert asked(*costs(0.1, 0.1), *costs(9.0, **{ROLE: "duplicate"}), now_s=60.0) == NEVER


def test_what_was_learned_outlives_a_reload_with_the_same_configuration_only() -> None:
    memory: dict[str, Any] = {}
    config: dict[str, Any] = {"key": TTFT, "percentile": PERCENTILE}
    before = Asked(Attribute, Setting(memory=memory), **config)
    for _ in range(20):
        before(slow(1.0))
    assert Asked(Attribute, Setting(memory=memory), **config)(slow(9.0), now_s=60.0) == ALWAYS
    changed = {**config, "percentile": {**PERCENTILE, "above": 0.99}}
    assert Asked(Attribute, Setting(memory=memory), **changed)(slow(9.0), now_s=60.0) == NEVER


def test_facts_of_a_giant_are_bounded() -> None:
    asked = Asked(Attribute, key="k", percentile={"above": 0.9, "by": ["m"]})
    watch = asked.policy.watches[0]
    trace_facts = watch.begin()
    for number in range(20_000):
        trace_facts = watch.add(trace_facts, Span(None, {"k": number, "m": str(number % 100)}))
    assert len(trace_facts) == 32
    assert max(len(values) for values in trace_facts.values()) == 64
    assert max(values[-1] for values in trace_facts.values()) == 19_931


def test_a_giant_s_distinct_values_and_ids_are_bounded() -> None:
    distinct = Asked(Attribute, key="k", aggregate="distinct", min=1)
    spans = [span(k=number) for number in range(1500)]
    trace = scanned(distinct.rules, *spans)
    assert len(trace.facts[0]) == 1024
    summed = Asked(Attribute, key="k", aggregate="sum", min=sum(range(1500)))
    assert summed(*spans) == ALWAYS
