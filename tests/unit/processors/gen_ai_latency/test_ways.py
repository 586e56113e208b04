"""Ways and plans are made for the attributes that are there, and not kept without end."""

from __future__ import annotations

from itertools import combinations

import pytest

from processors.gen_ai_latency.facts import ANY, Facts, Lie, load_facts
from processors.gen_ai_latency.plans import Plans
from processors.gen_ai_latency.ways import Ways
from tests.unit.processors.gen_ai_latency.timing import TTFT

FACTS = load_facts()
MOST = 512


def keys(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_the_best_fact_that_is_there_is_read() -> None:
    way = Ways(FACTS)[keys("ai.stream.msToFirstChunk", "ai.response.msToFirstChunk")]
    assert way is not None
    assert (way.first, way.first_unit_s, way.total) == ("ai.response.msToFirstChunk", 1e-3, "ai.response.msToFinish")


@pytest.mark.parametrize(
    "name",
    [
        "ttft_ms",
        "langwatch.timestamps",
        "gen_ai.server.time_to_first_token",
        "gen_ai.response.time_to_first_token",
        "gen_ai.latency.time_to_first_token",
        "langfuse.observation.completion_start_time",
        "openai.api.type",
        "error.type",
    ],
)
def test_what_needs_thought_has_no_short_way(name: str) -> None:
    assert Ways(FACTS)[keys(TTFT)] is not None
    assert Ways(FACTS)[keys(name)] is None


def test_without_facts_chunks_tell() -> None:
    way = Ways(FACTS)[keys()]
    assert way is not None
    assert way.first == ""


def test_a_lie_that_may_be_told_anywhere_closes_the_short_way() -> None:
    lies = (*FACTS.lies, Lie(fact=ANY, reason="made_up", scope="liar."))
    facts = Facts.model_validate({**FACTS.model_dump(), "lies": [lie.model_dump() for lie in lies]})
    assert Ways(facts)[keys(TTFT)] is None


def test_a_plan_names_what_is_there() -> None:
    plan = Plans(FACTS)[keys("gen_ai.latency.time_in_queue", "ttft_ms", TTFT), "any"]
    assert [entry.name for entry in plan.first_token] == [TTFT, "ttft_ms"]
    assert [target for target, _ in plan.server] == ["penstock.latency.server.queue_time"]
    assert (plan.decode, plan.rates) == ((), ())


@pytest.mark.parametrize(("scope", "unit"), [("strands.x", "ms"), ("openlit.x", "s"), ("any", "guess")])
def test_a_plan_is_for_one_library(scope: str, unit: str) -> None:
    (entry,) = Plans(FACTS)[keys("gen_ai.server.time_to_first_token"), scope].first_token
    assert entry.unit == unit
    reasons = {lie.reason for _, _, lie in entry.doubts}
    assert ("whole_duration" in reasons) == scope.startswith("openlit.")


def test_they_are_bounded() -> None:
    ways, plans = Ways(FACTS), Plans(FACTS)
    for names in combinations(sorted(FACTS.keys), 3):
        assert ways[keys(*names)] == ways[keys(*names)]
        assert plans[keys(*names), "any"] is plans[keys(*names), "any"]
        assert len(ways) <= MOST
        assert len(plans) <= MOST
