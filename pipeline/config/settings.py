"""The result of loading: what the graph is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config.ids import ComponentId, PipelineId

if TYPE_CHECKING:
    from pipeline.config.model import ConfigModel
    from pipeline.config.service import TelemetryConfig
    from pipeline.config.tree import Position
    from pipeline.errors import Problem


@dataclass(frozen=True, slots=True)
class ComponentSettings:
    """One configured component: its class and its validated configuration."""

    id: ComponentId
    cls: type[Any]
    config: ConfigModel
    position: Position
    path: tuple[str, str]
    """Section and id as written, e.g. `("receivers", "otlp")`."""


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """One pipeline; ids are as in the file, each receiver and exporter once."""

    id: PipelineId
    receivers: tuple[ComponentId, ...]
    processors: tuple[ComponentId, ...]
    exporters: tuple[ComponentId, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What runs and how."""

    extensions: tuple[ComponentId, ...]
    pipelines: dict[PipelineId, PipelineSettings]
    telemetry: TelemetryConfig
    drain_timeout_s: float
    tenant_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole configuration, valid and typed. Components that no pipeline uses are in it, too."""

    receivers: dict[ComponentId, ComponentSettings]
    processors: dict[ComponentId, ComponentSettings]
    exporters: dict[ComponentId, ComponentSettings]
    connectors: dict[ComponentId, ComponentSettings]
    extensions: dict[ComponentId, ComponentSettings]
    service: ServiceSettings
    warnings: tuple[Problem, ...] = ()
