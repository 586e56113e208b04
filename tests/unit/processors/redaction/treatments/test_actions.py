"""Stand-ins: what they show, and that none of them is found again."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from pipeline.worker import RunSecret
from processors.redaction.config import RedactionConfig
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.numbering import load_common_plans
from processors.redaction.stages import build_finder
from processors.redaction.texts.text import TextRedactor
from processors.redaction.treatments.actions import is_rest, rest_of, stars
from processors.redaction.treatments.policies import compile_policies
from processors.redaction.treatments.pseudonyms import SHORTEST_KEY_BYTES, Pseudonyms, RandomKey, same_spelling

SAMPLES = [sample for rule in load_rules() for sample in rule.positive]


@pytest.mark.parametrize(
    ("entity", "value", "shown"),
    [
        ("CREDIT_CARD", "4242-4242-4242-4242", "****-****-****-4242"),
        ("PHONE", "+1 (415) 555-0132", "+* (***) ***-*132"),
        ("US_SSN", "078-05-1120", "***-**-*120"),
        ("JP_MY_NUMBER", "\uff11\uff12\uff13\uff14 5678 9018", "**** **** 9018"),
        ("EMAIL", "a@b.example", "*@*.****ple"),
        ("PERSON", "\u674e\u96ea\u6885", "***"),
        ("SECRET", "ab-cd/ef==0123456789", "****************6789"),
        ("PASSWORD", 'p"w\\d', "*****"),
    ],
)
def test_the_rest_of_a_value(entity: str, value: str, shown: str) -> None:
    assert rest_of(entity, value) == shown
    assert is_rest(shown)


@pytest.mark.parametrize("value", ["jane@example.com", "**jane@example.com", "*a 12345", ""])
def test_what_is_no_rest(value: str) -> None:
    assert not is_rest(value)


def test_stars_are_as_many_as_the_characters() -> None:
    assert stars("EMAIL", "\u6771\u4eac") == "**"


@pytest.mark.parametrize(
    ("entity", "one", "other", "same"),
    [
        ("EMAIL", "Jane@Example.com", "jane@example.com", True),
        ("CREDIT_CARD", "4242 4242 4242 4242", "4242424242424242", True),
        ("JP_MY_NUMBER", "\uff11\uff12\uff13", "123", True),
        ("MAC_ADDRESS", "00:1B:44:11:3A:B7", "00-1b-44-11-3a-b7", True),
        ("PASSWORD", "Secret", "secret", False),
        ("CRYPTO_ADDRESS", "1BoatSLRHt", "1boatslrht", False),
        ("IP_ADDRESS", "1.23.4.5", "12.3.4.5", False),
        ("OWN_TYPE", "a-b", "ab", False),
    ],
)
def test_spellings_that_mean_the_same(entity: str, one: str, other: str, same: bool) -> None:
    assert (same_spelling(entity, one) == same_spelling(entity, other)) is same
    pseudonyms = Pseudonyms(b"key", 12)
    assert (pseudonyms.stand_in(entity, one) == pseudonyms.stand_in(entity, other)) is same


def test_a_pseudonym_belongs_to_its_type() -> None:
    pseudonyms = Pseudonyms(b"key", 64)
    assert pseudonyms.stand_in("A", "x")[3:] != pseudonyms.stand_in("B", "x")[3:]


def test_the_random_key_is_made_and_told_once() -> None:
    told: list[int] = []
    secret = RunSecret()
    key = RandomKey(secret)
    assert key.take(lambda: told.append(1)) == key.take(lambda: told.append(2))
    assert told == [1]
    assert len(key.take(told.clear)) >= SHORTEST_KEY_BYTES
    # Workers have the secret in common, runs do not.
    assert RandomKey(secret).take(told.clear) == key.take(told.clear) != RandomKey(RunSecret()).take(told.clear)


CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"action": "partial"},
    {"action": "hash"},
    {"action": "hash", "hash_digits": 64},
    {"mask": "stars"},
    {"mask": {"text": "[gone]"}},
    {"mask": {"text": "REMOVED"}},
]


@cache
def _finder() -> Any:
    load_common_plans()
    config = RedactionConfig(entities="all")
    return build_finder(config, config.entity_types)


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=str)
def test_no_stand_in_is_found_again(config: dict[str, Any]) -> None:
    treatment = compile_policies(RedactionConfig(entities="all", **config), "", b"k" * 32).base
    changed = {}
    for sample in SAMPLES:
        once = TextRedactor(_finder()).redact(sample, treatment)
        if once is not None:
            assert not once.failed
            again = TextRedactor(_finder()).redact(once.text, treatment)
            if again is not None and again.text != once.text:
                changed[sample] = (once.text, again.text)
    assert changed == {}
