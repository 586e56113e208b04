"""Builds what a configuration asks for."""

from __future__ import annotations

from typing import Protocol

from pipeline.signals import Record, Resource
from pipeline.telemetry.meter import Meter
from processors.redaction.collector_policy import CollectorPolicy
from processors.redaction.collector_stage import CollectorStage
from processors.redaction.config import RedactionConfig
from processors.redaction.detector import Detector
from processors.redaction.entity_stage import EntityStage
from processors.redaction.layers import Finder, Limits
from processors.redaction.loader import load_rules
from processors.redaction.numbering import load_common_plans
from processors.redaction.policies import Policies
from processors.redaction.tally import Tally
from processors.redaction.text import TextRedactor
from processors.redaction.treatment import Treatment


class Stage(Protocol):
    """One language of redaction. Either method may raise; then the item must not leave."""

    def redact_record(self, record: Record) -> None:
        """Redact a record in place."""

    def redact_resource(self, resource: Resource) -> None:
        """Redact what the records of a resource share."""


def build_stages(config: RedactionConfig, meter: Meter) -> tuple[list[Stage], Tally]:
    """The stages in their order (the Collector's rules, then entities), and where they count."""
    tally = Tally(meter)
    policy = CollectorPolicy(config)
    stages: list[Stage] = []
    if config.has_collector_keys:
        stages.append(CollectorStage(policy, tally))
    if types := config.entity_types:
        load_common_plans()
        rules = [rule for rule in load_rules() if rule.entity.name in types]
        texts = TextRedactor(Finder(Detector(rules), Limits(config.max_value_bytes, config.max_value_hits)))
        stages.append(
            EntityStage(
                texts,
                Policies(Treatment(types)),
                tally,
                spares_key=policy.ignores_key,
                spares_value=policy.allows_value,
            )
        )
    return stages, tally
