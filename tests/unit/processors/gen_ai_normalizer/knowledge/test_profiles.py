"""Names of several versions of the conventions on one record."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.signals import Batch, Signal
from pipeline.testing import configured, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "gcp.gemini",
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 3,
    "gen_ai.usage.cache_creation.input_tokens": 7,
    "openai.response.service_tier": "default",
}
OF_1_36 = {
    "gen_ai.system": "gemini",
    "gen_ai.openai.response.service_tier": "default",
    "gen_ai.usage.prompt_tokens": 20,
    "gen_ai.usage.completion_tokens": 3,
}
OF_MAIN = {"gen_ai.usage.cache_write.input_tokens": 7}


def normalized(span: dict[str, Any], **config: Any) -> dict[str, Any]:
    (record,) = configured(GenAiNormalizer, **config).process(traces(span)).records()
    return dict(record.attributes)


@pytest.mark.parametrize(
    ("dual_write", "more"),
    [(False, {}), ([], {}), (True, OF_1_36 | OF_MAIN), (["1.36"], OF_1_36), (["main", "1.41"], OF_MAIN)],
)
def test_names_of_other_versions_stand_beside(dual_write: Any, more: dict[str, Any]) -> None:
    ours = {"penstock.dialect": "opentelemetry", "penstock.gen_ai.role": "leaf"}
    assert normalized(CALL, dual_write=dual_write) == CALL | more | ours


@pytest.mark.parametrize("profile", ["1.36", "main"])
def test_whatever_the_profile_the_others_names_are_there(profile: str) -> None:
    found = normalized(CALL, profile=profile, dual_write=True)
    assert (CALL | OF_1_36 | OF_MAIN).items() <= found.items()


def test_old_names_get_the_values_that_they_had() -> None:
    found = normalized({**CALL, "gen_ai.provider.name": "Azure", "gen_ai.system": "langchain"}, dual_write=True)
    assert found["gen_ai.provider.name"] == "azure.ai.openai"
    assert found["gen_ai.system"] == "az.ai.openai"


@pytest.mark.parametrize("originals", ["drop", "move"])
@pytest.mark.parametrize("profile", ["1.36", "1.41", "main"])
def test_second_names_are_nobodys_leftovers(profile: str, originals: str) -> None:
    found = normalized(CALL, profile=profile, dual_write=True, originals=originals)
    assert (CALL | OF_1_36 | OF_MAIN).items() <= found.items()
    assert not any(key.startswith("penstock.original.") for key in found)


@pytest.mark.parametrize("originals", ["drop", "move"])
def test_names_of_the_profile_that_a_library_wrote_itself_are_nobodys_leftovers(originals: str) -> None:
    said = {"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.prompt.0.content": "Hi."}
    assert normalized(said, profile="1.36", originals=originals)["gen_ai.system"] == "openai"


def test_a_tools_provider_is_called_as_in_the_profile_too() -> None:
    span = {"gen_ai.operation.name": "execute_tool", "gen_ai.provider.name": "x_ai"}
    assert normalized(span, profile="1.36")["gen_ai.system"] == "xai"


def test_a_second_pass_changes_nothing() -> None:
    processor = configured(GenAiNormalizer, dual_write=True)
    once = processor.process(traces(CALL)).serialize()
    again = Batch.of_message(Signal.TRACES.request_class.FromString(once), Signal.TRACES)
    assert processor.process(again).serialize() == once
