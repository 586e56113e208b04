"""`agent`: what counts as a step, a loop, a failure, and how deep a tree is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.sampling.thresholds import ALWAYS, NEVER, probability_of
from processors.tail_sampling.facts.pathology import depth_of
from processors.tail_sampling.policies.agent import Agent, AgentConfig
from processors.tail_sampling.policy import Setting
from tests.unit.processors.tail_sampling.policies.scanned import Asked, Made, scanned

ERROR, SERVER = 2, 2


def tool(name: str = "search", arguments: Any = '{"q": 1}', **more: Any) -> Made:
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    return Made(said | ({} if arguments is None else {"gen_ai.tool.call.arguments": arguments}), **more)


def protocol(name: str = "search", **more: Any) -> Made:
    return Made({"mcp.method.name": "tools/call", "gen_ai.tool.name": name}, **more)


def chat(**more: Any) -> Made:
    return Made({"gen_ai.operation.name": "chat", **more})


def step(agent: str, text: str | None = None) -> Made:
    said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
    return Made(said | ({} if text is None else {"gen_ai.input.messages": text}))


def chain(length: int, *, skip: int = 0) -> list[Made]:
    """Spans each below the one before; the farthest first, as they end."""
    made = [Made(id=number, parent=number - 1) for number in range(length, 0, -1)]
    return [span for span in made if span.id != skip]


CASES: list[tuple[dict[str, int], list[Made], bool]] = [
    ({"min_loops": 3}, [tool()] * 3, True),
    ({"min_loops": 3}, [tool()] * 2, False),
    ({"min_loops": 3}, [tool(arguments=f"{number}") for number in range(9)], False),
    ({"min_loops": 3}, [tool("a"), tool("b"), tool("a"), tool("b")], False),
    ({"min_loops": 2}, [tool(arguments={"q": [1]}), tool(arguments={"q": [1]})], True),
    ({"min_loops": 2}, [tool(arguments={"q": [1]}), tool(arguments={"q": [2]})], False),
    ({"min_loops": 2}, [tool(arguments=None)] * 9, False),
    ({"min_loops": 3}, [step("a", "x")] * 3, True),
    ({"min_loops": 3}, [step("a", text) for text in "xyz"], False),
    ({"min_loops": 3}, [step("a")] * 3, True),
    ({"min_loops": 2}, [step("a"), step("b"), chat(), chat()], False),
    ({"min_tool_calls": 3}, [tool(arguments=f"{number}") for number in range(3)], True),
    ({"min_tool_calls": 3}, [tool(), tool(), chat(), step("a")], False),
    ({"min_tool_calls": 3}, [tool(), tool(), protocol(), protocol(), protocol(kind=SERVER)], False),
    ({"min_tool_calls": 3}, [tool(), protocol(), protocol(), protocol()], True),
    ({"min_tool_failures": 2}, [tool(status=ERROR), tool(status=ERROR)], True),
    ({"min_tool_failures": 2}, [tool(status=ERROR), tool(), chat(), Made(status=ERROR)], False),
    ({"min_tool_failures": 1}, [Made({**tool().attributes, "error.type": "timeout"})], True),
    (
        {"min_tool_failures": 2},
        [tool(status=ERROR), protocol(status=ERROR), protocol(status=ERROR, kind=SERVER)],
        False,
    ),
    ({"min_llm_calls": 2}, [chat(), chat()], True),
    ({"min_llm_calls": 2}, [chat(), chat(**{"penstock.gen_ai.role": "duplicate"})], False),
    ({"min_llm_calls": 2}, [chat(), Made({"gen_ai.operation.name": "embeddings"})], False),
    ({"min_spans": 3}, [Made()] * 3, True),
    ({"min_spans": 3}, [Made()] * 2, False),
    ({"min_depth": 4}, chain(4), True),
    ({"min_depth": 4}, chain(3), False),
    ({"min_depth": 4}, [*chain(2), *[Made(id=number, parent=1) for number in range(3, 9)]], False),
    ({"min_depth": 4}, chain(6, skip=3), False),
    ({"min_depth": 3}, chain(6, skip=3), True),
    ({"min_loops": 9, "min_spans": 1}, [Made()], True),
]


@pytest.mark.parametrize(("config", "spans", "expected"), CASES)
def test_what_agents_did(config: dict[str, int], spans: list[Made], expected: bool) -> None:
    assert Asked(Agent, **config)(*spans) == (ALWAYS if expected else NEVER)


@pytest.mark.parametrize("measure", ["min_loops", "min_tool_calls", "min_tool_failures", "min_llm_calls"])
def test_a_span_that_comes_twice_counts_once(measure: str) -> None:
    made = chat() if measure == "min_llm_calls" else tool(status=ERROR)
    asked = Asked(Agent, **{measure: 3})
    assert asked(*[replace(made, id=number) for number in (1, 2, 1, 2)]) == NEVER
    assert asked(*[replace(made, id=number) for number in (1, 2, 1, 3)]) == ALWAYS


def _links(parents: dict[int, int]) -> bytes:
    return b"".join(span.to_bytes(8, "big") + parent.to_bytes(8, "big") for span, parent in parents.items())


def _depth(parents: dict[int, int], span: int, above: frozenset[int] = frozenset()) -> int:
    if span not in parents or span in above:
        return 0
    return 1 + _depth(parents, parents[span], above | {span})


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 29)), max_size=40))
def test_depth_of_any_forest(pairs: list[tuple[int, int]]) -> None:
    parents = {span: min(span - 1, parent) for span, parent in pairs}
    assert depth_of(_links(parents)) == max((_depth(parents, span) for span in parents), default=0)


@given(st.dictionaries(st.integers(1, 8), st.integers(1, 8)))
def test_circles_end(parents: dict[int, int]) -> None:
    assert (1 if parents else 0) <= depth_of(_links(parents)) <= len(parents)


def test_a_long_chain_does_not_exhaust_the_stack_and_links_are_bounded() -> None:
    asked = Asked(Agent, min_depth=4096)
    assert asked(*chain(4095)) == NEVER
    trace = scanned(asked.rules, *chain(5000))
    assert len(trace.facts[1]) == 4096 * 16
    assert asked(*chain(5000)) == ALWAYS


def test_steps_of_a_giant_are_bounded_and_loops_among_them_found() -> None:
    asked = Asked(Agent, min_loops=5)
    different = [tool(arguments=f"{number}") for number in range(2000)]
    trace = scanned(asked.rules, *different)
    assert len(trace.facts[0]._repetitions) == 512
    assert asked(tool(), *different, *[tool()] * 4) == ALWAYS


def test_what_is_unusual_is_learned_from_other_traces() -> None:
    asked = Asked(Agent, percentile={"above": 0.9, "of": ["tool_calls"], "min_count": 10, "window": 60.0})
    for _ in range(20):
        assert asked(*[tool(arguments=f"{number}") for number in range(3)]) == NEVER
    assert asked(*[tool(arguments=f"{number}") for number in range(3)], now_s=60.0) == NEVER
    assert asked(*[tool(arguments=f"{number}") for number in range(4)], now_s=60.0) == ALWAYS
    assert not asked.policy.is_instant


def test_a_share_of_such_traces_is_kept() -> None:
    threshold = Asked(Agent, min_spans=1, sampling_percentage=10)(Made())
    assert probability_of(threshold) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"min_loops": 3}, True),
        ({"min_spans": 3}, True),
        ({"min_depth": 3}, False),
        ({"min_loops": 3, "sampling_percentage": 5}, False),
    ],
)
def test_only_counts_that_cannot_fall_are_known_early(config: dict[str, Any], expected: bool) -> None:
    assert Asked(Agent, **config).policy.is_instant is expected


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "set a least count"),
        ({"min_loops": 1}, "greater than or equal to 2"),
        ({"percentile": {"above": 0.9, "by": ["m"]}}, "Extra inputs"),
        ({"percentile": {"above": 0.9, "of": ["age"]}}, "Input should be"),
    ],
)
def test_what_makes_no_sense_is_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        AgentConfig.model_validate(config)


def test_what_was_learned_outlives_a_reload() -> None:
    memory: dict[str, Any] = {}
    config = {"percentile": {"above": 0.9, "of": ["spans"], "min_count": 10, "window": 60.0}}
    before = Asked(Agent, Setting(memory=memory), **config)
    for _ in range(20):
        before(Made())
    assert Asked(Agent, Setting(memory=memory), **config)(Made(), Made(), now_s=60.0) == ALWAYS
