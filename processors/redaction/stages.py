"""Builds what a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

from pipeline.component import Host
from pipeline.signals import Record, Resource
from pipeline.telemetry.log import Log
from processors.redaction.collector.policy import CollectorPolicy
from processors.redaction.collector.stage import CollectorStage
from processors.redaction.config import RedactionConfig
from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.detection.triggers import has_vectorscan
from processors.redaction.knowledge.numbering import load_common_plans
from processors.redaction.knowledge.rule import Rule
from processors.redaction.policy_config import UserRule
from processors.redaction.records.entity_stage import EntityStage
from processors.redaction.records.tally import Tally
from processors.redaction.texts.layers import Finder, Limits
from processors.redaction.texts.text import TextRedactor
from processors.redaction.treatments.policies import Policies, compile_policies
from processors.redaction.treatments.pseudonyms import PROCESS_KEY
from processors.redaction.treatments.user_rules import build_user_rule


class Stage(Protocol):
    """One language of redaction."""

    def redact_records(self, records: Sequence[Record]) -> Sequence[Record]:
        """Redact records in place; returns those that could not be redacted, which must not leave."""

    def redact_resource(self, resource: Resource) -> None:
        """Redact what the records of a resource share. May raise; then that must not leave."""


def build_stages(config: RedactionConfig, host: Host) -> tuple[list[Stage], Tally]:
    """The stages in their order (the Collector's rules, then entities), and where they count."""
    tally = Tally(host.meter)
    stages: list[Stage] = []
    if config.has_collector_keys:
        stages.append(CollectorStage(CollectorPolicy(config), tally))
    if config.has_entities:
        policies = compile_policies(config, host.pipeline, pseudonym_key(config, host.log))
        if policies.types:
            _tell_if_slow(host.log)
            stages.append(_entity_stage(config, policies, tally))
    return stages, tally


def _tell_if_slow(log: Log) -> None:
    """Say once in a process that the fast engine is missing."""
    if not (has_vectorscan() or _TOLD):
        _TOLD.append(True)
        log.warning(
            "Vectorscan is not installed: redaction finds the same, and takes many times the CPU. "
            "Install penstock[redaction], or hyperscan from source where no wheel of it exists."
        )


_TOLD: Final[list[bool]] = []


def _entity_stage(config: RedactionConfig, policies: Policies, tally: Tally) -> EntityStage:
    if "PHONE" in policies.types:
        load_common_plans()
    spared = CollectorPolicy(config)
    return EntityStage(
        TextRedactor(build_finder(config, policies.types)),
        policies,
        tally,
        spares_key=spared.ignores_key,
        spares_value=spared.allows_value,
        summary=config.summary,
    )


def build_finder(config: RedactionConfig, types: frozenset[str]) -> Finder:
    """What finds the types by the rules that ship and those of the configuration."""
    return Finder(_detector(types, config.rules), Limits(config.max_value_bytes, config.max_value_hits))


@lru_cache(maxsize=8)
def _detector(types: frozenset[str], own: tuple[UserRule, ...]) -> Detector:
    """One detector for all instances that look for the same: its databases take time and memory."""
    return Detector(rules_for(types, own))


def rules_for(types: frozenset[str], own: Sequence[UserRule]) -> list[Rule]:
    """The rules that find the types: those that ship, and those of the configuration."""
    written = [build_user_rule(rule, f"rules[{index}]") for index, rule in enumerate(own)]
    return [*load_rules(types), *(rule for rule in written if rule.entity.name in types)]


def pseudonym_key(config: RedactionConfig, log: Log) -> bytes:
    """The key of pseudonyms: `hmac_key`, else one for this run of the process."""
    if config.hmac_key is not None:
        return config.hmac_key.get_secret_value().encode()
    return PROCESS_KEY.take(
        lambda: log.info("No hmac_key is set: pseudonyms are made with a random key and change with every start.")
    )
