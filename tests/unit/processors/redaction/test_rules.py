"""Every rule file: its samples, its entity, its fitness for both engines."""

from __future__ import annotations

import re
from functools import cache

import pytest

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.detection.triggers import RegexEngine
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.rule import Rule
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

RULES = load_rules()
ALL = Treatment(frozenset(load_types()))
DETECTOR = Detector(RULES)
FAST = Finder(DETECTOR)
SLOW = Finder(Detector(RULES, engine=RegexEngine(DETECTOR.triggers)))
by_id = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


@cache
def finder_of(rule: Rule) -> Finder:
    return Finder(Detector([rule]))


def redacted_values(rule: Rule, text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in finder_of(rule).find(text, ALL)]


@by_id
def test_rule_finds_something_in_each_positive_sample(rule: Rule) -> None:
    assert len(rule.positive) >= 2
    assert [sample for sample in rule.positive if not redacted_values(rule, sample)] == []


@by_id
def test_rule_finds_nothing_in_its_negative_samples(rule: Rule) -> None:
    assert len(rule.negative) >= 2
    assert {sample: found for sample in rule.negative if (found := redacted_values(rule, sample))} == {}


@by_id
def test_both_engines_find_the_same_in_all_samples(rule: Rule) -> None:
    for sample in (*rule.positive, *rule.negative):
        assert FAST.find(sample, ALL) == SLOW.find(sample, ALL)


@by_id
def test_placeholder_of_a_rule_is_found_by_no_rule(rule: Rule) -> None:
    for context in ("{}", "password={}", "https://user:{}@host.example/", "ssn {}", "Authorization: Bearer {}"):
        assert FAST.find(context.format(f"<{rule.entity.name}>"), ALL) == []


@by_id
def test_triggers_hold_nothing_that_json_escapes(rule: Rule) -> None:
    """Candidates are looked for before escapes are decoded; `/` is an exception, which has a marker of its own."""
    for trigger in rule.triggers:
        literal = re.sub(r"\[\^[^\]]*\]", "", trigger)
        assert '"' not in literal
        assert "\\\\" not in literal


def test_rule_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


def test_every_type_has_a_rule() -> None:
    assert {rule.entity.name for rule in RULES} == set(load_types())
