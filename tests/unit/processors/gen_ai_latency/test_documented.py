"""The page about time names each fact in its order, each lie and each reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from processors.gen_ai_latency.doubts import Doubt
from processors.gen_ai_latency.facts import Fact, Lie, load_facts

FACTS = load_facts()
PAGE = (Path(__file__).parents[4] / "docs" / "latency.md").read_text(encoding="utf-8")
UNITS = {
    "s": "s",
    "ms": "ms",
    "text": "text with a unit",
    "time": "time of day",
    "guess": "guessed",
    "ns_or_us": "ns or µs",
}


def rows(first: str, cells: int) -> list[tuple[str, ...]]:
    """The rows of a table whose first cell is of this form."""
    rest = r" \| ([^|]*?)" * (cells - 1)
    return [tuple(found) for found in re.findall(rf"^\| ({first}){rest} \|$", PAGE, re.MULTILINE)]


def test_the_facts_are_those_of_the_data_file_in_their_order() -> None:
    found = [fact.strip("`") for _, fact, _, _ in rows(r"\d+", 4)]
    events = [f"event {name}" for name in FACTS.chunks.firsts]
    chunks = [f"event {name}" for name in sorted(FACTS.chunks.names)] + [f"event {n}N" for n in FACTS.chunks.numbered]
    logs = [f"log {record.name}" for record in FACTS.chunk_records]
    assert found == [*(fact.name for fact in FACTS.first_token), *events, *chunks, *logs]


@pytest.mark.parametrize("number", range(len(FACTS.first_token)))
def test_a_fact_has_its_unit_and_conditions(number: int) -> None:
    fact = FACTS.first_token[number]
    _, _, unit, notes = rows(str(number + 1), 4)[0]
    assert unit == UNITS[fact.unit]
    assert ("streams only" in notes) == fact.needs_stream
    assert ("log records only" in notes) == fact.logs_only
    assert all(f"`{key}`" in notes for key in told_by(fact))


def told_by(fact: Fact) -> list[str]:
    return [*fact.when, *(f"{scope}*" for scope in fact.units), *([fact.total.attribute] if fact.total else [])]


def test_the_lies_are_those_of_the_data_file() -> None:
    assert [(fact, where, reason) for fact, where, reason in rows("`[^|]+?`", 3)] == [
        (f"`{lie.fact}`", where_of(lie), f"`{lie.reason}`") for lie in FACTS.lies
    ]


def where_of(lie: Lie) -> str:
    found = [f"scope `{lie.scope}*`"] * bool(lie.scope) + [f"span `{lie.span}`"] * bool(lie.span)
    found += [f"`{key}` is `{pattern}`" for key, pattern in lie.attributes.items()]
    found += ["at the end of the span"] * lie.at_end + [f"equal to `{lie.same_as}`"] * bool(lie.same_as)
    return "; ".join(found)


def test_every_reason_is_told() -> None:
    assert {f"`{reason}`" for reason in Doubt} <= set(re.findall(r"`\w+`", PAGE))
    assert {lie.reason for lie in FACTS.lies} == set(re.findall(r"^- `(\w+)`: ", PAGE, re.MULTILINE))


def test_what_servers_measure_is_that_of_the_data_file() -> None:
    found = [(target.strip("`"), fact.strip("`")) for target, fact, *_ in rows(r"`penstock\.latency\.[\w.]+`", 4)]
    assert found == [(target, fact.name) for target, facts in FACTS.server.items() for fact in facts]
