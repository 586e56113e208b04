"""Whether a text of the configuration that stands for values would itself be found."""

from __future__ import annotations

from collections.abc import Iterable

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.policy_config import UserRule
from processors.redaction.texts.layers import Finder
from processors.redaction.treatments.user_rules import build_user_rule


def finding_rule(text: str, own: Iterable[UserRule]) -> str | None:
    """The id of a rule that finds something in a text, None where none does."""
    for rules in (load_rules(), [build_user_rule(rule, f"rules[{index}]") for index, rule in enumerate(own)]):
        treatment = Treatment(frozenset(rule.entity.name for rule in rules))
        for finding in Finder(Detector(rules)).find(text, treatment):
            return finding.rule.id
    return None
