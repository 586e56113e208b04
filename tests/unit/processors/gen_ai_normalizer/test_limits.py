"""What whoever sends telemetry can make up without end stays bounded: memory, series of metrics, comparisons."""

from __future__ import annotations

from pipeline.signals import Span
from pipeline.testing import configured, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from tests.unit.processors.gen_ai_normalizer.reported import span
from tests.unit.processors.gen_ai_normalizer.test_roles import Seen


def test_evaluations_of_one_span_are_limited_and_counted() -> None:
    attributes = {
        key: value
        for number in range(200)
        for key, value in {
            f"annotations.{number}.annotation.name": f"result {number}",
            f"annotations.{number}.annotation.score": 0.5,
        }.items()
    }
    host = make_host("gen_ai_normalizer")
    batch = traces({"openinference.span.kind": "EVALUATOR", **attributes})
    (record,) = configured(GenAiNormalizer, host).process(batch).records()
    assert isinstance(record, Span)
    assert len(record.events) == 128
    assert metric_value(host, "penstock_normalizer_unmapped_total", dialect="openinference") == 72


def test_aggregates_that_count_in_one_trace_are_limited() -> None:
    seen = Seen(aggregates_count=True)
    apart = [span(number, scope="agents", parent=0, at=(1000 * number, 1000 * number + 1)) for number in range(1, 301)]
    roles = [seen(record, "aggregate") for record in apart]
    assert roles == ["leaf"] * 256 + ["aggregate"] * 44
