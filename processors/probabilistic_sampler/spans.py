"""Spans: their tracestate, and the attribute `sampling.priority`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from processors.attribute_actions import parse_double
from processors.probabilistic_sampler.verdicts import ANY_RANDOMNESS, NOTHING_TOLD, Judge, Source, Told, Verdict
from processors.sampling.hashing import ID_BYTES
from processors.sampling.thresholds import ALWAYS, NEVER, threshold_digits
from processors.sampling.tracestate import MalformedTraceState, TraceState

_NO_ID: Final = bytes(ID_BYTES)


class Fate(NamedTuple):
    """What becomes of one span, and the tracestate it gets; None: it keeps its own."""

    verdict: Verdict
    trace_state: str | None = None


class SpanSampler:
    """Decides on spans, and says what goes into the tracestate of those that are kept: `ot=rv:..;th:..`."""

    def __init__(self, judge: Judge) -> None:
        """Decide with `judge`."""
        self._judge = judge

    def fates(self, spans: Sequence[Any], priorities: Sequence[Any] | None = None) -> list[Fate]:
        """Of each protobuf span; `priorities` are the values of their attributes `sampling.priority`."""
        ids = [span.trace_id for span in spans]
        distinct = [each for each in set(ids) if len(each) == ID_BYTES and each != _NO_ID]
        randomness = dict(zip(distinct, self._judge.mode.randomness_of_ids(distinct), strict=True))
        # Most spans tell nothing: by trace id, since all spans of a trace have the same fate then.
        alone = self._alone(randomness)
        without_id = self._fate(TraceState(), NOTHING_TOLD, None)
        fates = [
            alone.get(each, without_id) if not (state := span.trace_state) else self._told(state, randomness.get(each))
            for each, span in zip(ids, spans, strict=True)
        ]
        for index, value in enumerate(priorities or ()):
            if (forced := priority_of(value)) is not None:
                fates[index] = self._told(spans[index].trace_state, randomness.get(ids[index]), forced)
        return fates

    def _alone(self, randomness: Mapping[bytes, int]) -> dict[bytes, Fate]:
        """By trace id, of spans that tell nothing; their verdicts are the same two objects."""
        mode = self._judge.mode
        threshold = mode.threshold(None)
        dropped = self._fate(TraceState(), NOTHING_TOLD, None if mode.keeps_none else threshold - 1)
        if mode.keeps_none:
            return dict.fromkeys(randomness, dropped)
        kept = self._fate(TraceState(), NOTHING_TOLD, ANY_RANDOMNESS)
        if not mode.hashes:
            return {each: kept if found >= threshold else dropped for each, found in randomness.items()}
        verdict, rest = kept.verdict, f";th:{threshold_digits(threshold)}"
        return {
            each: Fate(verdict, f"ot=rv:{found:014x}{rest}") if found >= threshold else dropped
            for each, found in randomness.items()
        }

    def _told(self, text: str, randomness: int | None, forced: int | None = None) -> Fate:
        try:
            state = TraceState.parse(text)
        except MalformedTraceState:
            return self._fate(TraceState(), Told(is_malformed=True), randomness, forced)
        return self._fate(state, Told(state.threshold, state.randomness), randomness, forced)

    def _fate(self, state: TraceState, told: Told, randomness: int | None, forced: int | None = None) -> Fate:
        source = None if randomness is None else Source(randomness, self._judge.mode.policy)
        verdict = self._judge.verdict(told, source, forced)
        return Fate(verdict, _text(state, verdict) if verdict.kept and verdict.writes else None)


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
