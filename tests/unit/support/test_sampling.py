"""The traffic is what it says: the same each time, with known totals, and on the wire as in the plain records."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.sampling.thresholds import NEVER, randomness_of, threshold_from
from tests.support.sampling import ERROR, Traffic, generate, totals, totals_by_tenant, with_other_ids
from tests.support.sampling_otlp import sendings

TRAFFIC = Traffic(
    traces=2000, giant_share=0.002, giant_spans=300, incoming_share=0.2, error_share=0.05, flagged_share=0.02
)


def test_the_same_traffic_is_the_same_each_time() -> None:
    assert generate(TRAFFIC) == generate(TRAFFIC)
    assert generate(TRAFFIC) != generate(replace(TRAFFIC, seed=2))


def test_on_the_wire_it_is_what_the_plain_records_say() -> None:
    traces = generate(TRAFFIC)
    sent = list(sendings(traces))
    assert all(before.at_s <= after.at_s for before, after in pairwise(sent))
    spans = [
        span
        for sending in sent
        for group in ExportTraceServiceRequest.FromString(sending.raw).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert len(spans) == sum(len(trace.spans) + len(trace.again) for trace in traces)
    once = {(span.trace_id, span.span_id): span for span in spans}
    assert len(once) == sum(len(trace.spans) for trace in traces)
    cost = sum(each.value.double_value for span in once.values() for each in span.attributes if "cost" in each.key)
    assert cost == pytest.approx(sum(trace.cost_usd for trace in traces))
    failed = {span.trace_id for span in spans if span.status.code == ERROR}
    assert failed == {trace.trace_id for trace in traces if trace.is_error}


def test_every_kind_of_trouble_is_in_it() -> None:
    traces = generate(TRAFFIC)
    assert any(trace.is_giant for trace in traces)
    assert any(trace.again for trace in traces)
    assert any(all(span.parent_span_id for span in trace.spans) for trace in traces)
    assert any(max(s.arrived_s for s in t.spans) > min(s.arrived_s for s in t.spans) + 40 for t in traces)
    assert any(t.spans[0].start_unix_ns < t.spans[-1].start_unix_ns - 10**9 for t in traces if len(t.spans) > 1)
    assert len({trace.session for trace in traces}) > 20
    assert len({trace.tenant for trace in traces}) == TRAFFIC.tenants
    assert any(trace.is_flagged for trace in traces)
    assert any(trace.is_low_score for trace in traces)


def _randomness(trace_id: bytes, tracestate: str) -> int:
    _, found, rv = tracestate.partition("rv:")
    return int(rv, 16) if found else randomness_of(trace_id)


def test_what_was_sampled_before_reaches_its_threshold() -> None:
    before = generate(TRAFFIC)
    for traces in (before, list(with_other_ids(before, 7))):
        sampled = [trace for trace in traces if trace.tracestate]
        assert sampled
        for trace in sampled:
            said = threshold_from(trace.tracestate.removeprefix("ot=th:").split(";")[0])
            assert said == trace.threshold_in
            assert said is not None
            assert said <= _randomness(trace.trace_id, trace.tracestate) < NEVER


def test_a_wrong_threshold_is_one_that_is_not_reached() -> None:
    traces = generate(replace(TRAFFIC, wrong_share=1.0))
    wrong = [trace for trace in traces if trace.threshold_in is None]
    assert wrong
    for trace in wrong:
        said = threshold_from(trace.tracestate.removeprefix("ot=th:"))
        assert said is not None
        assert randomness_of(trace.trace_id) < said


def test_totals_add_up() -> None:
    traces = generate(TRAFFIC)
    all_of_them = totals(traces)
    assert all_of_them.traces > len(traces)
    assert sum(each.cost_usd for each in totals_by_tenant(traces).values()) == pytest.approx(all_of_them.cost_usd)


def test_costs_have_a_heavy_tail() -> None:
    costs = sorted(trace.cost_usd for trace in generate(replace(TRAFFIC, giant_share=0)))
    assert sum(costs[-len(costs) // 20 :]) > 0.3 * sum(costs)
