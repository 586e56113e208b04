"""Processor `attributes`: changes attributes of spans, log records and data points."""

from __future__ import annotations

from pydantic import Field

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.config.ids import PipelineId
from pipeline.errors import StartError
from pipeline.signals import Batch, Signal
from processors.attribute_actions import Action, steps
from processors.record_matching import MatchProperties, Test, matcher, unusable_criteria


class AttributesConfig(ConfigModel):
    """Which records, and what is done to their attributes."""

    actions: tuple[Action, ...] = Field(min_length=1, description="What is done, in this order.")
    include: MatchProperties | None = Field(None, description="Only records that match are changed.")
    exclude: MatchProperties | None = Field(None, description="Records that match are left as they are.")


class AttributesProcessor(Processor):
    """Inserts, updates, deletes, hashes, extracts and converts attributes of spans, log records and data points."""

    type = "attributes"
    example = "{actions: [{action: upsert, key: deployment.environment.name, value: staging}]}"
    Config = AttributesConfig

    def __init__(self, config: AttributesConfig, host: Host) -> None:
        """Prepare actions and matchers.

        Raises:
            StartError: include or exclude name criteria that this pipeline's records do not have.
        """
        super().__init__(config, host)
        self._steps = steps(config.actions)
        self._matchers: dict[Signal, Test | None] = {}
        if host.pipeline:
            self._matcher_of(Signal(PipelineId.parse(host.pipeline).signal))

    def _matcher_of(self, signal: Signal) -> Test | None:
        if signal not in self._matchers:
            config = self.config
            for name in ("include", "exclude"):
                properties = getattr(config, name)
                unusable = unusable_criteria(properties, signal) if properties else []
                if unusable:
                    raise StartError(
                        f"{self.host.id}: {name}: {', '.join(unusable)} should not be specified for {signal.value}; "
                        "give pipelines of this signal a processor of their own"
                    )
            self._matchers[signal] = matcher(config.include, config.exclude, signal)
        return self._matchers[signal]

    def process(self, batch: Batch) -> Batch | None:
        """Change attributes of the records that match."""
        matches = self._matcher_of(batch.signal)
        run, context = self._steps, batch.context
        for record in batch.records():
            if matches is None or matches(record):
                attributes = record.attributes
                for step in run:
                    step(attributes, context)
        return batch
