"""Spans of agents, workflows, tools and retrievals: counted by themselves, once, with what is beneath them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pipeline.signals import Span
from processors.gen_ai_metrics.bundles import Place
from processors.gen_ai_metrics.facts import NOTHING, Get, duration_s, found_documents
from processors.gen_ai_metrics.lineage import Lineage, Links, Report, SpanKey, climb

MCP: Final = "mcp.method.name"
_TOOL: Final = "gen_ai.tool.name"
_EARLY: Final = 20_000
"""Spans that are remembered before the first agent is seen, which may be above them."""
_WATCHED: Final = 5_000
"""So many of them may be about something else; where no agent is seen by then, further ones are not looked at."""
_NAME_CHARS: Final = 256
_NAMES: Final = {
    "agent": "gen_ai.agent.name",
    "workflow": "gen_ai.workflow.name",
    "tool": _TOOL,
    "retrieval": "gen_ai.data_source.id",
}


@dataclass(slots=True, eq=False)
class Member:
    """A span of a kind of its own; `is_call`: it counts as a model call, too."""

    kind: str
    span: Span
    place: Place
    get: Get
    is_call: bool = False

    @property
    def is_mcp(self) -> bool:
        """Whether it is a request of the Model Context Protocol."""
        return self.get(MCP) is not None


@dataclass(slots=True)
class Counted:
    """What is to be put on the heap: as which kind, with which facts.

    Attributes:
        facts: None: it does not count.
        is_report: whether it only repeats another span.
    """

    member: Member
    kind: str
    facts: tuple[Any, ...] | None
    is_report: bool = False


class Structure:
    """Collects the spans of a request and says at its end what counts."""

    def __init__(self, now_s: float) -> None:
        """Nothing has been seen."""
        self._lineage = Lineage(now_s)
        self._has_members = False
        # By request, before there was anybody to count for: ids, parents, and how many of these are calls, the first.
        self._early: deque[tuple[list[SpanKey], list[SpanKey], int]] = deque()
        self._early_spans = self._watched = 0
        self.members: list[Member] = []
        self.others: list[Any] = []
        """Messages of spans that are neither members nor calls."""

    def begin(self, now_s: float) -> None:
        """A request begins."""
        self._lineage.forget(now_s)

    def end(self, ids: list[SpanKey], parents: list[SpanKey]) -> Iterator[Counted]:
        """What counts of the members of a request, with the ids and parents of its calls."""
        members, self.members = self.members, []
        others, self.others = self.others, []
        if not (members or self._has_members):
            self._keep(ids, parents, others)
            return
        links = dict(zip(ids, parents, strict=True))
        if not self._has_members:
            self._has_members = True
            parents = parents.copy()
            for early_ids, early_parents, calls in self._early:
                links.update(zip(early_ids, early_parents, strict=True))
                parents += early_parents[:calls]
            self._early.clear()
        links.update((pb.span_id, pb.parent_span_id) for pb in others)
        ends = {member.span.pb.span_id for member in members}
        self._lineage.link(links, ends)
        self._lineage.calls(parents, links, ends)
        for member in sorted(members, key=_by_end):
            yield self._arrive(member, links, ends)

    def _keep(self, ids: list[SpanKey], parents: list[SpanKey], others: list[Any]) -> None:
        """Remember what may be beneath the first member, as long as none has come."""
        calls = len(ids)
        self._watched += len(others)
        if others and self._watched <= _WATCHED:
            ids = ids + [pb.span_id for pb in others]
            parents = parents + [pb.parent_span_id for pb in others]
        self._early.append((ids, parents, calls))
        self._early_spans += len(ids)
        while self._early_spans > _EARLY:
            self._early_spans -= len(self._early.popleft()[0])

    def _arrive(self, member: Member, links: Links, ends: set[SpanKey]) -> Counted:
        pb = member.span.pb
        found = found_documents(member.get) if member.kind == "retrieval" else NOTHING
        length_s = duration_s(pb.start_time_unix_nano, pb.end_time_unix_nano)
        parent = climb(links, pb.parent_span_id, ends)
        report = _report(member, length_s or 0.0, has_documents=found is not NOTHING)
        beneath, repeated = self._lineage.arrive(pb.span_id, parent, report)
        if member.kind == "retrieval":
            known = any(inner.has_documents for inner in repeated)
            own_length_s = None if repeated else length_s
            return Counted(
                member, "retrieval", (own_length_s, *(NOTHING if known else found)), is_report=bool(repeated)
            )
        counts = (beneath.inference_calls, beneath.tool_calls) if member.kind == "agent" else ()
        # What a protocol's client says of a tool's call has metrics of its own, and so has the tool around it.
        repeated = [inner for inner in repeated if inner.is_mcp == report.is_mcp]
        kind = "mcp_client" if member.kind == "tool" and report.is_mcp else member.kind
        return Counted(member, kind, None if repeated else (length_s, *counts), is_report=bool(repeated))


def _by_end(member: Member) -> tuple[int, int]:
    pb = member.span.pb
    return pb.end_time_unix_nano, -pb.start_time_unix_nano


def _report(member: Member, length_s: float, *, has_documents: bool) -> Report:
    get = member.get
    is_mcp = member.is_mcp
    if member.kind in _NAMES:
        name, call_id = get(_NAMES[member.kind]), get("gen_ai.tool.call.id") if member.kind == "tool" else None
    else:
        name, call_id = f"{get(MCP)!r} {get(_TOOL)!r}", None
    return Report(
        member.kind,
        _short(name),
        _short(member.span.scope.name),
        _short(call_id),
        length_s,
        has_documents,
        is_mcp,
    )


def _short(text: object) -> str:
    """A text to compare with others; it may be kept for long."""
    return text[:_NAME_CHARS] if isinstance(text, str) else ""
