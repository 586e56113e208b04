"""Public prices: the traps of the field, each by its name."""

from __future__ import annotations

import pytest

from processors.gen_ai_cost.book import PriceBook
from processors.gen_ai_cost.public import public_tables
from tests.unit.processors.gen_ai_cost.prices import per_mtok, rates, reason


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(public_tables())


def test_all_kinds_of_tokens_have_their_price(book: PriceBook) -> None:
    claude = per_mtok(rates(book, "anthropic", "claude-sonnet-4-5-20250929"))
    assert claude == {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6}
    realtime = per_mtok(rates(book, "openai", "gpt-realtime"))
    assert (realtime["audio_input"], realtime["audio_output"], realtime["image_input"]) == (32, 64, 5)
    assert rates(book, "perplexity", "sonar").per_request_usd == pytest.approx(0.012)


@pytest.mark.parametrize(("tokens", "price"), [(200_000, 1.25), (200_001, 2.5)])
def test_a_long_request_pays_the_higher_price_as_a_whole(book: PriceBook, tokens: int, price: float) -> None:
    assert per_mtok(rates(book, "gcp.vertex_ai", "gemini-2.5-pro"), tokens)["input"] == price


@pytest.mark.parametrize(
    ("model", "premium"),
    [
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("jp.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("au.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("ca.anthropic.claude-haiku-4-5-20251001-v1:0", True),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", False),
    ],
)
def test_bedrock_takes_ten_percent_more_for_a_geography(book: PriceBook, model: str, premium: bool) -> None:
    assert per_mtok(rates(book, "aws.bedrock", model))["input"] == (1.1 if premium else 1.0)


def test_other_geographies_of_bedrock_have_prices_of_their_own_or_none(book: PriceBook) -> None:
    found = [per_mtok(rates(book, "aws.bedrock", f"{geo}amazon.nova-lite-v1:0"))["input"] for geo in ("", "us.", "eu.")]
    assert found == [0.06, 0.06, 0.078]
    assert reason(book, "aws.bedrock", "us-gov.openai.gpt-oss-20b-1:0") == "unknown_model"


@pytest.mark.parametrize("model", ["gemini-3.8-flash-cyber", "gemini-2.0-flash-exp-image-generation"])
def test_an_id_that_goes_on_with_another_product_is_no_known_model(book: PriceBook, model: str) -> None:
    assert reason(book, "gcp.gemini", model) == "unknown_model"


def test_older_claude_costs_the_same_everywhere(book: PriceBook) -> None:
    model = "anthropic.claude-3-5-sonnet-20241022-v2:0"
    found = [per_mtok(rates(book, "aws.bedrock", prefix + model))["input"] for prefix in ("", "us.", "apac.")]
    assert found == [3, 3, 3]


@pytest.mark.parametrize(
    ("at", "price"), [("2025-06-09T23:59:59", (10, 40, 2.5)), ("2025-06-10T00:00:00", (2, 8, 0.5))]
)
def test_o3_was_dearer_cached_tokens_included(book: PriceBook, at: str, price: tuple[float, ...]) -> None:
    assert tuple(per_mtok(rates(book, "openai", "o3", at=at)).values()) == price


@pytest.mark.parametrize("provider", ["openai", "azure.ai.openai"])
def test_audio_models_have_audio_prices(book: PriceBook, provider: str) -> None:
    found = per_mtok(rates(book, provider, "gpt-4o-audio-preview-2024-12-17"))
    assert (found["audio_input"], found["audio_output"]) == (40, 80)


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ("2025-03-01T12:00:00", 0.27),
        ("2025-03-01T20:00:00", 0.135),
        ("2025-03-02T00:10:00", 0.135),
        ("2025-10-01T20:00:00", 0.28),
        ("2026-05-01T20:00:00", 0.14),
    ],
)
def test_the_cheap_nights_of_deepseek_ended_in_2025(book: PriceBook, at: str, price: float) -> None:
    assert per_mtok(rates(book, "deepseek", "deepseek-chat", at=at))["input"] == price


