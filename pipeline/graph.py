"""Configuration -> wired pipelines. What runs in which order is visible here.

One component instance per id, except processors, of which each pipeline has its own. An exporter has one delivery stage
for each signal it is used with. Data flows

    receivers -> fan-out -> [processors of a pipeline] -> fan-out -> delivery stages -> exporters
                                                                  -> connectors -> fan-out -> [processors ...] ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from pipeline.clock import Clock
from pipeline.component import Component, Connector, Exporter, Extension, Host, Processor, Receiver, Stage
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.references import with_named_exporters
from pipeline.config.settings import ComponentSettings, Settings
from pipeline.delivery import DeliveryStage
from pipeline.errors import PenstockError, StartError
from pipeline.fanout import Branch, fan_out, writes_original
from pipeline.registry import Kind
from pipeline.run import fuse
from pipeline.signals import Signal
from pipeline.supervisor import Status, Supervisor
from pipeline.telemetry import Telemetry
from pipeline.worker import Worker


@dataclass(slots=True)
class Health:
    """What components reported about themselves, by kind and id."""

    states: dict[str, tuple[Status, str]] = field(default_factory=dict)

    def report(self, component: str, status: Status, why: str) -> None:
        """Remember the last word of a component."""
        self.states[component] = (status, why)


@dataclass(slots=True)
class Pipeline:
    """One wired pipeline: its processors in order and the stage that receivers hand batches to.

    `mutates`: whether a batch that enters here may be written to, here or in a pipeline that it is forwarded to.
    """

    id: PipelineId
    signal: Signal
    processors: list[Processor]
    entry: Stage
    mutates: bool


class Graph:
    """One set of components, built from one configuration.

    `previous` is the set that runs now: components whose configuration is unchanged are taken over, so that sockets
    and connections stay. Building starts nothing.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry, clock: Clock, previous: Graph | None = None) -> None:
        """Build and wire everything. Raises StartError for what a component finds wrong when built."""
        self.settings = settings
        self.health: Health = Health() if previous is None else previous.health
        self._telemetry = telemetry
        self._clock = clock
        self._previous = previous
        self._log = telemetry.log()
        self._worker = Worker.of_environment()
        self.tasks = Supervisor(self._log, clock, lambda status, why: self.health.report("pipelines", status, why))
        self.extensions: dict[ComponentId, Extension] = {}
        self.exporters: dict[ComponentId, Exporter] = {}
        self.connectors: dict[ComponentId, Connector] = {}
        self.receivers: dict[ComponentId, Receiver] = {}
        self.deliveries: dict[tuple[ComponentId, Signal], DeliveryStage] = {}
        self.pipelines: dict[PipelineId, Pipeline] = {}
        self._wire()

    # Building ---------------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        service = self.settings.service
        for component_id in service.extensions:
            settings = self.settings.extensions[component_id]
            self.extensions[component_id] = self._component(settings, Kind.EXTENSION, Extension)
        used = list(service.pipelines.values())
        sending = (component_id for pipeline in used for component_id in pipeline.exporters)
        for settings in _used(self.settings.exporters, [with_named_exporters(sending, self.settings.exporters)]):
            self.exporters[settings.id] = self._component(settings, Kind.EXPORTER, Exporter)
        for settings in _used(self.settings.connectors, (pipeline.exporters for pipeline in used)):
            self.connectors[settings.id] = self._component(settings, Kind.CONNECTOR, Connector)
        for pipeline_id in reversed(self._topological_order()):
            self.pipelines[pipeline_id] = self._pipeline(pipeline_id)
        for connector_id, connector in self.connectors.items():
            connector.connect(self.stages_of(connector_id))
        for settings in _used(self.settings.receivers, (pipeline.receivers for pipeline in used)):
            self.receivers[settings.id] = self._component(settings, Kind.RECEIVER, Receiver)

    def _component(self, settings: ComponentSettings, kind: Kind, base: type[Any]) -> Any:
        if self._previous is not None and self._is_unchanged(settings, kind, self._previous):
            return self._previous.find(kind, settings.id)
        return self._build(settings, kind, base)

    def _build(self, settings: ComponentSettings, kind: Kind, base: type[Any], pipeline: str = "") -> Any:
        try:
            component = settings.cls(settings.config, self._host(settings.id, kind, pipeline))
        except PenstockError:
            raise
        except Exception as error:
            raise StartError(f'failed to build "{settings.id}" {kind.singular}: {describe(error)}') from error
        assert isinstance(component, base), f"{settings.id} is no {kind.singular}"  # noqa: S101 - the registry's promise
        return component

    def _is_unchanged(self, settings: ComponentSettings, kind: Kind, previous: Graph) -> bool:
        """Whether a running component can serve on: same class, same configuration, same extensions behind it."""
        running = previous.find(kind, settings.id)
        if running is None or type(running) is not settings.cls or running.config != settings.config:
            return False
        mentioned = [extension for extension in _mentioned(settings.config) if extension in previous.extensions]
        if kind is Kind.EXTENSION:
            # Those that stand behind it in the list are not built yet.
            return all(self._stays(extension, previous) for extension in mentioned)
        return all(self.extensions.get(extension) is previous.extensions[extension] for extension in mentioned)

    def _stays(self, extension: ComponentId, previous: Graph) -> bool:
        service = self.settings.service
        is_started = extension in service.extensions
        return is_started and self._is_unchanged(self.settings.extensions[extension], Kind.EXTENSION, previous)

    def _host(self, component_id: ComponentId, kind: Kind, pipeline: str = "") -> Host:
        name = f"{kind.singular}:{component_id}"
        return Host(
            id=component_id,
            log=self._telemetry.log(
                component=str(component_id), kind=kind.singular, signal=pipeline.partition("/")[0], pipeline=pipeline
            ),
            meter=self._telemetry.meter({kind.singular: str(component_id)}),
            clock=self._clock,
            extensions=self.extensions,
            pipeline=pipeline,
            tenant_from=self.settings.service.tenant_from,
            worker=self._worker,
            report=lambda status, why: self.health.report(name, status, why),
        )

    def find(self, kind: Kind, component_id: ComponentId) -> Component | None:
        """The running component of a kind and id; processors are not found, since pipelines have their own."""
        of_kind: dict[Kind, Mapping[ComponentId, Component]] = {
            Kind.EXTENSION: self.extensions,
            Kind.EXPORTER: self.exporters,
            Kind.RECEIVER: self.receivers,
        }
        return of_kind.get(kind, {}).get(component_id)

    def _topological_order(self) -> list[PipelineId]:
        """Pipelines, each before those that connectors lead to from it (the configuration has no cycle)."""
        pipelines = self.settings.service.pipelines
        order: list[PipelineId] = []

        def visit(pipeline_id: PipelineId) -> None:
            if pipeline_id in order:
                return
            for exporter in pipelines[pipeline_id].exporters:
                for follower in self._followers(exporter) if exporter in self.settings.connectors else ():
                    visit(follower)
            order.append(pipeline_id)

        for pipeline_id in pipelines:
            visit(pipeline_id)
        return order[::-1]

    def _followers(self, component_id: ComponentId) -> Iterator[PipelineId]:
        for pipeline_id, pipeline in self.settings.service.pipelines.items():
            if component_id in pipeline.receivers:
                yield pipeline_id

    def _pipeline(self, pipeline_id: PipelineId) -> Pipeline:
        settings = self.settings.service.pipelines[pipeline_id]
        signal = Signal(pipeline_id.signal)
        branches = [self._branch(exporter, signal) for exporter in settings.exporters]
        out = fan_out(branches, self.tasks, self._log)
        processors = [
            self._build(self.settings.processors[processor], Kind.PROCESSOR, Processor, str(pipeline_id))
            for processor in settings.processors
        ]
        mutates = any(processor.mutates for processor in processors) or writes_original(branches)
        return Pipeline(pipeline_id, signal, processors, fuse(processors, out, self.tasks), mutates)

    def _branch(self, component_id: ComponentId, signal: Signal) -> Branch:
        if component_id in self.connectors:
            connector = self.connectors[component_id]
            mutates = type(connector).forwards and any(
                self.pipelines[follower].mutates for follower in self._followers(component_id)
            )
            return Branch(str(component_id), connector, mutates)
        return Branch(str(component_id), self._delivery(component_id, signal), mutates=False)

    def _delivery(self, component_id: ComponentId, signal: Signal) -> DeliveryStage:
        key = (component_id, signal)
        if key not in self.deliveries:
            exporter = self.exporters[component_id]
            named: ComponentId | None = getattr(exporter.config, "dead_letter", None)
            dead_letters = None if named is None else self._delivery(named, signal)
            host = self._host(component_id, Kind.EXPORTER)
            self.deliveries[key] = DeliveryStage(exporter, exporter.config, host, signal, dead_letters)
        return self.deliveries[key]

    def stages_of(self, source: ComponentId) -> dict[Signal, Stage]:
        """For a receiver or connector: the stage its data goes to, by signal."""
        branches: dict[Signal, list[Branch]] = {}
        for pipeline_id in self._followers(source):
            pipeline = self.pipelines[pipeline_id]
            branches.setdefault(pipeline.signal, []).append(Branch(str(pipeline_id), pipeline.entry, pipeline.mutates))
        return {signal: fan_out(found, self.tasks, self._log) for signal, found in branches.items()}

    async def revive(self, kind: Kind, component_id: ComponentId) -> None:
        """Put a fresh instance in the place of a component that was stopped for a change which then failed.

        Raises:
            StartError: it does not start any more.
        """
        settings = {
            Kind.EXTENSION: self.settings.extensions,
            Kind.EXPORTER: self.settings.exporters,
            Kind.RECEIVER: self.settings.receivers,
        }[kind][component_id]
        component = self._build(settings, kind, Component)
        if isinstance(component, Receiver):
            component.connect(self.stages_of(component_id))
            self.receivers[component_id] = component
        elif isinstance(component, Exporter):
            self.exporters[component_id] = component
            for (exporter_id, _), delivery in self.deliveries.items():
                if exporter_id == component_id:
                    delivery.exporter = component
        elif isinstance(component, Extension):
            self.extensions[component_id] = component
        await component.start()

    # Order of start and stop ------------------------------------------------------------------------------------------

    def behind_receivers(self) -> list[tuple[Kind, Component]]:
        """Exporters, then the processors and connectors in front of them, so that no stage starts before its next."""
        order: list[tuple[Kind, Component]] = [(Kind.EXPORTER, exporter) for exporter in self.exporters.values()]
        for pipeline in self.pipelines.values():
            order.extend((Kind.PROCESSOR, processor) for processor in reversed(pipeline.processors))
        return [*order, *((Kind.CONNECTOR, connector) for connector in self.connectors.values())]

    def delivery_order(self) -> list[list[DeliveryStage]]:
        """Delivery stages in the order they drain: each before the one that takes its dead letters."""
        order: list[list[DeliveryStage]] = []
        left = list(self.deliveries.values())
        while left:
            behind = {id(stage.dead_letters) for stage in left}
            order.append([stage for stage in left if id(stage) not in behind])
            left = [stage for stage in left if id(stage) in behind]
        return order

    def holders(self) -> dict[Component, list[Component]]:
        """Processors and connectors with what feeds them, in the order data flows: what one flushes the next takes."""
        feeders: dict[Component, list[Component]] = {}
        for pipeline_id in self._topological_order():
            settings = self.settings.service.pipelines[pipeline_id]
            before: list[Component] = [self.connectors[each] for each in settings.receivers if each in self.connectors]
            for processor in self.pipelines[pipeline_id].processors:
                feeders[processor] = before
                before = [processor]
            for exporter in settings.exporters:
                if exporter in self.connectors:
                    feeders.setdefault(self.connectors[exporter], []).extend(before)
        return feeders


def describe(error: Exception) -> str:
    """An error that a component raised when built or started, without a text that may hold anything."""
    return str(error) if isinstance(error, OSError) else type(error).__name__


def _used(
    components: Mapping[ComponentId, ComponentSettings], references: Iterable[Iterable[ComponentId]]
) -> list[ComponentSettings]:
    """Settings of the components that a pipeline names; unused ones are accepted and never built."""
    wanted = {component_id for group in references for component_id in group}
    return [settings for component_id, settings in components.items() if component_id in wanted]


def _mentioned(config: object) -> Iterator[ComponentId]:
    """Every component id inside a configuration."""
    if isinstance(config, ComponentId):
        yield config
    elif isinstance(config, BaseModel):
        for name in type(config).model_fields:
            yield from _mentioned(getattr(config, name))
    elif isinstance(config, dict):
        for value in config.values():
            yield from _mentioned(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _mentioned(value)
