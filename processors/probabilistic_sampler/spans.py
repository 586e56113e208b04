"""Spans: their tracestate, and the attribute `sampling.priority`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipeline.signals import Span
from processors.attribute_actions import parse_double
from processors.probabilistic_sampler.modes import Mode
from processors.probabilistic_sampler.verdicts import NOTHING_TOLD, Judge, Source, Told, Verdict
from processors.sampling.hashing import ID_BYTES
from processors.sampling.thresholds import ALWAYS, NEVER
from processors.sampling.tracestate import MalformedTraceState, TraceState

PRIORITY: Final = "sampling.priority"
PRIORITY_RAW: Final = PRIORITY.encode()
_PRIORITIES: Final = frozenset({PRIORITY})
_NO_ID: Final = bytes(ID_BYTES)


class SpanSampler:
    """Decides on spans, and writes `ot=rv:..;th:..` into the tracestate of those that are kept."""

    def __init__(self, judge: Judge) -> None:
        """Decide with `judge`."""
        self._judge = judge

    def verdicts(self, spans: Sequence[Span], *, may_have_priority: bool) -> list[Verdict]:
        """The fate of each; those that are kept have been written on."""
        mode = self._judge.mode
        # By trace id: most spans tell nothing, and all spans of a trace have the same fate then.
        sources = _sources(mode, {span.pb.trace_id for span in spans})
        alone = {each: self._judge.verdict(NOTHING_TOLD, sources.get(each)) for each in {*sources, b""}}
        texts = {each: _text(TraceState(), found) for each, found in alone.items() if found.kept}
        found: list[Verdict] = []
        for span in spans:
            pb = span.pb
            trace_id = pb.trace_id
            key = trace_id if trace_id in sources else b""
            if pb.trace_state or (may_have_priority and _has_priority(span)):
                found.append(self._special(span, sources.get(key)))
                continue
            verdict = alone[key]
            if verdict.kept:
                span.trace_state = texts[key]
            found.append(verdict)
        return found

    def _special(self, span: Span, source: Source | None) -> Verdict:
        try:
            state = TraceState.parse(span.trace_state)
        except MalformedTraceState:
            state, told = TraceState(), Told(is_malformed=True)
        else:
            told = Told(state.threshold, state.randomness)
        verdict = self._judge.verdict(told, source, priority_of(span.some_attributes(_PRIORITIES).get(PRIORITY)))
        if verdict.kept and verdict.writes:
            span.trace_state = _text(state, verdict)
        return verdict


def _has_priority(span: Span) -> bool:
    return PRIORITY in span.some_attributes(_PRIORITIES)


def _sources(mode: Mode, ids: set[bytes]) -> dict[bytes, Source]:
    """By trace id, of those that are one."""
    valid = [each for each in ids if len(each) == ID_BYTES and each != _NO_ID]
    policy = mode.policy
    return {each: Source(found, policy) for each, found in zip(valid, mode.randomness_of_ids(valid), strict=True)}


def _text(state: TraceState, verdict: Verdict) -> str:
    if verdict.randomness is not None:
        state.randomness = verdict.randomness
    state.threshold = verdict.threshold
    return state.write()


def priority_of(value: Any) -> int | None:
    """T of a `sampling.priority` (OpenTracing, semantic conventions): 0 drops, more keeps, all else says nothing."""
    if isinstance(value, str):
        value = parse_double(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return NEVER if value == 0 else ALWAYS if value > 0 else None
