"""Configuration of the connector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.config import VERSION, ConfigModel, Duration


class Dimension(ConfigModel):
    """One more label."""

    name: str = Field(min_length=1, description="Attribute of the record, or else of its resource; or `tenant`.")
    default: str | None = Field(None, description="Value where neither has it; without one there is no label then.")


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class JoinsConfig(ConfigModel):
    """How long calls are remembered for evaluations and feedback that come later, and these for calls that do."""

    remember: Duration = Field(3600.0, gt=0, description="A call is remembered at least so long, if there is room.")
    max_bytes: int = Field(16 << 20, ge=1 << 16, description="Memory for calls and for what waits for them.")
    wait: Duration = Field(
        60.0, ge=0, description="A result whose call is not known yet waits so long, then counts without its labels."
    )


class GenAiMetricsConfig(ConfigModel):
    """What series carry, how many there may be, and how often they are sent."""

    profile: Annotated[Literal["1.36", "1.41", "main"], VERSION] = Field(
        "1.41", description="Version of the OpenTelemetry GenAI conventions whose metrics are written."
    )
    dimensions: tuple[Annotated[Dimension, BeforeValidator(_named)], ...] = Field(
        (),
        description="More labels: attributes, `{name, default}` or just the name, e.g. `gen_ai.prompt.name`; `tenant` "
        "is the tenant by `service.tenant_from`.",
    )
    resource_attributes: tuple[str, ...] = Field(
        ("service.name", "service.namespace", "deployment.environment.name"),
        description="Resource attributes that are kept; series are grouped by them.",
    )
    exemplars: bool = Field(False, description="Whether points carry the ids of a few spans as examples.")
    joins: JoinsConfig = Field(
        default_factory=JoinsConfig, description="How evaluations and users' feedback find the call they are about."
    )
    metrics_flush_interval: Duration = Field(15.0, gt=0, description="Time between sends.")
    metrics_expiration: Duration = Field(
        0.0, ge=0, description="Series not added to for so long are forgotten; 0: never."
    )
    series_limit: int = Field(
        2000, ge=1, description="Series of a metric at most; the rest counts in one with `otel.metric.overflow=true`."
    )
    aggregation_temporality: Literal["AGGREGATION_TEMPORALITY_CUMULATIVE", "AGGREGATION_TEMPORALITY_DELTA"] = Field(
        "AGGREGATION_TEMPORALITY_CUMULATIVE", description="Whether values count from the start or from the last send."
    )

    @field_validator("dimensions")
    @classmethod
    def _differ(cls, value: tuple[Dimension, ...]) -> tuple[Dimension, ...]:
        names = [dimension.name for dimension in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"duplicate dimension name {name}: leave one of them out")
        return value
