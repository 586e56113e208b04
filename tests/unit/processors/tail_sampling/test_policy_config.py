"""The list `policies`: what is refused, where and why."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import ConfigModel, InvalidKey
from pipeline.config.describe import keys
from processors.tail_sampling.policies import LEAVES
from processors.tail_sampling.policy import Policy, Setting
from processors.tail_sampling.policy_config import (
    CONTAINERS,
    PolicyList,
    build_policies,
    check_stateless,
    needs_weights,
)
from tests.support.policy_cases import items_of


class Config(ConfigModel):
    policies: PolicyList


ALL = {"name": "all", "type": "always_sample"}
ERRORS = {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}}
LIMIT = {"name": "limit", "type": "rate_limiting", "rate_limiting": {"spans_per_second": 5}}


def composite(**more: Any) -> dict[str, Any]:
    return {"name": "c", "type": "composite", "composite": {"composite_sub_policy": [ALL], **more}}


@pytest.mark.parametrize(
    ("policies", "path", "message"),
    [
        ([{"type": "always_sample"}], (0, "name"), "policy name cannot be empty"),
        ([ALL, {"name": "", "type": "always_sample"}], (1, "name"), "policy name cannot be empty"),
        ([ALL, ERRORS, ALL], (2, "name"), 'duplicate policy name "all"'),
        ([{"name": "x", "type": "my_extension", "my_extension": {}}], (0, "type"), "unknown sampling policy type my_"),
        ([{"name": "x", "type": "my_extension"}], (0, "type"), "policies of extensions are not supported"),
        ([{"name": "x", "type": "latencyy"}], (0, "type"), 'type latencyy; did you mean "latency"?'),
        ([{"name": "x"}], (0, "type"), "a policy needs a type: one of agent, always_sample"),
        ([{"name": "x", "type": "ottl_condition"}], (0, "type"), "need OTTL"),
        ([{**ALL, "ottl_condition": {"span": ["true"]}}], (0, "ottl_condition"), "need OTTL"),
        ([{"name": "x", "type": "ottl_condition", "ottl_condition": {}}], (0, "ottl_condition"), "need OTTL"),
        ([{**ALL, "latency": {"threshold_ms": 5}}], (0, "latency"), "no effect on a policy of type always_sample"),
        ([{"name": "x", "type": "status_code"}], (0, "type"), 'needs its settings under "status_code"'),
        ([{"name": "x", "type": "status_code", "status_code": {"status_codes": []}}],
         (0, "status_code", "status_codes"), "expected at least one status code"),
        ([{"name": "x", "type": "status_code", "status_code": {"status_codes": ["Error"]}}],
         (0, "status_code", "status_codes", 0), "'ERROR'"),
        ([{"name": "x", "type": "numeric_attribute", "numeric_attribute": {"key": "k"}}],
         (0, "numeric_attribute"), "at least one of min_value and max_value must be set"),
        ([{"name": "x", "type": "string_attribute",
           "string_attribute": {"key": "k", "values": ["a", "("], "enabled_regex_matching": True}}],
         (0, "string_attribute", "values", 1), "not a regular expression of RE2"),
        ([{"name": "x", "type": "and", "and": {"and_sub_policy": []}}], (0, "and", "and_sub_policy"), "at least one"),
        ([{"name": "x", "type": "and", "and": {"and_sub_policy": [{"name": "y", "type": "and"}]}}],
         (0, "and", "and_sub_policy", 0, "type"), "a policy of type and cannot stand inside this one; these can: "),
        ([composite(policy_order=["other"])], (0, "composite", "policy_order", 0), 'no policy "other"'),
        ([composite(rate_allocation=[{"policy": "other"}])],
         (0, "composite", "rate_allocation", 0, "policy"), 'no policy "other"'),
    ],
)  # fmt: skip
def test_what_is_refused(policies: list[dict[str, Any]], path: tuple[str | int, ...], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"policies": policies})
    (found,) = caught.value.errors()
    cause = found.get("ctx", {}).get("error")
    below = cause.path if isinstance(cause, InvalidKey) else ()
    assert (*found["loc"], *below) == ("policies", *path)
    assert message in found["msg"]


def test_every_type_has_a_name_and_keys_of_its_own() -> None:
    types: list[type[Policy]] = [*LEAVES, *CONTAINERS]
    assert len({policy.type for policy in types}) == len(types)
    assert {f"policies[].{policy.type}" for policy in types} <= {key.path for key in keys(Config)}


def test_keys_of_policies_inside_others_are_described_once() -> None:
    assert [key.path for key in keys(Config) if key.path.endswith("threshold_ms") and "latency" in key.path] == [
        "policies[].latency.threshold_ms",
        "policies[].latency.upper_threshold_ms",
    ]


def test_what_the_editor_is_told() -> None:
    schema = Config.model_json_schema()
    types = schema["$defs"]["PolicyItem"]["properties"]["type"]["enum"]
    inside = schema["$defs"]["SubPolicy"]["properties"]["type"]["enum"]
    assert "composite" in types
    assert "composite" not in inside
    assert set(inside) < set(types)


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (ALL, None),
        (ERRORS, None),
        ({"name": "p", "type": "probabilistic", "probabilistic": {"sampling_percentage": 5}}, None),
        ({"name": "l", "type": "latency", "latency": {"threshold_ms": 5}}, None),
        ({"name": "d", "type": "drop", "drop": {"drop_sub_policy": [ERRORS]}}, None),
        (LIMIT, "limit"),
        ({"name": "a", "type": "and", "and": {"and_sub_policy": [ERRORS, LIMIT]}}, "a"),
        ({"name": "d", "type": "drop", "drop": {"drop_sub_policy": [LIMIT]}}, "d"),
        (composite(), "c"),
        ({"name": "l", "type": "latency", "latency": {"threshold_ms": 5, "upper_threshold_ms": 9}}, "l"),
        ({"name": "s", "type": "span_count", "span_count": {"max_spans": 9}}, "s"),
        ({"name": "n", "type": "not", "not": {"not_sub_policy": ERRORS}}, "n"),
    ],
)
def test_what_cannot_decide_span_by_span(policy: dict[str, Any], name: str | None) -> None:
    items = items_of([ALL, policy])
    if name is None:
        check_stateless(items)
        return
    with pytest.raises(InvalidKey, match=f'policy "{name}" is stateful') as caught:
        check_stateless(items)
    assert caught.value.path == ("policies", 1, "type")


def test_weights_are_for_policies_that_the_collector_lacks() -> None:
    ours = {"name": "budget", "type": "budget", "budget": {"spans_per_second": 5}}
    assert not needs_weights(items_of([ALL, ERRORS, LIMIT, composite()]))
    assert needs_weights(items_of([ALL, ours]))


def test_policies_inside_others_keep_what_they_have_learned_apart() -> None:
    inside = {"and_sub_policy": [{"type": "rate_limiting", "rate_limiting": {"spans_per_second": 5}}]}
    items = items_of([{"name": name, "type": "and", "and": inside} for name in ("a", "b")])
    setting = Setting()
    build_policies(items, setting)
    assert len(setting.memory) == 2
    build_policies(items, setting)
    assert len(setting.memory) == 2