@pytest.mark.parametrize(
    ("at", "price"),
    [
        ("2026-11-13T02:00:00", 1.32),  # Friday
        ("2026-11-13T05:00:00", 0.66),
        ("2026-11-14T02:00:00", 0.66),  # Saturday
        ("2026-11-15T09:00:00", 0.66),
        ("2026-11-16T09:00:00", 1.32),  # Monday
        ("2026-08-01T02:00:00", 0.435),
    ],
)
def test_deepseek_has_peak_hours_on_working_days(book: PriceBook, at: str, price: float) -> None:
    assert per_mtok(rates(book, "deepseek", "deepseek-v4-pro", at=at))["input"] == price


def test_retired_models_keep_their_price(book: PriceBook) -> None:
    assert per_mtok(rates(book, "anthropic", "claude-2.1", at="2024-12-30T00:00:00"))["output"] == 24
    assert per_mtok(rates(book, "groq", "mixtral-8x7b-32768"))["input"] == 0.24


@pytest.mark.parametrize(
    ("at", "price"), [("2026-05-15T18:59:59", (3, 15, 0.75)), ("2026-05-15T19:00:00", (1.25, 2.5, 0.2))]
)
def test_retired_xai_ids_are_billed_as_their_successor(book: PriceBook, at: str, price: tuple[float, ...]) -> None:
    assert tuple(per_mtok(rates(book, "x_ai", "grok-4-0709", at=at)).values()) == price


def test_aliases_of_mistral_move(book: PriceBook) -> None:
    found = [
        per_mtok(rates(book, "mistral_ai", "mistral-large-latest", at=at))["input"]
        for at in ("2025-11-01", "2026-01-01")
    ]
    assert found == [2, 0.5]


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme:support:9xYz", (0.3, 1.2, 0.15)),
        ("ft:gpt-4.1-2025-04-14:acme::id", (3, 12, 0.75)),
    ],
)
def test_a_fine_tuned_model_has_a_price_of_its_own(book: PriceBook, model: str, price: tuple[float, ...]) -> None:
    assert tuple(per_mtok(rates(book, "openai", model)).values()) == price


@pytest.mark.parametrize("model", ["ft:gpt-9:acme::id", "ft:gpt-5:acme::id"])
def test_a_fine_tuned_model_never_has_the_price_of_its_base(book: PriceBook, model: str) -> None:
    assert reason(book, "openai", model) == "unknown_model"


@pytest.mark.parametrize("model", ["voyage-3.5", "voyage-3-large"])
def test_embeddings_bill_no_output(book: PriceBook, model: str) -> None:
    assert per_mtok(rates(book, "voyage_ai", model))["output"] == 0
    assert per_mtok(rates(book, "mistral_ai", "mistral-embed"))["output"] == 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("together_ai", "MiniMaxAI/MiniMax-M2.7"),
        ("aws.bedrock", "zai.glm-4.7-flash"),
        ("gcp.vertex_ai", "meta/llama-3.3-70b-instruct-maas"),
        ("gcp.vertex_ai", "publishers/meta/models/llama-3.3-70b-instruct-maas"),
        ("gcp.vertex_ai", "llama-3.3-70b-instruct-maas"),
        ("databricks", "databricks-claude-sonnet-4-5"),
        ("aws.bedrock", "anthropic.claude-v2:1"),
    ],
)
def test_what_the_base_table_lacks_has_a_price(book: PriceBook, provider: str, model: str) -> None:
    assert reason(book, provider, model) == ""


def test_a_reseller_s_own_price_is_stronger_than_the_maker_s(book: PriceBook) -> None:
    assert per_mtok(rates(book, "azure.ai.inference", "DeepSeek-R1"))["input"] == 1.35
    assert per_mtok(rates(book, "azure.ai.openai", "gpt-4o"))["input"] == 2.5


