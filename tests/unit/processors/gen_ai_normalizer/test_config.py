"""What can be set, and what is refused at start with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import load
from pipeline.errors import ConfigError
from pipeline.testing import configured
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.config import GenAiNormalizerConfig


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"dialects": ["openinference", "nobody"]}, "no such dialect; there are .*anthropic_sdk"),
        ({"sources": {"custom": {}}}, "at least one attribute"),
        ({"sources": {"custom": {"custom_mappings": {"a": "a"}}}}, "to itself"),
        ({"sources": {"openinference": {"custom_mappings": {"a": ""}}}}, "both sides"),
        ({"sources": {"openinference": {"custom_mappings": {"": "b"}}}}, "both sides"),
        ({"dual_write": "1.36"}, "dual_write"),
        ({"dual_write": ["1.36", "2"]}, "'1.36', '1.41' or 'main'"),
        ({"sources": {"other": {}}}, "Extra inputs"),
        ({"originals": "hide"}, "'keep', 'drop' or 'move'"),
        ({"profile": "1.2"}, "'1.36', '1.41' or 'main'"),
    ],
)
def test_refused(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        configured(GenAiNormalizer, **config)


def test_a_profile_may_stand_in_yaml_without_quotes() -> None:
    assert GenAiNormalizerConfig.model_validate({"profile": 1.36}).profile == "1.36"


def test_sources_that_are_named_are_the_ones_read() -> None:
    assert GenAiNormalizerConfig.model_validate({"sources": {"pydanticai": {}}}).enabled() == {
        "opentelemetry",
        "pydantic_ai",
    }
    custom = {"sources": {"custom": {"custom_mappings": {"a": "b"}}}}
    assert "vercel" in GenAiNormalizerConfig.model_validate(custom).enabled()
    assert GenAiNormalizerConfig.model_validate({"sources": {"crewai": {}, "langchain": {}}}).enabled() == {
        "opentelemetry",
        "crewai",
        "langchain",
    }


def test_dual_write_takes_versions_as_numbers_too() -> None:
    assert GenAiNormalizerConfig.model_validate({"dual_write": [1.36, "main"]}).second_profiles() == ("1.36", "main")


def messages(tmp_path: Path, block: str) -> list[str]:
    file = tmp_path / "penstock.yaml"
    file.write_text(PIPELINE.format(block), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load([str(file)])
    return [problem.message for problem in error.value.problems]


PIPELINE = """
receivers: {{otlp: {{protocols: {{http: {{}}}}}}}}
exporters: {{nop: {{}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [gen_ai_normalizer], exporters: [nop]}}}}}}
processors: {{gen_ai_normalizer: {}}}
"""


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{profile: 1.37}", "expected one of 1.36, 1.41, main, got the number 1.37"),
        ("{profile: Main}", 'expected one of 1.36, 1.41, main, got text "Main"; did you mean "main"?'),
        ("{dual_write: yes}", 'expected true or false or one of 1.36, 1.41, main, got text "yes"'),
        ("{dual_write: [main, 1.4]}", "expected one of 1.36, 1.41, main, got the number 1.4"),
        ("{dialects: [openinferense]}", 'no such dialect; did you mean "openinference"?'),
        (
            "{sources: {pydanticai: {}}, dialects: [openlit]}",
            "has no effect, as pydantic_ai is not among `dialects`: add it there, or leave this out",
        ),
    ],
)
def test_what_a_file_is_refused_with(tmp_path: Path, block: str, message: str) -> None:
    assert messages(tmp_path, block) == [message]
