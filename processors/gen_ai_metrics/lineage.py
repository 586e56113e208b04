"""What hangs beneath spans of agents, workflows, tools and retrievals: how many calls, and the same thing once more.

Children end before their parents, so that they are known when a parent arrives; they count towards the nearest span
above them that is one of these, or has not arrived yet.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

SpanKey: TypeAlias = bytes
"""A span id: they are random, so that a trace's id would add nothing but time."""
Links: TypeAlias = Mapping[SpanKey, SpanKey]
"""Spans of a batch with their parents; a root has the empty key."""

GENERATION_S: Final = 600.0
"""What waits for its parent is remembered for 10 to 20 minutes, as far as there is room."""
_GENERATION: Final = 20_000
"""Spans that are waited for, in each of two generations: about 10 MB in all where each has one child."""
_DEPTH: Final = 64
"""Ancestors that are followed; deeper traces are loops, or as good as."""
_INNER: Final = 16
"""Spans that are remembered beneath another; a parent has more of the same kind only if it does not repeat them."""
_SAME_LENGTH: Final = 0.8
"""A span without a name is another report of one with a name if it is not much longer."""


class Report(NamedTuple):
    """A span that may be reported twice: by the library that does it, and by one that wraps it."""

    kind: str
    name: str
    scope: str
    call_id: str
    duration_s: float
    has_documents: bool
    is_mcp: bool

    def repeats(self, inner: Report) -> bool:
        """Whether this one, directly above the other, is a second report of it."""
        if self.kind != inner.kind:
            return False
        if self.kind == "retrieval":
            # A retriever that asks others adds up what they found, in one library as in two.
            return True
        if self.scope == inner.scope:
            return False
        if self.kind == "workflow":
            return True
        if self.call_id and inner.call_id:
            return self.call_id == inner.call_id
        if self.name and inner.name:
            return self.name.casefold() == inner.name.casefold()
        return inner.duration_s >= _SAME_LENGTH * self.duration_s


@dataclass(slots=True)
class Beneath:
    """What was seen beneath a span."""

    inference_calls: int = 0
    tool_calls: int = 0
    inner: list[Report] = field(default_factory=list)

    def take(self, other: Beneath) -> None:
        """Add what was seen beneath a span that hangs beneath this one."""
        self.inference_calls += other.inference_calls
        self.tool_calls += other.tool_calls
        self.inner += other.inner[: _INNER - len(self.inner)]


_NOTHING: Final = Beneath()


class _Generation:
    """What is beneath spans that have not arrived, as far as it was seen between two points in time."""

    __slots__ = ("beneath", "calls")

    def __init__(self) -> None:
        # Most spans have model calls beneath them and nothing else.
        self.calls: dict[SpanKey, int] = {}
        self.beneath: dict[SpanKey, Beneath] = {}

    def __len__(self) -> int:
        return len(self.calls) + len(self.beneath)

    def take(self, key: SpanKey) -> Beneath | None:
        """What is beneath a span, which is forgotten."""
        calls, beneath = self.calls.pop(key, 0), self.beneath.pop(key, None)
        if calls:
            beneath = beneath or Beneath()
            beneath.inference_calls += calls
        return beneath


class Lineage:
    """Remembers what is beneath spans that have not arrived, bounded in number and time."""

    def __init__(self, now_s: float = 0.0) -> None:
        """Remember nothing yet."""
        self._young = _Generation()
        self._old = _Generation()
        self._began_s = now_s

    def __len__(self) -> int:
        """Spans that are waited for."""
        return len(self._young) + len(self._old)

    def forget(self, now_s: float) -> None:
        """Forget what is too old or too much; `now_s` is a monotonic clock."""
        if len(self._young) > _GENERATION or now_s - self._began_s > GENERATION_S:
            self._old, self._young, self._began_s = self._young, _Generation(), now_s

    def link(self, links: Links, ends: Container[SpanKey]) -> None:
        """Move what is beneath spans that have arrived, and are no `ends`, up to those above them."""
        for known in (self._young, self._old):
            for key in (known.calls.keys() | known.beneath.keys()) & links.keys():
                if key not in ends:
                    beneath, above = known.take(key), climb(links, links[key], ends)
                    if above and beneath is not None:
                        self._above(above).take(beneath)

    def calls(self, parents: Iterable[SpanKey], links: Links, ends: Container[SpanKey]) -> None:
        """Note a model call beneath each of these spans; the empty key is none."""
        calls = self._young.calls
        for parent in parents:
            key = climb(links, parent, ends) if parent in links else parent
            if key:
                calls[key] = calls.get(key, 0) + 1

    def arrive(self, key: SpanKey, parent: SpanKey, report: Report) -> tuple[Beneath, list[Report]]:
        """A member has arrived, its children before it.

        Args:
            key: the span.
            parent: the nearest span above it that is a member or unknown; empty at the root.
            report: what it is.

        Returns:
            what is beneath it, and what it only repeats; nothing if it does not.
        """
        beneath = Beneath()
        for known in (self._young, self._old):
            beneath.take(known.take(key) or _NOTHING)
        repeated = [inner for inner in beneath.inner if report.repeats(inner)]
        if parent:
            above = self._above(parent)
            if report.kind != "agent":
                above.take(Beneath(beneath.inference_calls, beneath.tool_calls))
            if report.kind == "tool" and not repeated:
                above.tool_calls += 1
            others = [inner for inner in beneath.inner if inner.kind != report.kind]
            above.take(Beneath(inner=[report, *others]))
        return beneath, repeated

    def _above(self, key: SpanKey) -> Beneath:
        return self._young.beneath.setdefault(key, Beneath())


def climb(links: Links, key: SpanKey, members: Container[SpanKey]) -> SpanKey:
    """The nearest span, from this one upwards, that is a member or did not arrive with the others; empty: none."""
    for _ in range(_DEPTH):
        if key in members or key not in links:
            break
        key = links[key]
    return key
