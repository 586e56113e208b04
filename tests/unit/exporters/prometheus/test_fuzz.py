"""Whatever comes in, nothing is raised and what is on the page can be read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.exposition import Format, render
from pipeline.testing import configured, make_host
from tests.strategies import messages

# No label __name__, which a parser may take for the name of the series, and none that an old scraper is given as
# nothing but underscores, which prometheus_client's parser (unlike Prometheus) does not take.
_TEXTS = st.text(max_size=6).filter(lambda text: "name" not in text and not re.fullmatch(r"[^a-zA-Z]{2,}.*", text))
_FORMS = [Format(), Format(utf8_names=True), Format(openmetrics=True), Format(openmetrics=True, utf8_names=True)]


@pytest.mark.parametrize("strategy", ["UnderscoreEscapingWithSuffixes", "NoTranslation"])
@given(request=messages(ExportMetricsServiceRequest, texts=_TEXTS))
@settings(max_examples=60, deadline=None)
async def test_any_request(strategy: str, request: ExportMetricsServiceRequest) -> None:
    host = make_host("prometheus", kind=Kind.EXPORTER)
    keys: dict[str, Any] = {
        "translation_strategy": strategy,
        "enable_open_metrics": True,
        "resource_to_telemetry_conversion": {"enabled": True},
    }
    exporter: PrometheusExporter = configured(PrometheusExporter, host, endpoint="127.0.0.1:0", **keys)
    batch = parse(Signal.METRICS, request.SerializeToString())
    await exporter.export(batch)
    for form in _FORMS:
        page = render(exporter._families(), form).decode()
        if form.openmetrics:
            assert page.endswith("# EOF\n")
        else:
            list(parse_text(page))
        types = [line for line in page.splitlines() if line.startswith("# TYPE ")]
        # Names that only an old scraper cannot tell apart are told apart by others.
        assert len(types) == len(set(types)) or (strategy == "NoTranslation" and not form.utf8_names)
