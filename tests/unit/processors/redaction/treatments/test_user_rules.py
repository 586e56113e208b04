"""Rules of the configuration: found, narrowed, checked, and tried at start."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.signals import LogRecord
from pipeline.testing import configured, logs, traces
from processors.redaction.config import RedactionConfig
from processors.redaction.policy_config import UserRule
from processors.redaction.processor import Redaction
from processors.redaction.treatments.user_rules import build_user_rule, finds_with, validator_names

BADGE = {"type": "BADGE", "pattern": r"\bB-(?P<value>[0-9]{6})\b"}


def redacted(text: str, *rules: dict[str, Any], **config: Any) -> str:
    batch = traces({"text": text})
    configured(Redaction, rules=list(rules), **config).process(batch)
    return str(batch.records()[0].attributes["text"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("badge B-123456.", "badge B-<BADGE>."),
        ("B-123456 and jane.sample@example.com", "B-<BADGE> and <EMAIL>"),
        ('{"badge": "B-123456"}', '{"badge": "B-<BADGE>"}'),
        (r'{"badge": "\u0042-123456"}', r'{"badge": "\u0042-<BADGE>"}'),
        ("id=B%2D123456&x", "id=B%2D<BADGE>&x"),
        ("日本 B-123456 日本", "日本 B-<BADGE> 日本"),
        ('{"a": "\\ud83d B-123456"}', '{"a": "\\ud83d B-<BADGE>"}'),
        ("B-1234567", "B-1234567"),
    ],
)
def test_a_new_type(text: str, expected: str) -> None:
    assert redacted(text, BADGE) == expected


def test_context_words_must_stand_near() -> None:
    rule = {"type": "BADGE", "pattern": "[0-9]{6}", "context": ["badge"], "near": [20, 10], "not_context": ["order"]}
    assert redacted("Badge no. 123456", rule) == "Badge no. <BADGE>"
    assert redacted("badge" + " " * 40 + "123456", rule) == "badge" + " " * 40 + "123456"
    assert redacted("badge, order 123456", rule) == "badge, order 123456"
    assert redacted("number 123456", rule) == "number 123456"


def test_a_validator_looks_at_the_value() -> None:
    rule = {"type": "MEMBER", "pattern": "M-(?P<value>[0-9]{8})", "validator": "luhn"}
    assert redacted("M-79927398 M-79927396", rule) == "M-<MEMBER> M-79927396"


def test_a_type_that_ships_gets_another_rule() -> None:
    assert redacted("mail jane at example", {"type": "EMAIL", "pattern": r"\w+ at \w+"}) == "mail <EMAIL>"


def test_a_rule_of_your_own_names_the_place() -> None:
    rule = {"type": "STAFF", "pattern": r"[a-z.]+@example\.com"}
    assert redacted("jane.sample@example.com", rule) == "<STAFF>"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"entities": ["BADGE"]}, "B-<BADGE> jane@example.com"),
        ({"entities": ["all"]}, "B-<BADGE> <EMAIL>"),
        ({"actions": {"BADGE": "partial"}}, "B-****** <EMAIL>"),
    ],
)
def test_the_type_is_chosen_like_any_other(config: dict[str, Any], expected: str) -> None:
    assert redacted("B-123456 jane@example.com", BADGE, **config) == expected


def test_the_action_of_a_rule() -> None:
    assert redacted("B-123456", {**BADGE, "action": "partial"}) == "B-******"
    assert redacted("B-123456", {**BADGE, "action": "partial"}, actions={"BADGE": "keep"}) == "B-123456"
    assert redacted("B-123456", {**BADGE, "action": "partial"}, action="keep") == "B-******"


@pytest.mark.parametrize(
    ("pattern", "action"),
    [
        *itertools.product(["[A-Z]{5}", ".+", "[A-Z]+(:[0-9a-f]+)?", "[a-zA-Z]+"], ["mask", "hash"]),
        *itertools.product(["[A-Z]{5}", ".+"], ["partial"]),
    ],
)
def test_a_second_pass_changes_nothing(pattern: str, action: str) -> None:
    processor = configured(Redaction, rules=[{"type": "CODE", "pattern": pattern}], action=action)
    batch = logs("ABCDE FGHIJ")
    texts = []
    for _ in range(2):
        processor.process(batch)
        record = batch.records()[0]
        assert isinstance(record, LogRecord)
        texts.append(record.body)
    assert texts[0] == texts[1] != "ABCDE FGHIJ"


def test_any_text_is_linear() -> None:
    assert redacted("a" * 50_000, {"type": "CODE", "pattern": "(a+)+b"}) == "a" * 50_000


@pytest.mark.parametrize(
    ("rule", "path", "reason"),
    [
        ({"type": "badge", "pattern": "x"}, ("type",), "capital letters, digits"),
        ({**BADGE, "context": ["badge", " "]}, ("context", 1), "write a word"),
        ({**BADGE, "not_context": ["$order"]}, ("not_context", 0), "not beginning with"),
        ({**BADGE, "near": [5]}, ("near",), "two numbers"),
        ({**BADGE, "near": 5}, ("near",), "two numbers"),
        ({**BADGE, "near": [-5, 3]}, ("near", 0), "greater than or equal"),
        ({**BADGE, "near": [5, 1001]}, ("near", 1), "less than or equal"),
        ({"type": "REDACTED", "pattern": "x"}, ("type",), "choose another name"),
        ({"type": "BADGE", "pattern": "(?=x)"}, ("pattern",), "RE2"),
        ({"type": "BADGE", "pattern": "x*"}, ("pattern",), "matches the empty text"),
        ({**BADGE, "validator": "luhm"}, ("validator",), 'did you mean "luhn"'),
        ({**BADGE, "positive": ["B-123456", "C-123456"]}, ("positive", 1), "finds nothing"),
        ({**BADGE, "negative": ["B-123456"]}, ("negative", 0), "finds something"),
        ({**BADGE, "pattern": "\uff22-[0-9]+"}, ("pattern",), "full-width"),
    ],
)
def test_a_mistake_is_an_error_where_it_stands(rule: dict[str, Any], path: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as raised:
        RedactionConfig.model_validate({"rules": [BADGE, rule]})
    error = raised.value.errors()[0]
    cause = error.get("ctx", {}).get("error")
    assert (*error["loc"], *getattr(cause, "path", ())) == ("rules", 1, *path)


def test_a_rule_that_nothing_looks_for_is_an_error() -> None:
    with pytest.raises(ValidationError, match="name it in entities"):
        RedactionConfig.model_validate({"entities": ["EMAIL"], "rules": [BADGE]})
    RedactionConfig.model_validate(
        {
            "entities": ["EMAIL"],
            "rules": [BADGE],
            "policies": [{"match": {"signals": ["traces"]}, "entities": ["BADGE"]}],
        }
    )


def test_two_actions_for_one_type_are_an_error() -> None:
    with pytest.raises(ValidationError, match="a type has one action"):
        RedactionConfig.model_validate({"rules": [{**BADGE, "action": "hash"}, {**BADGE, "action": "drop"}]})


def test_every_validator_takes_any_value() -> None:
    for name in validator_names():
        rule = build_user_rule(UserRule.model_validate({"type": "CODE", "pattern": r"v=\S+", "validator": name}))
        finds = finds_with(rule)
        assert {finds(text) for text in ("v=x", "v=12", "v=\uff11\u0661", "v=ABCDEFGH12")} <= {True, False}
