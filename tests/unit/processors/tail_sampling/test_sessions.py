"""Conversations: which trace belongs to which, and the randomness they share."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.sampling.thresholds import NEVER
from processors.tail_sampling.policy import Span
from processors.tail_sampling.sessions import Sessions, randomness_of_session

SESSIONS = Sessions(("gen_ai.conversation.id", "session.id"))


def fact_of(*spans: dict[str, Any]) -> Any:
    fact = SESSIONS.watch.begin()
    for attributes in spans:
        fact = SESSIONS.watch.add(fact, Span(attributes=attributes))
    return fact


def test_randomness_is_the_same_in_every_process_and_version() -> None:
    assert f"{randomness_of_session('conversation-1'):014x}" == "58098c7311e6b2"
    assert f"{randomness_of_session('会話'):014x}" == "d6b37d403cec7a"


def test_a_trace_without_a_session_keeps_its_own_randomness() -> None:
    assert SESSIONS.randomness(fact_of({}, {"other": "x"}, {"session.id": ""})) is None


def test_the_first_attribute_configured_counts_wherever_it_stands() -> None:
    spans = [{"session.id": "b"}, {"gen_ai.conversation.id": "z"}, {"gen_ai.conversation.id": "y", "session.id": "a"}]
    found = {SESSIONS.randomness(fact_of(*order)) for order in permutations(spans)}
    assert found == {randomness_of_session("y")}


def test_the_id_of_a_resource_counts_where_the_span_has_none() -> None:
    span = Span(attributes={}, resource={"session.id": "r"})
    assert SESSIONS.watch.add(SESSIONS.watch.begin(), span) == (1, "r")


def test_an_id_may_be_a_number() -> None:
    assert SESSIONS.randomness(fact_of({"session.id": 17})) == randomness_of_session("17")


@given(st.text(min_size=1))
def test_randomness_is_one_of_the_shared_kind(session_id: str) -> None:
    assert 0 <= randomness_of_session(session_id) < NEVER


def test_randomness_is_uniform() -> None:
    """Chi-square over sixteen equal parts of 16,000 ids; 99.9 % of uniform draws lie below 37.7."""
    counts = [0] * 16
    for number in range(16_000):
        counts[randomness_of_session(f"conversation-{number}") >> 52] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 37.7
