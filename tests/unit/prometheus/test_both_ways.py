"""Whatever metrics come in: the page that is scraped and remote write say the same series with the same values."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.clock import SystemClock
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.exporters.prometheus_remote_write.collected import Collected
from pipeline.exporters.prometheus_remote_write.config import RemoteWriteConfig
from pipeline.exporters.prometheus_remote_write.translation import Translator
from pipeline.prometheus.drops import Drops
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value
from pipeline.telemetry.exposition import go_float
from pipeline.testing import configured, make_host
from tests.support.remote_write import is_stale, write_request

NOW = 1_700_000_000_000_000_000
KEYS = st.sampled_from(
    ["le", "quantile", "__name__", "job", "instance", "a.b", "a_b", "zone", "9", "otel_scope_name", "é"]
)
TEXTS = st.sampled_from(["", "x", 'q"\\\n', "é"]) | st.integers(-3, 3) | st.booleans()
ATTRIBUTES = st.dictionaries(KEYS, TEXTS, max_size=3)
RESOURCES = st.dictionaries(
    st.sampled_from(["service.name", "service.namespace", "service.instance.id", "host.name", "le", "a.b"]),
    TEXTS, max_size=3,
)  # fmt: skip
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 1e6, 1e-5])
COUNTS = st.integers(0, 2**40)
BOUNDS = st.lists(st.floats(-1e6, 1e9), max_size=4, unique=True).map(sorted)
KINDS = ("gauge", "sum", "level", "histogram", "summary")


@st.composite
def requests(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    _fill(group.resource.attributes, draw(RESOURCES))
    scope = group.scope_metrics.add()
    scope.scope.name = draw(st.sampled_from(["", "lib"]))
    _fill(scope.scope.attributes, draw(ATTRIBUTES))
    for index, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))):
        metric = scope.metrics.add(name=f"m{index}.x", unit=draw(st.sampled_from(["", "1", "s", "By/s", "{x}"])))
        points: Any = _points(metric, kind)
        for number in range(draw(st.integers(1, 2))):
            point = points.add(time_unix_nano=NOW, flags=draw(st.sampled_from([0, 0, 0, 1])))
            _fill(point.attributes, {**draw(ATTRIBUTES), "number": number})
            _values(draw, kind, point)
    return request


def _points(metric: Any, kind: str) -> Any:
    data = getattr(metric, "sum" if kind == "level" else kind)
    if kind in ("sum", "level", "histogram"):
        data.aggregation_temporality = 2
    if kind == "sum":
        data.is_monotonic = True
    return data.data_points


def _values(draw: st.DrawFn, kind: str, point: Any) -> None:
    if kind == "histogram":
        bounds = draw(BOUNDS)
        counts = draw(st.lists(COUNTS, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
        point.explicit_bounds.extend(bounds)
        point.bucket_counts.extend(counts)
        point.count, point.sum = sum(counts), draw(FLOATS)
    elif kind == "summary":
        point.count, point.sum = draw(COUNTS), draw(FLOATS)
        for quantile in draw(st.lists(st.sampled_from([0.0, 0.5, 0.99, 1.0]), unique=True)):
            point.quantile_values.add(quantile=quantile, value=draw(FLOATS))
    elif draw(st.booleans()):
        point.as_int = draw(st.integers(-(2**63), 2**63 - 1))
    else:
        point.as_double = draw(FLOATS)


def _fill(pairs: Any, attributes: dict[str, Any]) -> None:
    for key, item in attributes.items():
        set_any_value(pairs.add(key=key).value, item)


def _bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def _key(labels: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    assert len({name for name, _ in labels}) == len(labels), "Prometheus takes no label twice"
    return tuple(sorted((name, text) for name, text in labels if text))


async def _scraped(raw: bytes, keys: dict[str, Any]) -> dict[Any, bytes]:
    host = make_host("prometheus", kind=Kind.EXPORTER)
    exporter: PrometheusExporter = configured(PrometheusExporter, host, endpoint="127.0.0.1:0", **keys)
    await exporter.export(parse(Signal.METRICS, raw))
    found = {}
    for family in exporter._families():
        for series in family.series:
            for point in series.points:
                last = [] if point.last_label is None else [(point.last_label[0], go_float(point.last_label[1]))]
                labels = [("__name__", family.name + point.suffix), *series.labels, *last]
                found[_key(labels)] = _bits(float(point.value))
    return found


def _written(raw: bytes, keys: dict[str, Any]) -> dict[Any, bytes]:
    host = make_host("prometheus_remote_write", kind=Kind.EXPORTER)
    translator = Translator(RemoteWriteConfig(endpoint="http://x:1", **keys), Drops(host), SystemClock())
    collected = Collected()
    for _ in translator.translate(raw, collected):
        pass
    found = {}
    for request in collected.requests(10_000):
        for series in write_request(b"".join([each.encoded for each in request])).timeseries:
            (sample,) = series.samples
            if not is_stale(sample.value):
                found[_key([(label.name, label.value) for label in series.labels])] = _bits(sample.value)
    return found


@pytest.mark.parametrize("strategy", ["UnderscoreEscapingWithSuffixes", "NoTranslation"])
@pytest.mark.parametrize("converted", [False, True])
@given(request=requests())
@settings(max_examples=150, deadline=None)
async def test_any_metrics(strategy: str, converted: bool, request: ExportMetricsServiceRequest) -> None:
    keys = {"translation_strategy": strategy, "resource_to_telemetry_conversion": {"enabled": converted}}
    raw = request.SerializeToString()
    scraped, written = await _scraped(raw, keys), _written(raw, keys)
    if not written:
        # Remote write speaks of a resource with a point that it has: it needs a time.
        scraped = {labels: value for labels, value in scraped.items() if ("__name__", "target_info") not in labels}
    assert scraped == written
