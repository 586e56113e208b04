"""An exporter that takes everything and keeps nothing."""

from __future__ import annotations

from pipeline.component import Exporter
from pipeline.config import ConfigModel
from pipeline.signals import Batch


class NopConfig(ConfigModel):
    """There is nothing to set."""


class NopExporter(Exporter):
    """Takes telemetry and throws it away: for trying out a pipeline, or as the end of one that feeds connectors."""

    type = "nop"
    Config = NopConfig

    async def export(self, batch: Batch) -> None:
        """Say that all is well."""
