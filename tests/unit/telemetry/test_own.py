"""Names and levels of own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.telemetry.exposition import Format, render
from pipeline.telemetry.meter import Meter, MetricsRegistry
from pipeline.telemetry.own import PageStyle, own_families, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

BARE = PageStyle()
FULL = PageStyle(without_scope_info=False, without_units=False, without_type_suffix=False)


@pytest.fixture
def registry() -> MetricsRegistry:
    registry = MetricsRegistry()
    meter = Meter(registry, {"receiver": "otlp"})
    meter.counter("otelcol_receiver_accepted_spans", "d").inc(4)
    meter.gauge("otelcol_process_memory_rss", "d").set(7)
    meter.counter("otelcol_process_cpu_seconds", "d").inc(1)
    meter.histogram("otelcol_processor_internal_duration", "d", (1.0,)).observe(0.5)
    meter.histogram("otelcol_processor_batch_batch_send_size", "d", (1.0,)).observe(1)
    meter.counter("penstock_dropped_items", "d").inc()
    meter.histogram("penstock_processor_duration_seconds", "d", (1.0,)).observe(0.5)
    return registry


def _page(metrics: Iterable[Metric], style: PageStyle) -> list[str]:
    families = own_families(metrics, {"service.name": "penstock", "a.b": "c"}, style, version="1")
    return [line for line in render(families, Format()).decode().splitlines() if not line.startswith("# HELP")]


def test_default_names_are_the_collectors_bare_ones(registry: MetricsRegistry) -> None:
    lines = _page(registry.collect(), BARE)
    assert "# TYPE otelcol_receiver_accepted_spans counter" in lines
    assert 'otelcol_receiver_accepted_spans{receiver="otlp"} 4' in lines
    assert 'otelcol_process_memory_rss{receiver="otlp"} 7' in lines
    assert 'otelcol_processor_internal_duration_bucket{receiver="otlp",le="1"} 1' in lines


def test_suffixes_and_scope_are_added_when_asked_for(registry: MetricsRegistry) -> None:
    lines = _page(registry.collect(), FULL)
    scope = 'otel_scope_name="penstock",otel_scope_schema_url="",otel_scope_version="1",receiver="otlp"'
    assert f"otelcol_receiver_accepted_spans_total{{{scope}}} 4" in lines
    assert f"otelcol_process_memory_rss_bytes{{{scope}}} 7" in lines
    assert f"otelcol_process_cpu_seconds_total{{{scope}}} 1" in lines
    assert f"otelcol_processor_internal_duration_seconds_count{{{scope}}} 1" in lines


@pytest.mark.parametrize("style", [BARE, FULL])
def test_penstock_names_are_canonical_whatever_the_style(registry: MetricsRegistry, style: PageStyle) -> None:
    page = "\n".join(_page(registry.collect(), style))
    assert "\npenstock_dropped_items_total{" in page
    assert "\npenstock_processor_duration_seconds_bucket{" in page


def test_target_info_has_the_resource(registry: MetricsRegistry) -> None:
    assert 'target_info{a_b="c",service_name="penstock"} 1' in _page([], BARE)


@pytest.mark.parametrize(
    ("level", "shown"),
    [("none", (False, False, False)), ("basic", (True, False, False)), ("normal", (True, True, False)),
     ("detailed", (True, True, True))],
)  # fmt: skip
def test_level_decides_what_is_shown(registry: MetricsRegistry, level: str, shown: tuple[bool, ...]) -> None:
    names = {metric.name for metric in visible(registry.collect(), level)}
    asked = (
        "otelcol_receiver_accepted_spans",
        "otelcol_processor_batch_batch_send_size",
        "otelcol_processor_internal_duration",
    )
    assert tuple(name in names for name in asked) == shown
