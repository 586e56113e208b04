"""Records as they reach `tail_sampling`: through the processors in front of it, where it matters what these write."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from pipeline.component import Host, Processor
from pipeline.config.ids import ComponentId
from pipeline.config.settings import ComponentSettings, PipelineSettings, Settings
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import parse
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry
from processors.explain_sampling.reading import Arrival


def in_front_of(settings: Settings, sampler: ComponentId) -> list[ComponentSettings]:
    """The processors that only work on what passes (none that holds or limits), in the order of the way to the sampler.

    Of several pipelines that lead to it, the first in the file counts.
    """
    pipelines = settings.service.pipelines
    found = next((pipeline for pipeline in pipelines.values() if sampler in pipeline.processors), None)
    if found is None:
        return []
    names = [*_above(settings, found), *found.processors[: found.processors.index(sampler)]]
    return [settings.processors[name] for name in names if _is_plain(settings.processors[name].cls)]


def _above(settings: Settings, pipeline: PipelineSettings) -> list[ComponentId]:
    """Those of the pipelines that lead here through a connector."""
    ways = settings.connectors.keys() & set(pipeline.receivers)
    for above in settings.service.pipelines.values():
        if above.id.signal == pipeline.id.signal and ways & set(above.exporters):
            return [*_above(settings, above), *above.processors]
    return []


def _is_plain(cls: type[Processor]) -> bool:
    return cls.consume is Processor.consume


async def through(
    chain: Sequence[ComponentSettings], tenant_from: tuple[str, ...], arrivals: Sequence[Arrival]
) -> list[Arrival]:
    """The same requests as they leave the chain; what it drops is gone.

    Raises:
        StartError: a processor cannot start.
    """
    registry = MetricsRegistry()
    processors = [_built(item, tenant_from, registry) for item in chain]
    try:
        for processor in reversed(processors):
            await processor.start()
        return list(_worked_on(processors, arrivals))
    finally:
        for processor in processors:
            await processor.stop()


def _built(item: ComponentSettings, tenant_from: tuple[str, ...], registry: MetricsRegistry) -> Processor:
    log = Log(logging.getLogger(__name__), component=str(item.id))
    built: Processor = item.cls(item.config, Host(item.id, log, Meter(registry, {}), tenant_from=tenant_from))
    return built


def _worked_on(processors: Sequence[Processor], arrivals: Sequence[Arrival]) -> Iterator[Arrival]:
    for arrival in arrivals:
        batch: Batch | None = parse(Signal.TRACES, arrival.raw)
        for processor in processors:
            if batch is not None:
                batch = processor.process(batch)
        if batch is not None:
            batch.settle()
            if batch.count:
                yield Arrival(arrival.at_ns, batch.serialize())
