"""Keys of the exporter beside those of test_exporter.py."""

from __future__ import annotations

import pytest

from pipeline.delivery import DeliveryStage
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.prometheus.names import Strategy
from pipeline.registry import Kind
from pipeline.signals import Outcome, Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured, make_host, metric_request, metrics


async def test_with_a_queue_the_sender_does_not_wait() -> None:
    host = make_host("prometheus", kind=Kind.EXPORTER)
    exporter: PrometheusExporter = configured(
        PrometheusExporter, host, endpoint="127.0.0.1:0", sending_queue={"enabled": True}
    )
    stage = DeliveryStage(exporter, exporter.config, host, Signal.METRICS)
    await stage.start()
    batch = metrics({"m": [1.0]})
    await stage.consume(batch)
    assert list(exporter._families()) == []
    assert await batch.delivery.wait() is Outcome.DELIVERED
    assert [family.name for family in exporter._families()] == ["m_ratio"]
    await stage.stop()


@pytest.mark.parametrize(
    ("suffixes", "strategy"),
    [(True, Strategy.UNDERSCORES_WITH_SUFFIXES), (False, Strategy.UNDERSCORES)],
)
def test_an_empty_strategy_is_none(suffixes: bool, strategy: Strategy) -> None:
    config = PrometheusExporter.Config(endpoint="a:1", translation_strategy="", add_metric_suffixes=suffixes)
    assert config.strategy is strategy


@pytest.mark.parametrize("excluded", [False, True])
async def test_service_attributes_can_be_left_out(excluded: bool) -> None:
    host = make_host("prometheus", kind=Kind.EXPORTER)
    conversion = {"enabled": True, "exclude_service_attributes": excluded}
    exporter: PrometheusExporter = configured(
        PrometheusExporter, host, endpoint="127.0.0.1:0", resource_to_telemetry_conversion=conversion
    )
    resource = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "1", "zone": "a"}
    request = metric_request({"m": [1.0]}, resource=resource)
    await exporter.export(parse(Signal.METRICS, request.SerializeToString()))
    (family,) = [family for family in exporter._families() if family.name != "target_info"]
    (labels,) = [dict(series.labels) for series in family.series]
    assert (labels["job"], labels["zone"]) == ("eu/shop", "a")
    service = {"service_name", "service_namespace", "service_instance_id"}
    assert service & set(labels) == (set() if excluded else service)
