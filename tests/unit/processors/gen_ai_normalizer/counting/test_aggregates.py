"""`aggregates: when_no_leaf_seen`: a span that repeats what calls count, where none of them was seen."""

from __future__ import annotations

import pytest

from pipeline.signals import Record, Span
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.counting.calls import GENERATION_S
from tests.unit.processors.gen_ai_normalizer.counting.test_roles import Seen
from tests.unit.processors.gen_ai_normalizer.reported import USAGE, event, span

AGENT, CHAIN = "aggregate", None


def agent(number: int = 1, *, parent: int = 0, at: tuple[float, float] = (0, 10), trace: int = 1) -> Span:
    return span(number, scope="agents", parent=parent, at=at, trace=trace)


def roles(*records: tuple[Span, str | None]) -> list[str | None]:
    seen = Seen(aggregates_count=True)
    return [seen(record, role) for record, role in records]


def test_an_aggregate_alone_counts() -> None:
    assert roles((agent(), AGENT)) == ["leaf"]


def test_one_without_usage_does_not() -> None:
    assert roles((span(1, {}, parent=0), AGENT)) == ["aggregate"]


def test_one_whose_call_was_seen_does_not() -> None:
    assert roles((span(2, parent=1), "leaf"), (agent(), AGENT)) == ["leaf", "aggregate"]


def test_a_call_further_below() -> None:
    chain = span(3, {}, parent=1)
    assert roles((span(2, parent=3), "leaf"), (chain, CHAIN), (agent(), AGENT)) == ["leaf", None, "aggregate"]


def test_a_call_below_a_span_that_was_not_sampled_is_told_by_its_time() -> None:
    assert roles((span(2, parent=77, at=(3, 4)), "leaf"), (agent(), AGENT)) == ["leaf", "aggregate"]
    assert roles((span(2, parent=77, at=(13, 14)), "leaf"), (agent(), AGENT)) == ["leaf", "leaf"]


def test_the_calls_of_an_agent_beside_it() -> None:
    """Both below one span: what is known of the chain says that the call is the other's."""
    other = agent(5, parent=9)
    assert roles((span(2, parent=5), "leaf"), (other, AGENT), (agent(parent=9), AGENT)) == ["leaf", "aggregate", "leaf"]


def test_another_trace_says_nothing() -> None:
    assert roles((span(2, parent=1, trace=2), "leaf"), (agent(), AGENT)) == ["leaf", "leaf"]


def test_a_call_that_comes_later_than_its_aggregate_is_a_duplicate() -> None:
    late = [(span(2, parent=1), "leaf"), (span(3, parent=7, at=(3, 4)), "leaf"), (span(4, at=(13, 14)), "leaf")]
    assert roles((agent(), AGENT), *late) == ["leaf", "duplicate", "duplicate", "leaf"]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_aggregates_within_each_other_the_first_counts(order: tuple[int, int]) -> None:
    both = {1: agent(1, parent=2, at=(1, 9)), 2: agent(2)}
    assert roles(*((both[number], AGENT) for number in order)) == ["leaf", "aggregate"]


def test_an_aggregate_that_comes_again_keeps_its_role() -> None:
    call = span(2, parent=1)
    assert roles((agent(), AGENT), (agent(), AGENT), (call, "leaf"), (agent(), AGENT)) == [
        "leaf",
        "leaf",
        "duplicate",
        "leaf",
    ]


def test_events_are_calls_beneath_it_too() -> None:
    seen = Seen(aggregates_count=True)
    assert seen(event(trace=1, inside=1)) == "leaf"
    assert seen(agent(), AGENT) == "aggregate"


async def test_one_whose_calls_may_be_forgotten_does_not_count() -> None:
    seen = Seen(aggregates_count=True)
    assert seen(span(2, parent=1), "leaf") == "leaf"
    for number in range(1, 4):
        await seen.clock.advance(GENERATION_S + 1)
        assert seen(span(100 + number, trace=100 + number), "leaf") == "leaf"
    assert seen(agent(at=(0, 5 * GENERATION_S)), AGENT) == "aggregate"
    assert seen(agent(7, trace=7), AGENT) == "leaf"


@pytest.mark.parametrize(("aggregates", "role"), [("never", "aggregate"), ("when_no_leaf_seen", "leaf")])
def test_the_key_of_the_configuration(aggregates: str, role: str) -> None:
    processor = configured(GenAiNormalizer, aggregates=aggregates)
    record: Record
    (record,) = processor.process(traces({**USAGE, "gen_ai.operation.name": "invoke_agent"})).records()
    assert record.attributes["penstock.gen_ai.role"] == role


def test_calls_that_come_later_in_its_request_are_seen() -> None:
    """Also where the engine, which does not know what goes together, feeds the request record by record."""
    processor = configured(GenAiNormalizer, aggregates="when_no_leaf_seen")
    batch = traces({**USAGE, "gen_ai.operation.name": "invoke_agent"}, {**USAGE, "gen_ai.operation.name": "chat"})
    agent_span, call = batch.records()
    call.pb.trace_id, call.pb.parent_span_id = agent_span.pb.trace_id, agent_span.pb.span_id
    for window in batch.slices(lambda: 1):
        processor.process(window)
    assert [record.attributes["penstock.gen_ai.role"] for record in batch.records()] == ["aggregate", "leaf"]
