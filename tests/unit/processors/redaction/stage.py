"""An entity stage with given policies, for tests of what it reaches and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.component import Host
from pipeline.signals import Batch, Record
from pipeline.testing import make_host
from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import select_entities
from processors.redaction.knowledge.treatment import Action, StandIn, Treatment
from processors.redaction.records.entity_stage import EntityStage
from processors.redaction.records.tally import Tally
from processors.redaction.texts.layers import Finder
from processors.redaction.texts.text import TextRedactor
from processors.redaction.treatments.policies import Condition, Policies

STAND_INS: Mapping[Action, StandIn] = {
    "hash": lambda entity, value: f"<{entity}:{abs(hash(value)) % 0xFFFFFF:06x}>",
    "drop": lambda entity, _value: f"<{entity}>",
}
TEXTS = TextRedactor(Finder(Detector(load_rules())))


def treatment(entities: str | Sequence[str] = "all", **changes: Any) -> Treatment:
    return Treatment(select_entities(entities), stand_ins=STAND_INS, **changes)


def stage(
    base: Treatment | None = None, rules: Sequence[tuple[Condition, Treatment]] = (), host: Host | None = None
) -> tuple[EntityStage, Tally]:
    tally = Tally((host or make_host("redaction")).meter)
    policies = Policies(base or treatment(), rules)
    return EntityStage(TEXTS, policies, tally, spares_key=lambda _: False, spares_value=lambda _: False), tally


def redact(batch: Batch, *args: Any, **kwargs: Any) -> list[Record]:
    """The records of a batch after a stage made with these arguments."""
    entity_stage, tally = stage(*args, **kwargs)
    for resource in batch.resources():
        entity_stage.redact_resource(resource)
    assert entity_stage.redact_records(batch.records()) == []
    tally.write()
    return list(batch.records())
