"""What agents do in a trace: calls of tools and models, failures, repetitions, and how deep it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pipeline.signals.values import from_any_value
from processors.tail_sampling.facts.readings import ROLE, is_repeat
from processors.tail_sampling.facts.seen import Seen
from processors.tail_sampling.policy import SpanFacts

_OPERATION: Final = "gen_ai.operation.name"
_TOOL: Final = "gen_ai.tool.name"
_AGENT: Final = "gen_ai.agent.name"
_ERROR: Final = "error.type"
_MCP: Final = "mcp.method.name"
_TOOL_CALL: Final = "execute_tool"
_MODEL_CALLS: Final = frozenset({"chat", "text_completion", "generate_content"})
_AGENT_STEPS: Final = frozenset({"invoke_agent", "plan"})
_CONTENT: Final = {_TOOL_CALL: "gen_ai.tool.call.arguments", "agent": "gen_ai.input.messages"}
_STATUS_ERROR: Final = 2
_SERVER: Final = 2
"""SPAN_KIND_SERVER."""
_MOST_STEPS: Final = 512
"""Different steps whose repetitions are counted in a trace."""
_MOST_LINKS: Final = 4096
"""Spans of a trace whose place in the tree is looked at, 16 bytes each."""
_ID_BYTES: Final = 8
_Key = TypeVar("_Key")


class Steps(Seen):
    """What agents did in a trace.

    A call of a tool may be told by several spans: of a framework, and of the protocol's client and server. Each of
    these views is counted by itself, and the one with most counts.
    """

    __slots__ = ("_calls", "_failures", "_repetitions", "llm_calls")

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self._calls: dict[str, int] | None = None
        self._failures: dict[str, int] | None = None
        self._repetitions: dict[int, int] | None = None
        self.llm_calls = 0

    @property
    def tool_calls(self) -> int:
        """Calls of tools."""
        return max(self._calls.values()) if self._calls else 0

    @property
    def tool_failures(self) -> int:
        """Calls of tools that failed."""
        return max(self._failures.values()) if self._failures else 0

    @property
    def loops(self) -> int:
        """How often the same step was taken: a tool with the same arguments, an agent with the same input.

        Calls of tools whose arguments were not recorded are not taken for the same; steps of agents are told apart by
        the agent's name where the input was not.
        """
        return max(self._repetitions.values()) if self._repetitions else 0

    def take(self, span: SpanFacts, operation: Any) -> None:
        """One more span, of an operation or of the protocol's."""
        if (is_repeat(span) and operation in _MODEL_CALLS) or not self.is_new(span.pb.span_id):
            return
        if operation in _MODEL_CALLS:
            self.llm_calls += 1
        elif operation in _AGENT_STEPS:
            name = span.attributes.get(_AGENT)
            if isinstance(name, str):
                self._repeat((operation, name, _content(span, _CONTENT["agent"])))
        else:
            self._call(span)

    def _call(self, span: SpanFacts) -> None:
        view = "protocol" if _MCP in span.attributes else "tool"
        if span.pb.kind == _SERVER:
            view += " server"
        self._calls = _one_more(self._calls, view)
        if span.pb.status.code == _STATUS_ERROR or _ERROR in span.attributes:
            self._failures = _one_more(self._failures, view)
        if (arguments := _content(span, _CONTENT[_TOOL_CALL])) is not None:
            self._repeat((view, str(span.attributes.get(_TOOL) or span.pb.name), arguments))

    def _repeat(self, step: tuple[str, str, int | None]) -> None:
        key, repetitions = hash(step), self._repetitions
        if repetitions is None or key in repetitions or len(repetitions) < _MOST_STEPS:
            self._repetitions = _one_more(repetitions, key)


def _one_more(counts: dict[_Key, int] | None, key: _Key) -> dict[_Key, int]:
    """Count; a dictionary is made only for who needs one, as most traces do not."""
    if counts is None:
        return {key: 1}
    counts[key] = counts.get(key, 0) + 1
    return counts


def _content(span: SpanFacts, name: str) -> int | None:
    """A hash of what only a few spans need: not a watched attribute, for which all would be searched."""
    for pair in span.pb.attributes:
        if pair.key == name:
            value = from_any_value(pair.value)
            return hash(value) if isinstance(value, str) else hash(repr(value))
    return None


@dataclass(frozen=True, slots=True)
class Doing:
    """What agents do, by the spans of the GenAI conventions."""

    @property
    def keys(self) -> frozenset[str]:
        """Other spans are no steps."""
        return frozenset({_OPERATION, _MCP})

    @property
    def reads(self) -> frozenset[str]:
        """What tells steps apart."""
        return frozenset({_TOOL, _AGENT, _ERROR, ROLE})

    def begin(self) -> Steps | None:
        """Nothing was done."""
        return None

    def add(self, so_far: Steps | None, span: SpanFacts) -> Steps | None:
        """With one more span."""
        operation = span.attributes.get(_OPERATION)
        if operation is None and span.attributes.get(_MCP) == "tools/call":
            operation = _TOOL_CALL
        if type(operation) is str and (
            operation in _MODEL_CALLS or operation in _AGENT_STEPS or operation == _TOOL_CALL
        ):
            so_far = so_far or Steps()
            so_far.take(span, operation)
        return so_far


@dataclass(frozen=True, slots=True)
class Links:
    """Ids of spans and of their parents, one after the other."""

    @property
    def keys(self) -> frozenset[str]:
        """Every span has them."""
        return frozenset()

    def begin(self) -> bytearray:
        """No spans."""
        return bytearray()

    def add(self, so_far: bytearray, span: SpanFacts) -> bytearray:
        """With one more span."""
        span_id, parent = span.pb.span_id, span.pb.parent_span_id
        if len(span_id) == _ID_BYTES and len(so_far) < _MOST_LINKS * 2 * _ID_BYTES:
            so_far += span_id + (parent if len(parent) == _ID_BYTES else bytes(_ID_BYTES))
        return so_far


def depth_of(links: bytes) -> int:
    """Spans on the longest way from a span to its farthest known ancestor, both counted; a circle ends a way."""
    step = 2 * _ID_BYTES
    parents = {links[at : at + _ID_BYTES]: links[at + _ID_BYTES : at + step] for at in range(0, len(links), step)}
    depths: dict[bytes, int] = {}
    for span in list(parents):
        way, ancestor = [], span
        while ancestor in parents and ancestor not in depths:
            depths[ancestor] = 0
            way.append(ancestor)
            ancestor = parents[ancestor]
        depth = depths.get(ancestor, 0)
        for child in reversed(way):
            depth += 1
            depths[child] = depth
    return max(depths.values(), default=0)
