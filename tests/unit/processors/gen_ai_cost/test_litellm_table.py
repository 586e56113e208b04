"""Tables of the operator's own, in LiteLLM's form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StartError
from processors.gen_ai_cost.book import PriceBook
from processors.gen_ai_cost.litellm_table import LiteLLMTable
from tests.unit.processors.gen_ai_cost.prices import per_mtok, rates, reason

FULL: dict[str, Any] = {
    "sample_spec": {"input_cost_per_token": "a number"},
    "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6},
    "azure/my-prod-deployment": {
        "litellm_provider": "azure",
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 4e-6,
        "cache_read_input_token_cost": 2.5e-7,
        "cache_creation_input_token_cost": 1.25e-6,
        "cache_creation_input_token_cost_above_1hr": 2e-6,
        "input_cost_per_audio_token": 3e-5,
        "output_cost_per_audio_token": 6e-5,
        "output_cost_per_image_token": 9e-6,
        "input_cost_per_token_above_200k_tokens": 2e-6,
        "output_cost_per_token_above_200k_tokens": 6e-6,
        "input_cost_per_token_batches": 5e-7,
        "output_cost_per_token_batches": 2e-6,
        "input_cost_per_token_flex": 6e-7,
        "input_cost_per_token_priority": 2e-6,
        "input_cost_per_token_above_200k_tokens_priority": 3e-6,
        "search_context_cost_per_query": {"search_context_size_low": 0.01},
        "max_input_tokens": 128000,
        "supports_vision": True,
    },
    "azure/eu/my-prod-deployment": {
        "litellm_provider": "azure",
        "input_cost_per_token": 1.1e-6,
        "output_cost_per_token": 4.4e-6,
    },
    "dashscope/qwen-tiered": {
        "litellm_provider": "dashscope",
        "tiered_pricing": [
            {"range": [0, 32000], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            {"range": [32000, 128000], "input_cost_per_token": 3e-6, "output_cost_per_token": 6e-6},
        ],
    },
    "ollama/llama3": {"litellm_provider": "ollama", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "gemini/gemini-x": {"litellm_provider": "gemini", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
    "my-own": {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
    "acme/turbo": {"litellm_provider": "acme_inc", "input_cost_per_token": 7e-6, "output_cost_per_token": 7e-6},
    "acme_inc/gpt-9": {"litellm_provider": "acme_inc", "input_cost_per_token": 5e-6, "output_cost_per_token": 5e-6},
    "embed": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-7},
    "rerank": {"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002},
    "dall-e-3": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_pixel": 1e-8},
    "thinker": {
        "litellm_provider": "dashscope",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 1e-6,
        "output_cost_per_reasoning_token": 4e-6,
    },
    "searches": {
        "litellm_provider": "exa_ai",
        "tiered_pricing": [{"max_results_range": [0, 25], "input_cost_per_query": 0.005}],
    },
    "nights": {
        "litellm_provider": "deepseek",
        "input_cost_per_token": 1e-6,
        "output_cost_per_token": 1e-6,
        "off_peak_pricing": {"input_cost_per_token": 5e-7},
    },
}


@pytest.fixture
def table(tmp_path: Path) -> LiteLLMTable:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(FULL), encoding="utf-8")
    return LiteLLMTable(path)


def test_costs_of_a_token_become_rates(table: LiteLLMTable) -> None:
    assert per_mtok(rates(PriceBook([table]), "azure", "my-prod-deployment")) == {
        "input": 1,
        "output": 4,
        "cache_read": 0.25,
        "cache_write": 1.25,
        "cache_write_1h": 2,
        "audio_input": 30,
        "audio_output": 60,
        "image_output": 9,
    }


@pytest.mark.parametrize(("tokens", "price"), [(200_000, (1, 4)), (200_001, (2, 6))])
def test_a_threshold_itself_is_still_below(table: LiteLLMTable, tokens: int, price: tuple[float, float]) -> None:
    found = per_mtok(rates(PriceBook([table]), "azure", "my-prod-deployment"), tokens)
    assert (found["input"], found["output"]) == price


@pytest.mark.parametrize(
    ("tier", "price"), [("batch", (0.5, 2)), ("flex", (0.6, 4)), ("priority", (2, 4)), ("default", (1, 4))]
)
def test_service_tiers_change_what_they_name(table: LiteLLMTable, tier: str, price: tuple[float, float]) -> None:
    found = per_mtok(rates(PriceBook([table]), "azure", "my-prod-deployment", tier))
    assert (found["input"], found["output"], found["cache_read"]) == (*price, 0.25)


def test_a_tier_has_its_own_thresholds(table: LiteLLMTable) -> None:
    found = per_mtok(rates(PriceBook([table]), "azure", "my-prod-deployment", "priority"), 300_000)
    assert found["input"] == 3


def test_a_tier_without_thresholds_keeps_the_relation_to_standard(table: LiteLLMTable) -> None:
    found = per_mtok(rates(PriceBook([table]), "azure", "my-prod-deployment", "batch"), 300_000)
    assert (found["input"], found["output"]) == (1, 3)


def test_a_tier_that_is_not_in_the_table_has_no_price_in_it(table: LiteLLMTable) -> None:
    assert reason(PriceBook([table]), "openai", "gpt-4o", "batch") == "no_price_for_tier"


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("azure.ai.openai", "my-prod-deployment", 1),
        ("azure.ai.inference", "my-prod-deployment", 1),
        ("", "azure/my-prod-deployment", 1),
        ("azure", "eu/my-prod-deployment", 1.1),
        ("", "azure/eu/my-prod-deployment", 1.1),
        ("OpenAI", "openai/gpt-4o", 2),
        ("gcp.gemini", "models/gemini-x", 1),
        ("gcp.gen_ai", "gemini-x", 1),
        ("ollama", "llama3", 0),
        ("vllm", "my-own", 1),
        ("acme", "my-own", 1),
        ("Acme-Inc", "acme/turbo", 7),
        ("acme_inc", "gpt-9", 5),
    ],
)
def test_a_key_is_found_by_the_names_of_telemetry(table: LiteLLMTable, provider: str, model: str, price: float) -> None:
    assert per_mtok(rates(PriceBook([table]), provider, model))["input"] == price


def test_a_price_of_a_provider_that_nobody_knows_is_no_one_else_s(table: LiteLLMTable) -> None:
    assert reason(PriceBook([table]), "openai", "gpt-9") == "unknown_model"


@pytest.mark.parametrize("model", ["gpt-4o-2024-05-13", "gpt-4o-prod", "dall-e-3", "thinker", "nights"])
def test_what_it_does_not_know_exactly_is_left_to_other_tables(table: LiteLLMTable, model: str) -> None:
    assert reason(PriceBook([table]), "openai", model) == "unknown_model"


@pytest.mark.parametrize(("tokens", "price"), [(32_000, 1), (32_001, 3)])
def test_tiered_pricing_is_by_the_size_of_the_request(table: LiteLLMTable, tokens: int, price: float) -> None:
    assert per_mtok(rates(PriceBook([table]), "dashscope", "qwen-tiered"), tokens)["input"] == price


def test_embeddings_bill_no_output_and_reranking_the_request(table: LiteLLMTable) -> None:
    book = PriceBook([table])
    assert per_mtok(rates(book, "openai", "embed")) == {"input": 0.1, "output": 0}
    found = rates(book, "cohere", "rerank")
    assert (found.per_request_usd, found.needs_tokens) == (0.002, False)


def test_what_cannot_be_priced_is_counted(table: LiteLLMTable) -> None:
    assert dict(table.skipped) == {
        "no price per token or request": 1,
        "reasoning tokens at another price": 1,
        "prices by hours and weekdays": 1,
        "tiers that are not by thousands of tokens": 1,
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"gpt-4o": 5}', "'gpt-4o' is no object"),
        ('{"gpt-4o": {"input_cost_per_token": 1e300}}', "from 0 to 1e+06, and is 1e+300"),
        ('{"gpt-4o": {"input_cost_per_token": NaN}}', "is no JSON"),
        ('{"gpt-4o": {"input_cost_per_token": "free"}}', "'gpt-4o': 'input_cost_per_token' must be a number"),
        ('{"gpt-4o": {"input_cost_per_token": -1}}', "and is -1"),
        ('{"gpt-4o": {"output_cost_per_token": true}}', "and is True"),
        ('{"gpt-4o": {"tiered_pricing": 5}}', "'tiered_pricing'"),
    ],
)
def test_an_error_names_file_and_key(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StartError) as error:
        LiteLLMTable(path)
    assert "prices.json" in str(error.value)
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_an_error_of_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        LiteLLMTable(tmp_path / "none.json")


def test_labels_of_other_types_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(
        '{"m": {"mode": ["chat"], "litellm_provider": 5, "input_cost_per_token": 1, "output_cost_per_token": 1}}'
    )
    assert len(LiteLLMTable(file)) > 0
