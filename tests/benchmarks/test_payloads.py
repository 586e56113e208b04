"""What is measured is what the tables say: spans of these sizes, no two alike."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.benchmarks.dialects import flattened
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape, requests
from tests.benchmarks.report import microseconds, ratio, table
from tests.benchmarks.soak import slope


@pytest.mark.parametrize(("shape", "size_bytes"), [(TEXT, 3600), (TEXT_FREE, 640)])
def test_size_of_a_span(shape: Shape, size_bytes: int) -> None:
    (body,) = requests(shape, spans=100, count=1)
    assert len(body) / 100 == pytest.approx(size_bytes, rel=0.02)


def test_all_spans_differ() -> None:
    bodies = requests(TEXT, spans=10, count=5)
    spans = [
        span.SerializeToString()
        for body in bodies
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    texts = {span[-400:] for span in spans}
    assert len(spans) == len(set(spans)) == len(texts) == 50


def test_the_same_seed_makes_the_same_load() -> None:
    assert requests(TEXT_FREE, spans=2, count=2) == requests(TEXT_FREE, spans=2, count=2)


def test_flattened_spans_have_sixty_attributes() -> None:
    (body,) = flattened(count=1, spans=2)
    (scope,) = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans
    assert [len(span.attributes) for span in scope.spans] == [60, 60]
    assert scope.spans[0].attributes != scope.spans[1].attributes


def test_slope_of_a_line() -> None:
    assert slope([(0, 100), (10, 105), (20, 110)]) == pytest.approx(0.5)
    assert slope([(3, 7)]) == 0.0


def test_report() -> None:
    assert (microseconds(7.26), microseconds(249.6), microseconds(None)) == ("7.3", "250", "-")
    assert (ratio(8, 10), ratio(None, 10), ratio(8, None)) == ("0.80", "-", "-")
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
