"""A host for a component that a test builds by itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pipeline.clock import Clock
from pipeline.component import Component, Extension, Host
from pipeline.config.ids import ComponentId
from pipeline.registry import Kind
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry
from pipeline.testing.clock import FakeClock
from pipeline.worker import ALONE, Worker


def make_host(
    component_id: str = "test",
    *,
    kind: Kind = Kind.PROCESSOR,
    clock: Clock | None = None,
    extensions: Mapping[ComponentId, Extension] | None = None,
    registry: MetricsRegistry | None = None,
    worker: Worker = ALONE,
) -> Host:
    """A host with its own metrics registry and, unless one is given, a fake clock."""
    return Host(
        id=ComponentId.parse(component_id),
        log=Log(logging.getLogger("penstock.test"), component=component_id),
        meter=Meter(registry or MetricsRegistry(), {kind.singular: component_id}),
        clock=FakeClock() if clock is None else clock,
        extensions=extensions or {},
        worker=worker,
    )


def metric_value(host: Host, name: str, **labels: str) -> float:
    """The value of one of the component's own series; 0.0 where nothing was counted yet."""
    wanted = host.meter.labels | labels
    value: Any = host.meter.registry.collector.get_sample_value(name, wanted)
    return 0.0 if value is None else float(value)


def configured(component: type[Component], host: Host | None = None, **config: Any) -> Any:
    """A component built with `Config(**config)` and a test host."""
    return component(component.Config(**config), host or make_host(component.type))
