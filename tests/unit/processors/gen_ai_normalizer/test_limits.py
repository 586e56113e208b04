"""What whoever sends telemetry can make up without end stays bounded: memory, series of metrics, comparisons."""

from __future__ import annotations

import itertools

from pipeline.signals import Span, Value
from pipeline.testing import configured, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.knowledge.rules import load_rules
from tests.unit.processors.gen_ai_normalizer.counting.test_roles import Seen
from tests.unit.processors.gen_ai_normalizer.reported import span


def test_evaluations_of_one_span_are_limited_and_counted() -> None:
    attributes: dict[str, Value] = {"openinference.span.kind": "EVALUATOR"}
    for number in range(200):
        attributes[f"annotations.{number}.annotation.name"] = f"result {number}"
        attributes[f"annotations.{number}.annotation.score"] = 0.5
    host = make_host("gen_ai_normalizer")
    batch = traces(attributes)
    (record,) = configured(GenAiNormalizer, host).process(batch).records()
    assert isinstance(record, Span)
    assert len(record.events) == 128
    assert metric_value(host, "penstock_normalizer_unmapped_total", dialect="openinference") == 72


def test_aggregates_that_count_in_one_trace_are_limited() -> None:
    seen = Seen(aggregates_count=True)
    apart = [span(number, scope="agents", parent=0, at=(1000 * number, 1000 * number + 1)) for number in range(1, 301)]
    roles = [seen(record, "aggregate") for record in apart]
    assert roles == ["leaf"] * 256 + ["aggregate"] * 44


def test_sets_of_dialects_make_no_series_without_end() -> None:
    markers = [rule.markers.keys[0] for rule in load_rules() if rule.markers.keys]
    spans: list[dict[str, Value]] = [
        dict.fromkeys(keys, "x") for keys in itertools.islice(itertools.combinations(markers, 3), 500)
    ]
    host = make_host("gen_ai_normalizer")
    configured(GenAiNormalizer, host).process(traces(*spans))
    samples = [sample for metric in host.meter.registry.collect() for sample in metric.samples]
    series = [sample for sample in samples if sample.name == "penstock_normalizer_records_total"]
    assert 200 < len(series) <= 257
    assert metric_value(host, "penstock_normalizer_records_total", dialect="others") > 0


def test_marks_that_no_normaliser_wrote_do_not_stay() -> None:
    record = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "f", "penstock.gen_ai.role": "leaf"}
    call: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 5,
        "penstock.gen_ai.role": "aggregate",
    }
    batch = configured(GenAiNormalizer).process(traces(record, call | {"penstock.dialect": 5}))
    tool, leaf = batch.records()
    assert "penstock.gen_ai.role" not in tool.attributes
    assert leaf.attributes["penstock.gen_ai.role"] == "leaf"
    assert leaf.attributes["penstock.dialect"] == "opentelemetry"
