"""Processor `resource`: changes attributes of resources."""

from __future__ import annotations

from pydantic import Field

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.signals import Batch
from processors.attribute_actions import Action, steps


class ResourceConfig(ConfigModel):
    """What is done to attributes of resources."""

    attributes: tuple[Action, ...] = Field(min_length=1, description="What is done, in this order.")


class ResourceProcessor(Processor):
    """Inserts, updates, deletes, hashes, extracts and converts attributes of resources."""

    type = "resource"
    example = "{attributes: [{action: upsert, key: deployment.environment.name, value: staging}]}"
    Config = ResourceConfig

    def __init__(self, config: ResourceConfig, host: Host) -> None:
        """Prepare the actions."""
        super().__init__(config, host)
        self._steps = steps(config.attributes)

    def process(self, batch: Batch) -> Batch | None:
        """Change attributes of every resource."""
        context = batch.context
        for resource in batch.resources():
            attributes = resource.attributes
            for step in self._steps:
                step(attributes, context)
        return batch
