"""Policies on recordings of real instrumentations, as the chain in front of the sampler makes them."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from pipeline.signals import Batch, Signal
from pipeline.testing import configured
from processors.demo.recordings import Recording, load
from processors.gen_ai_cost.processor import GenAiCost
from processors.gen_ai_latency import GenAiLatency
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.sampling.thresholds import ALWAYS, randomness_of
from processors.tail_sampling.policies.agent import Agent
from processors.tail_sampling.policies.attribute import Attribute
from processors.tail_sampling.scanning import Scanner
from processors.trace_buffer.heads import Heads
from processors.trace_buffer.trace import Trace
from tests.unit.processors.tail_sampling.policies.scanned import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.tail_sampling.rules import Rules

TTFT = "gen_ai.response.time_to_first_chunk"
COST = "penstock.cost.usd"
ROLE = "penstock.gen_ai.role"
SCORE = "gen_ai.evaluation.score.value"
RESULT = "gen_ai.evaluation.result"


@cache
def understood() -> list[tuple[Recording, list[bytes]]]:
    """Recordings with their export requests behind the chain."""
    chain = [configured(component) for component in (GenAiNormalizer, GenAiLatency, GenAiCost)]
    return [(recording, [_through(chain, message) for message in _traces(recording)]) for recording in load()]


def _traces(recording: Recording) -> Iterator[Any]:
    return (export.message() for export in recording.exports() if export.signal == Signal.TRACES.value)


def _through(chain: list[Any], message: Any) -> bytes:
    batch: Batch = Batch.of_message(message, Signal.TRACES)
    for processor in chain:
        batch = processor.process(batch)
    return batch.serialize()


def requests(bodies: list[bytes]) -> list[ExportTraceServiceRequest]:
    return [ExportTraceServiceRequest.FromString(body) for body in bodies]


def scanned(rules: Rules, bodies: list[bytes]) -> dict[bytes, Trace]:
    """The traces of a recording, as they would wait."""
    scanner, heads, found = Scanner(rules.watches), Heads(), dict[bytes, Trace]()
    for group in (group for request in requests(bodies) for group in request.resource_spans):
        head = heads.get(b"", type(group)(resource=group.resource).SerializeToString(), b"")
        for scope in group.scope_spans:
            parts: dict[bytes, ScopeSpans] = defaultdict(ScopeSpans)
            for span in scope.spans:
                parts[span.trace_id].spans.append(span)
            for trace_id, part in parts.items():
                trace = found.get(trace_id)
                if trace is None:
                    trace = found[trace_id] = Trace(trace_id, randomness_of(trace_id), 0.0, rules.begin())
                scanner.scan(trace, head, part.SerializeToString(), list(part.spans))
                trace.span_count += len(part.spans)
    return found


def spans(bodies: list[bytes]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Trace ids and attributes of all spans, read by views."""
    for request in requests(bodies):
        for record in Batch.of_message(request, Signal.TRACES).records():
            yield record.pb.trace_id, dict(record.attributes)


def kept(asked: Asked, bodies: list[bytes]) -> set[bytes]:
    traces = scanned(asked.rules, bodies)
    return {trace_id for trace_id, trace in traces.items() if asked.policy.threshold(trace, 0.0) == ALWAYS}


def test_times_to_the_first_token_are_found() -> None:
    asked, count = Asked(Attribute, key=TTFT, min=0), 0
    for recording, bodies in understood():
        expected = {trace_id for trace_id, said in spans(bodies) if TTFT in said}
        assert kept(asked, bodies) == expected, (recording.dialect, recording.scenario)
        count += len(expected)
    assert count > 80


def test_costs_are_summed_over_the_calls_that_count() -> None:
    checked = 0
    for recording, bodies in understood():
        sums: dict[bytes, float] = defaultdict(float)
        for trace_id, said in spans(bodies):
            if COST in said and said.get(ROLE) not in ("aggregate", "duplicate"):
                sums[trace_id] += said[COST]
        asked = Asked(Attribute, key=COST, aggregate="sum", min=0)
        for trace_id, trace in scanned(asked.rules, bodies).items():
            found = trace.facts[0].value
            assert (found or 0) == pytest.approx(sums.get(trace_id, 0)), (recording.dialect, recording.scenario)
            checked += found is not None
    assert checked > 100


def test_results_of_evaluations_are_found() -> None:
    low = Asked(Attribute, key=SCORE, event=RESULT, where={"gen_ai.evaluation.name": "faithfulness"}, max=0.5)
    good = Asked(Attribute, key=SCORE, event=RESULT, where={"gen_ai.evaluation.name": "faithfulness"}, min=0.9)
    found = [recording for recording, bodies in understood() if kept(good, bodies)]
    assert [(recording.dialect, recording.scenario) for recording in found] == [("langwatch", "rag")]
    assert not any(kept(low, bodies) for _, bodies in understood())


def test_finish_reasons_are_found_in_their_lists() -> None:
    asked = Asked(Attribute, key="gen_ai.response.finish_reasons", values="error")
    for recording, bodies in understood():
        key = "gen_ai.response.finish_reasons"
        expected = {trace_id for trace_id, said in spans(bodies) if "error" in said.get(key, ())}
        assert kept(asked, bodies) == expected, (recording.dialect, recording.scenario)


def tool_calls(recording: Recording) -> int:
    """How many calls of tools the provider's answers asked for."""
    return sum(len(request.get("tool_calls") or ()) for request in recording.truth["requests"])


def test_calls_of_tools_are_those_that_models_asked_for() -> None:
    asked, checked = Asked(Agent, min_tool_calls=1), 0
    for recording, bodies in understood():
        steps = [trace.facts[0] for trace in scanned(asked.rules, bodies).values() if trace.facts[0] is not None]
        found = sum(step.tool_calls for step in steps)
        if found and recording.scenario == "agent":
            assert found == tool_calls(recording), recording.dialect
            checked += 1
        assert all(step.loops <= 1 for step in steps if step.tool_calls), (recording.dialect, recording.scenario)
    assert checked >= 10