@pytest.mark.parametrize(
    ("provider", "model", "why"),
    [
        ("azure.ai.openai", "my-prod-deployment", "unknown_model"),
        ("azure.ai.openai", "gpt-4o-prod", "unknown_model"),
        ("azure.ai.openai", "my-o4-mini", "unknown_model"),
        ("azure.ai.inference", "deepseek-v4-pro-of-ours", "unknown_model"),
        ("azure.ai.openai", "gpt-5-nano-prod", "unknown_model"),
        ("vllm", "Qwen/Qwen2.5-7B-Instruct-AWQ", "self_hosted"),
        ("ollama", "deepseek-r1:32b", "self_hosted"),
        ("tgi", "mistralai/Mistral-7B-Instruct-v0.3", "self_hosted"),
        ("localai", "gpt-4", "self_hosted"),
        ("openai", "gpt-oss-20b", "self_hosted"),
        ("openai", "Qwen/Qwen2.5-7B-Instruct", "unknown_model"),
        ("openrouter", "openrouter/auto", "router"),
        ("acme", "gpt-4o", "unknown_provider"),
        ("", "my-model", "no_provider"),
        ("", "deepseek-r1:32b", "no_provider"),
        ("openai", "", "no_model"),
        ("", "", "no_model"),
        ("openai", "gpt-4o" * 100, "unknown_model"),
    ],
)
def test_what_has_no_price_says_why(book: PriceBook, provider: str, model: str, why: str) -> None:
    assert reason(book, provider, model) == why


def test_free_variants_of_openrouter_cost_nothing_and_others_are_no_router_s_guess(book: PriceBook) -> None:
    assert per_mtok(rates(book, "openrouter", "acme/new-model:free")) == {"input": 0, "output": 0}
    assert reason(book, "openrouter", "openai/gpt-4o:nitro") == "router"


@pytest.mark.parametrize(
    ("provider", "model", "tier", "price"),
    [
        ("openai", "gpt-4.1", "batch", (1, 4, 0.5)),
        ("openai", "gpt-4.1", "priority", (3.5, 14, 0.875)),
        ("openai", "gpt-5.1", "flex", (0.625, 5, 0.0625)),
        ("openai", "gpt-3.5-turbo-1106", "batch", (1, 2)),
        ("azure.ai.openai", "gpt-4.1", "batch", (1, 4, 0.5)),
        ("anthropic", "claude-3-5-haiku-20241022", "batch", (0.4, 2, 0.04, 0.5, 0.8)),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "flex", (0.4, 1.6, 0.1)),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "batch", (0.4, 1.6, 0.2)),
        ("groq", "llama-3.3-70b-versatile", "flex", (0.59, 0.79)),
    ],
)
def test_a_service_tier_has_its_price(
    book: PriceBook, provider: str, model: str, tier: str, price: tuple[float, ...]
) -> None:
    assert tuple(per_mtok(rates(book, provider, model, tier)).values()) == pytest.approx(price)


@pytest.mark.parametrize("tier", ["", "auto", "default", "standard", "on_demand", "scale", "STANDARD"])
def test_many_names_of_the_standard_tier(book: PriceBook, tier: str) -> None:
    assert per_mtok(rates(book, "openai", "gpt-4.1", tier))["input"] == 2


