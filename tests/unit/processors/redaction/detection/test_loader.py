"""What rule files may say."""

from __future__ import annotations

from typing import Any

import pytest

from processors.redaction.detection import loader
from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import RuleData, build_rule, load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.rule import EntityType, Rule
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

TYPES = load_types()
ALL = Treatment(frozenset(TYPES))


def finder(**fields: Any) -> Finder:
    data = RuleData(id="sample", type="PERSON", positive=[], negative=[], **fields)
    return Finder(Detector([build_rule(data, TYPES)]))


def found(rule: Finder, text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in rule.find(text, ALL)]


@pytest.mark.parametrize(
    ("text", "expected"), [("123456", ["123456"]), ("12 123456", []), ("123456\n1", []), ("1", [])]
)
def test_a_value_that_must_stand_alone(text: str, expected: list[str]) -> None:
    assert found(finder(alone=True, pattern="[0-9]{6}"), text) == expected


def test_a_value_that_stands_alone_is_seen_among_other_texts() -> None:
    assert list(finder(alone=True, pattern="[0-9]{6}").touched(["a", "123456", "b 123456", "654321"])) == [1, 3]


def test_a_piece_stands_for_its_expression() -> None:
    rule = finder(trigger="name is", reach=(16, 32), pattern="name is (?P<value>{{person}})")
    assert found(rule, "my name is Ada Sample, and") == ["Ada Sample"]


def test_an_unknown_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="sample: 'no_such_piece'"):
        finder(trigger="x", reach=(1, 1), pattern="{{no_such_piece}}")


def test_rules_of_other_types_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build(data: RuleData, types: dict[str, EntityType]) -> Rule:
        built.append(data.type)
        return build_rule(data, types)

    monkeypatch.setattr(loader, "build_rule", build)
    assert {rule.entity.name for rule in load_rules({"EMAIL", "IBAN"})} == {"EMAIL", "IBAN"} == set(built)
    assert len(load_rules()) > 100
