"""What leaves the real sampler: whole traces, with thresholds that are true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from processors.sampling.thresholds import ALWAYS, adjusted_count_of, randomness_of
from processors.sampling.tracestate import TraceState
from processors.tail_sampling.sessions import randomness_of_session
from tests.evaluation.sampling.goals import Goal
from tests.evaluation.sampling.simulation import Outcome, SentSpan, config_of, simulate, within_budget
from tests.support.sampling import PlainTrace, Traffic, generate


def randomness(trace: PlainTrace) -> int:
    """R: the `rv` that came, else of the session where nothing came, else of the id."""
    given = TraceState.read(trace.tracestate).randomness
    if given is not None:
        return given
    if trace.session and not trace.tracestate:
        return randomness_of_session(trace.session)
    return randomness_of(trace.trace_id)


def faults_of(trace: PlainTrace, outcome: Outcome) -> Iterator[str]:
    """What is wrong with what left of a trace."""
    verdict, left = outcome.verdicts[trace.trace_id], outcome.spans.get(trace.trace_id, [])
    arrived = Counter(span.span_id for span in (*trace.spans, *trace.again))
    if Counter(span.span_id for span in left) != (arrived if verdict.kept else Counter()):
        yield "not whole"
    if not verdict.kept:
        return
    assert verdict.threshold is not None
    known = max(trace.threshold_in if trace.threshold_in is not None else ALWAYS, verdict.threshold)
    for span in left:
        yield from _faults_of_span(span, known, trace)


def _faults_of_span(span: SentSpan, threshold: int, trace: PlainTrace) -> Iterator[str]:
    written = TraceState.read(span.tracestate)
    if written.threshold != threshold:
        yield "another threshold"
    elif written.threshold > randomness(trace):
        yield "randomness below the threshold"
    if span.attributes.get("penstock.sampling.adjusted_count") != pytest.approx(adjusted_count_of(threshold)):
        yield "another count"
    if not span.attributes.get("penstock.sampling.rule"):
        yield "no rule"


def traffic(traces: int, giant_spans: int) -> list[PlainTrace]:
    """All that disturbs: late and repeated spans, roots that never come, giants, sessions, incoming thresholds."""
    found = generate(
        Traffic(
            traces=traces,
            seed=4,
            duration_s=traces / 50,
            late_share=0.1,
            duplicate_share=0.05,
            orphan_share=0.05,
            incoming_share=0.2,
            wrong_share=0.1,
            giant_share=3 / traces,
            giant_spans=giant_spans,
        )
    )
    assert any(trace.is_giant for trace in found)
    return found


def wholeness(traces: int, giant_spans: int) -> list[Goal]:
    """Goals of what leaves."""
    sent = traffic(traces, giant_spans)
    deadline = {"settle": 2.0, "idle": 10.0, "max_age": 120.0, "max_spans": giant_spans // 3, "early_keep": True}
    outcome = simulate(sent, config_of(within_budget(60), deadline=deadline), reads=True)
    faults = Counter(fault for trace in sent for fault in set(faults_of(trace, outcome)))
    kept = sum(verdict.kept for verdict in outcome.verdicts.values())
    wrong = sum(faults.values()) - faults["not whole"]
    return [
        Goal(
            "whole: kept traces that lack a span, dropped ones of which one left", faults["not whole"], most=0, unit=""
        ),
        Goal("whole: kept traces whose th, rule or count is not what it must be", wrong, most=0, unit=""),
        Goal("whole: traces kept", kept, least=traces * 0.02, unit=""),
        Goal("whole: late spans, all of which followed the decision", outcome.late_spans, least=traces * 0.02, unit=""),
    ]


def is_in_time(trace: PlainTrace) -> bool:
    """Whether nothing that matters came behind the decision."""
    first_s = min(span.arrived_s for span in trace.spans)
    return all(span.arrived_s - first_s < 10 for span in trace.spans)
