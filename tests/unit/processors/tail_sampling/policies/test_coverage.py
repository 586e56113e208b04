"""`coverage`: the first of each kind in each window."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.sampling.thresholds import ALWAYS, NEVER
from processors.tail_sampling.policies.coverage import Counts, Coverage, CoverageConfig
from processors.tail_sampling.policy import Setting
from tests.unit.processors.tail_sampling.policies.scanned import Asked, Made

NAME, VERSION = "gen_ai.prompt.name", "gen_ai.prompt.version"


def prompt(name: str, version: str | None = None) -> Made:
    return Made({NAME: name} if version is None else {NAME: name, VERSION: version})


def test_the_first_of_each_version_are_kept_in_each_window() -> None:
    asked = Asked(Coverage, keys=[NAME, VERSION], traces=2, window=60.0)
    kept = [asked(prompt("a", "1"), now_s=now_s) == ALWAYS for now_s in (0, 10, 20, 59, 60, 61, 62)]
    assert kept == [True, True, False, False, True, True, False]
    assert asked(prompt("a", "2"), now_s=62) == ALWAYS
    assert asked(prompt("b", "1"), now_s=62) == ALWAYS


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(1, 5))
def test_at_least_so_many_of_each_are_kept_or_all_there_are(names: list[str], wanted: int) -> None:
    asked = Asked(Coverage, keys=[NAME], traces=wanted)
    kept = [name for name in names if asked(prompt(name)) == ALWAYS]
    assert all(kept.count(name) == min(wanted, names.count(name)) for name in set(names))


def test_a_trace_of_several_kinds_is_kept_while_any_of_them_is_wanted() -> None:
    asked = Asked(Coverage, keys=[NAME])
    assert asked(prompt("a")) == ALWAYS
    assert asked(prompt("a"), prompt("b")) == ALWAYS
    assert asked(prompt("a"), prompt("b")) == NEVER


MISSING: list[tuple[str, list[Made], bool, bool]] = [
    ("skip", [Made()], False, False),
    ("skip", [prompt("a")], False, False),
    ("own", [Made()], True, False),
    ("own", [prompt("a")], True, False),
    ("own", [prompt("a", "1"), prompt("b")], True, False),
]


@pytest.mark.parametrize(("missing", "spans", "first", "second"), MISSING)
def test_what_is_missing_is_skipped_or_a_value_of_its_own(
    missing: str, spans: list[Made], first: bool, second: bool
) -> None:
    asked = Asked(Coverage, keys=[NAME, VERSION], missing=missing)
    assert (asked(*spans) == ALWAYS, asked(*spans) == ALWAYS) == (first, second)


def test_a_complete_combination_stands_for_the_trace_before_partial_ones() -> None:
    asked = Asked(Coverage, keys=[NAME, VERSION], missing="own")
    assert asked(prompt("a", "1"), prompt("b")) == ALWAYS
    assert asked(prompt("b")) == ALWAYS, "b alone was not counted beside a complete combination"


def test_attributes_of_the_resource_and_tenants_tell_traces_apart() -> None:
    asked = Asked(Coverage, keys=[NAME, "service.name"], per_tenant=True)
    spans = [Made({NAME: "a"}, resource={"service.name": service}) for service in ("x", "y")]
    assert [asked(made) == ALWAYS for made in (*spans, *spans)] == [True, True, False, False]
    assert asked(spans[0], tenant="other") == ALWAYS


def test_values_of_different_types_are_different_kinds() -> None:
    asked = Asked(Coverage, keys=["k"])
    assert [asked(Made({"k": value})) for value in (1, "1", True, 2.5)] == [ALWAYS] * 4


def test_workers_share_what_is_wanted() -> None:
    asked = Asked(Coverage, Setting(share=0.5), keys=["k"], traces=3)
    assert [asked(Made({"k": "a"})) for _ in range(3)] == [ALWAYS, ALWAYS, NEVER]


def test_counts_outlive_a_reload() -> None:
    memory: dict[str, Any] = {}
    assert Asked(Coverage, Setting(memory=memory), keys=["k"])(Made({"k": "a"})) == ALWAYS
    assert Asked(Coverage, Setting(memory=memory), keys=["k"])(Made({"k": "a"})) == NEVER
    assert Asked(Coverage, Setting(memory=memory), keys=["k"], traces=2)(Made({"k": "a"})) == ALWAYS


def test_kinds_without_end_take_no_more_memory() -> None:
    counts = Counts(60.0, max_keys=100)
    firsts = [counts.add((f"key {number}",), 0.0) == 1 for number in range(3000)]
    assert len(counts) == 100
    assert all(firsts[:100])
    assert sum(firsts) > 2900, "those beyond are counted by a sketch, which hardly ever is too high"
    assert counts.add(("key 2999",), 0.0) >= 2
    assert counts.add(("key 2999",), 60.0) == 1


def test_many_kinds_in_one_trace_are_bounded() -> None:
    asked = Asked(Coverage, keys=["k"])
    asked(*[Made({"k": number}) for number in range(100)])
    assert [asked(Made({"k": number})) == NEVER for number in (0, 15, 16)] == [True, True, False]


def test_it_takes_something_from_other_traces() -> None:
    asked = Asked(Coverage, keys=["k"])
    assert asked.policy.spends
    assert not asked.policy.is_instant


def test_keys_are_required() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        CoverageConfig(keys=())
