"""Keys of the exporter beside those of test_exporter.py."""

from __future__ import annotations

import pytest

from pipeline.delivery import DeliveryStage
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.exporters.prometheus.names import Strategy
from pipeline.registry import Kind
from pipeline.signals import Outcome, Signal
from pipeline.testing import configured, make_host, metrics


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
