"""The contract between traces that wait and the policies that decide on them.

A policy says what it wants to know of each span (`Watch`); that is folded into the trace as spans arrive, so that a
decision never reads a span again. At the decision it answers with a threshold of the shared randomness.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol, TypeVar

from pipeline.config import ConfigModel
from processors.sampling.thresholds import NEVER

T = TypeVar("T")

UNKNOWN: Final = -1
"""In place of a threshold: keep, with a probability that nobody knows (token buckets, salted hashes)."""
LIMITED: Final = NEVER + 1
"""In place of a threshold: do not keep, though with a probability that nobody knows it would have been kept."""


class SpanFacts(Protocol):
    """One span as watches see it."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Of the span, those that some watch named, as Python scalars; a name not there was not on the span."""

    @property
    def resource(self) -> Mapping[str, Any]:
        """Of its resource, those that some watch named."""

    @property
    def pb(self) -> Any:
        """The protobuf Span, to be read only."""


class Watch(Protocol):
    """One fact of a trace, gathered span by span. Equal watches share one place: make them frozen dataclasses."""

    @property
    def keys(self) -> frozenset[str]:
        """Attributes of spans or resources without which `add` is not called; empty: called for each span."""

    def begin(self) -> Any:
        """The fact of a trace without spans."""

    def add(self, so_far: Any, span: SpanFacts) -> Any:
        """The fact with one more span."""


def names_of(watch: Watch) -> frozenset[str]:
    """Attributes that `add` is to find where they are there: the watch's `keys`, and its `reads`.

    `reads: frozenset[str]` is optional: names that alone are no reason to call `add`, such as what a value is told
    apart by.
    """
    return watch.keys | getattr(watch, "reads", frozenset())


class TraceFacts(Protocol):
    """A trace as policies see it."""

    trace_id: bytes
    randomness: int
    """R: of the id, of an incoming `rv`, or of the session where conversations share one fate."""
    tenant: str
    start_unix_ns: int
    """The earliest start of its spans."""
    end_unix_ns: int
    """The latest end."""
    status_codes: int
    """A bit for each status code seen: 1 unset, 2 ok, 4 error."""
    span_count: int
    size_bytes: int
    """Of its spans on the wire, heads included once."""
    facts: list[Any]
    """By slot: what the watches gathered."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What policies are built with.

    Attributes:
        weighted: whether thresholds are written: then every probability is one of the shared randomness.
        share: the part of the work this process has (one of `--workers N`): rates are of all workers together.
        legacy_invert_match: old precedence of inverted policies.
        memory: what outlives a reload; see `remembered`.
    """

    weighted: bool = False
    share: float = 1.0
    legacy_invert_match: bool = False
    memory: MutableMapping[str, Any] = field(default_factory=dict)

    def remembered(self, name: str, config: ConfigModel, make: Callable[[], T]) -> T:
        """The state of the policy of this name and configuration, as it was before a reload; else a new one."""
        key = f"{name} {config!r}"
        found: T | None = self.memory.get(key)
        if found is None:
            # The memory may forget what nobody has in his hands.
            found = self.memory[key] = make()
        return found


@dataclass(frozen=True, slots=True)
class Decision:
    """The fate of a trace.

    Attributes:
        threshold: the smallest T of the rules that kept it; None where its probability is unknown.
        rule: name of the policy it was kept or dropped by; empty: no rule wanted it.
    """

    kept: bool
    rule: str = ""
    threshold: int | None = None


class Policy(ABC):
    """One rule. Made anew by a reload; state that must outlive it is kept in `Setting.memory`.

    Attributes:
        type: its name in configuration files.
        Config: the block under that name.
        is_ours: whether the Collector does not have this type.
        watches: what it wants to know; the engine sets `slots` to their places in `TraceFacts.facts`, in this order.
        is_instant: whether ALWAYS, once answered, holds whatever spans follow: the trace may be kept early. Only
            such a policy may be asked more than once for a trace.
        drops: whether a trace that it takes is dropped, before other policies are asked.
        spends: whether asking it takes something away from other traces, such as tokens.
        is_stateless: whether its answer depends on the trace alone, and its rule is its name: many traces may be asked
            about at once.
        is_known: whether its answers are probabilities; else they are UNKNOWN and LIMITED.
        vetoes: whether its NEVER keeps others from keeping the trace (inverted policies of old).
        is_graded: whether ALWAYS is but the largest of its probabilities, not a word that the trace must be kept.
        children: policies inside it.
        rule: what a trace is said to be kept by when this policy keeps it, as of the last trace it was asked about: its
            name, or that of the policy inside which wanted the trace.
    """

    type: ClassVar[str]
    Config: ClassVar[builtins.type[ConfigModel]]
    is_ours: ClassVar[bool] = False
    watches: tuple[Watch, ...] = ()
    slots: tuple[int, ...] = ()
    is_instant: bool = False
    drops: bool = False
    spends: bool = False
    is_stateless: bool = False
    is_known: bool = True
    vetoes: bool = False
    is_graded: bool = False
    children: tuple[Policy, ...] = ()

    def __init__(self, name: str, config: Any, setting: Setting) -> None:
        """Name it as the configuration does."""
        self.name = self.rule = name

    @abstractmethod
    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """T with which it would keep the trace: ALWAYS to NEVER (it has no interest), or UNKNOWN or LIMITED.

        Asked once for each trace. The answer may depend on anything but the trace's randomness.
        """

    def thresholds(self, traces: Sequence[TraceFacts], now_s: float) -> list[int]:
        """What `threshold` says of each; asked in its place if the policy is stateless."""
        return [self.threshold(trace, now_s) for trace in traces]


@dataclass(slots=True)
class Span:
    """A span as the scanner hands it to watches; see `SpanFacts`."""

    pb: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)


__all__ = [
    "LIMITED",
    "NEVER",
    "UNKNOWN",
    "Decision",
    "Policy",
    "Setting",
    "Span",
    "SpanFacts",
    "TraceFacts",
    "Watch",
    "names_of",
]
