"""`trace_state` and `trace_flags`: traces by what their W3C trace context says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pydantic import Field

from pipeline.config import ConfigModel
from processors.sampling.thresholds import ALWAYS
from processors.tail_sampling.policy import NEVER, Policy, Setting, SpanFacts, TraceFacts

_SAMPLED: Final = 1
_MAX_MEMBERS: Final = 32
_MAX_MEMBER_CHARACTERS: Final = 256
_EVERY_SPAN: Final[frozenset[str]] = frozenset()
# W3C Trace Context 3.3.1.3: key (plain, or tenant@system), value.
_MEMBER = re.compile(
    r"[ \t]*([a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})="
    r"([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])[ \t]*"
)


def members_of(tracestate: str) -> Mapping[str, str]:
    """The members of a tracestate; none where it is not a valid one (W3C Trace Context 3.3.1)."""
    found: dict[str, str] = {}
    for text in tracestate.split(","):
        if not text:
            continue
        member = _MEMBER.fullmatch(text)
        if member is None or member[1] in found or len(found) == _MAX_MEMBERS:
            return {}
        found[member[1]] = member[2]
    return found


@dataclass(frozen=True)
class AnyTraceState:
    """Whether some span's tracestate has one of `values` under `key`."""

    key: str
    values: frozenset[str]
    keys: frozenset[str] = field(default=_EVERY_SPAN, init=False, compare=False, repr=False)

    def begin(self) -> bool:
        """Nothing has matched yet."""
        return False

    def add(self, so_far: bool, span: SpanFacts) -> bool:
        """Whether something has matched by now."""
        if so_far:
            return True
        text = span.pb.trace_state
        return bool(text) and self.key in text and _member(text, self.key) in self.values


@lru_cache(1024)
def _member(tracestate: str, key: str) -> str:
    return members_of(tracestate).get(key, "")


@dataclass(frozen=True)
class AnySampledFlag:
    """Whether some span has the flag `sampled`."""

    keys: frozenset[str] = field(default=_EVERY_SPAN, init=False, compare=False, repr=False)

    def begin(self) -> bool:
        """No span has it yet."""
        return False

    def add(self, so_far: bool, span: SpanFacts) -> bool:
        """Whether some span had it by now."""
        return so_far or bool(span.pb.flags & _SAMPLED)


class TraceStateConfig(ConfigModel):
    """Which members."""

    key: str = Field(min_length=1, description="Key of the member.")
    values: tuple[str, ...] = Field((), description="Values; one of them is to be equal.")


class TraceStatePolicy(Policy):
    """Keeps traces in which some span's tracestate has one of these values."""

    type = "trace_state"
    Config = TraceStateConfig
    is_instant = True
    is_stateless = True

    def __init__(self, name: str, config: TraceStateConfig, setting: Setting) -> None:
        """Watch for the member; values that cannot stand in a tracestate are left out."""
        super().__init__(name, config, setting)
        room = _MAX_MEMBER_CHARACTERS - len(config.key)
        self.watches = (
            AnyTraceState(config.key, frozenset(value for value in config.values if 0 < len(value) < room)),
        )

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where some span had such a member."""
        return ALWAYS if trace.facts[self.slots[0]] else NEVER


class TraceFlagsConfig(ConfigModel):
    """It has no keys."""


class TraceFlags(Policy):
    """Keeps traces in which some span has the flag `sampled` of W3C trace context."""

    type = "trace_flags"
    Config = TraceFlagsConfig
    is_instant = True
    is_stateless = True

    def __init__(self, name: str, config: TraceFlagsConfig, setting: Setting) -> None:
        """Watch for the flag."""
        super().__init__(name, config, setting)
        self.watches = (AnySampledFlag(),)

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        """ALWAYS where some span had the flag."""
        return ALWAYS if trace.facts[self.slots[0]] else NEVER
