"""What is known of a configuration while it is checked, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.config.check import Components, Pipeline
from pipeline.config.ids import ComponentId, PipelineId
from pipeline.config.service import ServiceConfig
from pipeline.config.settings import ComponentSettings, PipelineSettings, ServiceSettings, Settings
from pipeline.config.tree import Mapping
from pipeline.errors import ConfigError, Problem


@dataclass(slots=True)
class Examination:
    """A configuration taken apart: its tree, its problems, and its parts as far as they could be decoded."""

    root: Mapping
    problems: list[Problem]
    warnings: list[Problem]
    components: dict[str, dict[ComponentId, ComponentSettings]] = field(default_factory=dict)
    known: Components = field(default_factory=dict)
    pipelines: dict[PipelineId, Pipeline] = field(default_factory=dict)
    service: ServiceConfig | None = None

    def settings(self) -> Settings:
        """The result.

        Raises:
            ConfigError: there are problems.
        """
        if self.problems or self.service is None:
            raise ConfigError(*sorted(self.problems, key=_by_place))
        return Settings(
            **self.components,
            service=_service_settings(self.service, self.pipelines),
            warnings=tuple(self.warnings),
        )


def _by_place(problem: Problem) -> tuple[str, int, int]:
    return problem.file or "", problem.line or 0, problem.column or 0


def _service_settings(service: ServiceConfig, pipelines: dict[PipelineId, Pipeline]) -> ServiceSettings:
    return ServiceSettings(
        extensions=tuple(dict.fromkeys(service.extensions)),
        pipelines={pipeline_id: _pipeline_settings(pipeline) for pipeline_id, pipeline in pipelines.items()},
        telemetry=service.telemetry,
        drain_timeout_s=service.drain_timeout,
        tenant_from=service.tenant_from,
    )


def _pipeline_settings(pipeline: Pipeline) -> PipelineSettings:
    ids = {part: tuple(dict.fromkeys(use.id for use in uses)) for part, uses in pipeline.uses.items()}
    return PipelineSettings(pipeline.id, position=pipeline.position, **ids)
