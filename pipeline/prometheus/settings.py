"""The keys that exporters to Prometheus share: how metrics and attributes become names and labels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config import ConfigModel
from pipeline.prometheus.names import Strategy


class ResourceConversion(ConfigModel):
    """Whether attributes of the resource become labels of every series."""

    enabled: bool = Field(False, description="Copy all resource attributes; by default they stand on `target_info`.")
    exclude_service_attributes: bool = Field(
        False, description="Leave out service.{name,namespace,instance.id}, which are `job` and `instance`."
    )


class Translation(ConfigModel):
    """Base of the `Config` of exporters to Prometheus."""

    namespace: str = Field("", description="Put in front of every metric's name.")
    resource_to_telemetry_conversion: ResourceConversion = Field(
        default_factory=ResourceConversion, description="Resource attributes as labels."
    )
    add_metric_suffixes: bool = Field(True, description="Add unit and type to names. Use translation_strategy instead.")
    translation_strategy: Strategy | Literal[""] | None = Field(
        None, description="How names are translated; wins over add_metric_suffixes."
    )
    without_scope_info: bool = Field(False, description="Leave out `otel_scope_*` labels.")

    @property
    def strategy(self) -> Strategy:
        """How names are translated."""
        if self.translation_strategy:
            return self.translation_strategy
        return Strategy.UNDERSCORES_WITH_SUFFIXES if self.add_metric_suffixes else Strategy.UNDERSCORES