@pytest.mark.parametrize(
    ("provider", "model", "tier", "why"),
    [
        ("deepseek", "deepseek-chat", "batch", "no_price_for_tier"),
        ("openai", "gpt-3.5-turbo", "priority", "no_price_for_tier"),
        ("openai", "gpt-4.1", "brand_new", "no_price_for_tier"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::x", "batch", "no_price_for_tier"),
        ("aws.bedrock", "amazon.nova-pro-v1:0", "reserved", "provisioned_throughput"),
        ("openai", "no-such-model", "batch", "unknown_model"),
        ("vllm", "llama", "batch", "self_hosted"),
    ],
)
def test_a_tier_without_a_price_is_never_the_standard_price(
    book: PriceBook, provider: str, model: str, tier: str, why: str
) -> None:
    assert reason(book, provider, model, tier) == why


def test_a_batch_before_the_table_knew_batches_costs_half_of_then(book: PriceBook) -> None:
    now, then = (per_mtok(rates(book, "openai", "gpt-4o", "batch", at)) for at in ("2026-11-01", "2025-01-01"))
    assert then == now


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("VertexAI", "gemini-2.5-flash"),
        ("gcp.gen_ai", "gemini-2.5-flash"),
        ("google.generative-ai", "models/gemini-2.5-flash"),
        ("", "google/gemini-2.5-flash"),
        ("openai", "gemini-2.5-flash"),
        ("Google", "gemini-2.5-flash-001"),
        ("gcp.vertex_ai", "projects/p/locations/l/publishers/google/models/gemini-2.5-flash"),
    ],
)
def test_one_model_in_many_spellings_has_one_price(book: PriceBook, provider: str, model: str) -> None:
    assert book.schedule(provider, model, "") == book.schedule("gcp.gemini", "gemini-2.5-flash", "")


def test_the_price_id_names_table_model_and_tier(book: PriceBook) -> None:
    ids = [getattr(book.schedule("openai", "gpt-4.1-2025-04-14", tier), "price_id", "") for tier in ("", "batch")]
    assert ids[0].startswith("openai/gpt-4.1@genai-prices-")
    assert ids[1].startswith("openai/gpt-4.1+batch@genai-prices-")


@pytest.mark.parametrize(
    ("provider", "model", "tier", "line"),
    [
        ("AWS", "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "", "provider 'AWS' is aws.bedrock"),
        ("openai", "gpt-4.1-2025-04-14", "", "'gpt-4.1-2025-04-14' is openai/gpt-4.1 by equals 'gpt-4.1-2025-04-14'"),
        ("openai", "o3", "", "source: OpenAI pricing"),
        ("anthropic", "claude-3-5-haiku-20241022", "batch", "batch costs 0.5 times that (Anthropic pricing"),
        ("ollama", "llama3", "", "unpriced: self_hosted"),
    ],
)
def test_a_person_can_read_how_a_price_was_found(
    book: PriceBook, provider: str, model: str, tier: str, line: str
) -> None:
    _, steps = book.explain(provider, model, tier)
    assert any(line in step for step in steps), steps


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("azure.ai.openai", "gpt-4o-realtime-preview-2024-12-17", 5),
        ("azure.ai.openai", "gpt-4o-mini-realtime-preview-2024-12-17", 0.6),
        ("azure.ai.openai", "computer-use-preview", 3),
        ("azure.ai.inference", "deepseek-v4-flash", 0.19),
        ("azure.ai.openai", "kimi-k2-thinking", 0.6),
    ],
)
def test_azure_has_models_by_their_full_ids(book: PriceBook, provider: str, model: str, price: float) -> None:
    assert per_mtok(rates(book, provider, model))["input"] == price


@pytest.mark.parametrize("deployment", ["gpt-4o-realtime-preview-team-a", "computer-use-preview-2", "my-gpt-4o"])
def test_a_part_of_an_id_is_no_model_of_azure(book: PriceBook, deployment: str) -> None:
    assert reason(book, "azure.ai.openai", deployment) == "unknown_model"


@pytest.mark.parametrize(
    ("label", "provider", "model"),
    [
        ("vertex_ai_beta", "gcp.vertex_ai", "gemini-2.5-pro"),
        ("vertex_ai-anthropic_models", "gcp.vertex_ai", "claude-sonnet-4-5@20250929"),
        ("text-completion-openai", "openai", "gpt-3.5-turbo-instruct"),
    ],
)
def test_labels_of_litellm_are_names_of_providers(book: PriceBook, label: str, provider: str, model: str) -> None:
    assert rates(book, label, model) == rates(book, provider, model)
