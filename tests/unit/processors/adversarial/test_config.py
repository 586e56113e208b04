"""Keys of the configuration, and where mistakes are told."""

from __future__ import annotations

import pytest

from pipeline.config import load
from pipeline.errors import ConfigError
from processors.adversarial.config import AdversarialConfig, ThresholdsConfig
from processors.adversarial.detector import Thresholds

_FILE = """\
receivers: {{otlpjsonfile: {{include: [x]}}}}
processors:
  gen_ai_normalizer:
  redaction:
  adversarial: {{{}}}
exporters: {{debug: }}
service:
  pipelines:
    traces: {{receivers: [otlpjsonfile], processors: [{}], exporters: [debug]}}
"""
_ORDER = "gen_ai_normalizer, adversarial, redaction"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("action: delete", "action"),
        ("drop_at: suspect", "drop_at: has no effect unless action is drop_content, or shadow is true"),
        ("action: drop_content, drop_at: pass", "drop_at"),
        ("thresholds: {suspect: 0.9, attack: 0.5}", "suspect: must not be above `attack` (0.5)"),
        ("thresholds: {suspect: 0.95}", "suspect: must not be above `attack` (0.9)"),
        ("thresholds: {attack: 1.5}", "attack"),
        ("origins: []", "origins"),
        ("origins: [user, robot]", "origins"),
        ("attributes: [a, b, a]", "a is listed before"),
        ("attributes: [gen_ai.input.messages]", "gen_ai.input.messages is read anyway"),
        ("attributes: [{key: a, origin: nobody}]", "attributes"),
        ("max_part_characters: 10", "max_part_characters"),
        ("cache: {max_entries: -1}", "max_entries"),
        ("following: {max_age: 0s}", "max_age"),
        ("actions: [annotate]", "actions"),
    ],
)
def test_mistakes_are_told_where_they_stand(keys: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load([f"yaml:{_FILE.format(keys, _ORDER)}"])
    (problem,) = raised.value.problems
    assert problem.line == 5
    assert message in f"{'.'.join(map(str, problem.path))}: {problem.message}"


def test_all_keys() -> None:
    keys = (
        "action: drop_content, drop_at: suspect, shadow: true, thresholds: {suspect: 0.5, attack: 0.9}, "
        "origins: [user], attributes: [a, {key: b, origin: tool}], max_part_characters: 8192, "
        "cache: {max_entries: 10, max_bytes: 1000}, following: {max_traces: 5, max_age: 1m}, events: false"
    )
    assert load([f"yaml:{_FILE.format(keys, _ORDER)}"]).warnings == ()


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (
            "gen_ai_normalizer, redaction, adversarial",
            '"adversarial" stands behind "redaction" and reads only what that has left; put it in front',
        ),
        (
            "adversarial, gen_ai_normalizer, redaction",
            '"adversarial" stands before "gen_ai_normalizer" and does not see what that does; put it behind',
        ),
    ],
)
def test_its_place_in_a_pipeline(order: str, message: str) -> None:
    (warning,) = load([f"yaml:{_FILE.format('', order)}"]).warnings
    assert warning.message == message


def test_shadow_stands_for_dropping() -> None:
    assert AdversarialConfig(shadow=True).drops
    assert not AdversarialConfig().drops


def test_the_thresholds_are_those_of_the_model() -> None:
    calibrated, own = Thresholds(), ThresholdsConfig()
    assert (own.suspect, own.attack) == (calibrated.suspect, calibrated.attack)
