"""Secrets and passwords that only their neighbourhood shows, and what looks like them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.detection.triggers import RegexEngine
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

SAMPLES: Final[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[3] / "data" / "redaction" / "key_words.yaml").read_text(encoding="utf-8")
)
CREDENTIALS: Final = Treatment(frozenset({"SECRET", "PASSWORD"}))
RULES: Final = [rule for rule in load_rules() if rule.entity.name in CREDENTIALS.types]
DETECTOR: Final = Detector(RULES)
FAST: Final = Finder(DETECTOR)
SLOW: Final = Finder(Detector(RULES, engine=RegexEngine(DETECTOR.triggers)))


def found(finder: Finder, text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in finder.find(text, CREDENTIALS)]


@pytest.mark.parametrize(("text", "value"), SAMPLES["found"])
def test_value_beside_its_key_word_is_found_whole_and_alone(text: str, value: str) -> None:
    assert found(FAST, text) == [value]
    assert found(SLOW, text) == [value]


@pytest.mark.parametrize("text", SAMPLES["harmless"])
def test_reference_name_or_id_is_no_secret(text: str) -> None:
    assert found(FAST, text) == []
    assert found(SLOW, text) == []
