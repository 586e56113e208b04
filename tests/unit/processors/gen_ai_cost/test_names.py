"""Providers, models and tiers in the spellings of the field."""

from __future__ import annotations

import pytest

from processors.gen_ai_cost.names import candidates, identify, names, tier_of


@pytest.mark.parametrize(
    ("spelling", "provider"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        (" openai ", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.generative-ai", "gcp.gemini"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("VertexAI", "gcp.vertex_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("gcp.vertex_ai", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"),
        ("amazon-bedrock", "aws.bedrock"),
        ("AWS", "aws.bedrock"),
        ("aws_bedrock", "aws.bedrock"),
        ("bedrock_converse", "aws.bedrock"),
        ("azure", "azure.ai.openai"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"),
        ("xai", "x_ai"),
        ("x-ai", "x_ai"),
        ("mistral.chat", "mistral_ai"),
        ("mistralai", "mistral_ai"),
        ("fireworks_ai", "fireworks_ai"),
        ("togetherai.chat", "together_ai"),
        ("ChatOpenAI", "openai"),
        ("google_genai", "gcp.gemini"),
        ("google_vertexai", "gcp.vertex_ai"),
        ("google-gla", "gcp.gemini"),
        ("gateway/openai", "openai"),
        ("gcp.vertex.agent", "gcp.vertex_ai"),
        ("bedrock.anthropic.messages", "aws.bedrock"),
        ("vertex.anthropic.messages", "gcp.vertex_ai"),
        ("zhipuai", "zhipuai"),
        ("LM Studio", "lmstudio"),
        ("llama.cpp", "llamacpp"),
        ("acme", ""),
        ("langchain", ""),
        ("", ""),
    ],
)
def test_a_provider_has_one_name(spelling: str, provider: str) -> None:
    assert names().provider(spelling) == provider


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (("openai", "openai/gpt-4o"), ("openai", "gpt-4o")),
        (("groq", "openai/gpt-oss-20b"), ("groq", "openai/gpt-oss-20b")),
        (("groq", "groq/openai/gpt-oss-20b"), ("groq", "openai/gpt-oss-20b")),
        (("gcp.gemini", "models/gemini-2.5-pro"), ("gcp.gemini", "gemini-2.5-pro")),
        (
            ("gcp.vertex_ai", "projects/acme/locations/us-central1/publishers/google/models/gemini-2.5-pro"),
            ("gcp.vertex_ai", "gemini-2.5-pro"),
        ),
        (
            ("gcp.vertex_ai", "publishers/meta/models/llama-3.3-70b-instruct-maas"),
            ("gcp.vertex_ai", "meta/llama-3.3-70b-instruct-maas"),
        ),
        (
            ("aws.bedrock", "arn:aws:bedrock:us-west-2::foundation-model/amazon.nova-pro-v1:0"),
            ("aws.bedrock", "amazon.nova-pro-v1:0"),
        ),
        (
            ("anthropic", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-x-v1:0"),
            ("aws.bedrock", "eu.anthropic.claude-x-v1:0"),
        ),
        (("aws.bedrock", "bedrock/converse/us-west-2/anthropic.claude-v2"), ("aws.bedrock", "anthropic.claude-v2")),
        (("anthropic", "us.anthropic.claude-x-v1:0"), ("aws.bedrock", "us.anthropic.claude-x-v1:0")),
        (("anthropic", "claude-sonnet-4-5@20250929"), ("gcp.vertex_ai", "claude-sonnet-4-5@20250929")),
        (("openrouter", "openrouter/openai/gpt-4o"), ("openrouter", "openai/gpt-4o")),
        (("openrouter", "anthropic/claude-3.7-sonnet:thinking"), ("openrouter", "anthropic/claude-3.7-sonnet")),
        (("together_ai", "togethercomputer/alpaca-7b"), ("together_ai", "togethercomputer/alpaca-7b")),
    ],
)
def test_a_model_is_brought_to_the_id_of_its_provider(asked: tuple[str, str], found: tuple[str, str]) -> None:
    ident = identify(*asked)
    assert (ident.provider, ident.model) == found
    assert (ident.raw_provider, ident.raw_model) == asked


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("ft:gpt-4o-2024-08-06:acme::x", "openai"),
        ("openai/gpt-4o-mini", "openai"),
        ("azure/gpt-4o", "azure.ai.openai"),
        ("groq/openai/gpt-oss-120b", "groq"),
        ("gemini/gemini-2.5-flash", "gcp.gemini"),
        ("google/gemini-2.5-flash", "gcp.gemini"),
        ("vertex_ai/gemini-2.5-pro", "gcp.vertex_ai"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws.bedrock"),
        ("anthropic/claude-sonnet-4.5", "anthropic"),
        ("mistral-large-2411", "mistral_ai"),
        ("accounts/fireworks/models/deepseek-v3", "fireworks_ai"),
    ],
)
def test_a_missing_provider_is_read_off_an_id_that_only_one_vendor_sells(model: str, provider: str) -> None:
    assert identify("", model).provider == provider
    assert identify("langchain", model).provider == provider


@pytest.mark.parametrize(
    "model",
    [
        "llama3.1:8b",
        "deepseek-r1",
        "deepseek-r1:32b",
        "command-r:35b",
        "gpt-oss:20b",
        "openai/gpt-oss-20b",
        "google/gemma-3-27b-it",
        "mistralai/Mistral-7B-Instruct-v0.3",
        "meta-llama/Llama-3.1-70B-Instruct",
        "mistral:7b",
    ],
)
def test_open_weights_without_a_provider_may_run_anywhere(model: str) -> None:
    assert identify("", model).provider == ""


@pytest.mark.parametrize(
    ("asked", "provider"),
    [
        (("openai", "claude-sonnet-4-5"), "anthropic"),
        (("openai", "anthropic/claude-sonnet-4-5"), "anthropic"),
        (("openai", "openrouter/anthropic/claude-sonnet-4.5"), "openrouter"),
        (("openai", "deepseek/deepseek-r1"), "openai"),
        (("anthropic", "gpt-4o"), "anthropic"),
        (("acme", "gpt-4o"), ""),
    ],
)
def test_only_behind_a_mere_protocol_the_id_says_who_answered(asked: tuple[str, str], provider: str) -> None:
    assert identify(*asked).provider == provider


@pytest.mark.parametrize(
    ("provider", "model", "reason"),
    [
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:provisioned-model/abc", "provisioned_throughput"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/a", "application_inference_profile"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:custom-model/anthropic.claude-3-haiku/abc", "custom_model"),
        ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:default-prompt-router/anthropic.claude:1", "router"),
        ("", "arn:aws:sagemaker:us-east-1:1:endpoint/llama", "self_hosted"),
        ("gcp.vertex_ai", "projects/p/locations/l/endpoints/1", "custom_model"),
        ("gcp.gemini", "tunedModels/mine", "custom_model"),
        ("fireworks_ai", "accounts/acme/models/mine", "custom_model"),
        ("openrouter", "openrouter/auto", "router"),
        ("ollama", "llama3", "self_hosted"),
        ("", "ollama/llama3", "self_hosted"),
        ("litellm", "hosted_vllm/meta-llama/Llama-3", "self_hosted"),
        ("openai", "gpt-oss-20b", "self_hosted"),
    ],
)
def test_what_can_have_no_public_price_says_why(provider: str, model: str, reason: str) -> None:
    assert identify(provider, model).unpriced == reason


@pytest.mark.parametrize(
    ("provider", "model", "forms"),
    [
        ("openai", "GPT-4o", ["gpt-4o"]),
        ("openai", "gpt-5.2-20251211", ["gpt-5.2-20251211", "gpt-5.2-2025-12-11", "gpt-5.2"]),
        (
            "gcp.vertex_ai",
            "claude-x@20250929",
            ["claude-x@20250929", "claude-x-20250929", "claude-x-2025-09-29", "claude-x"],
        ),
        ("openai", "ft:gpt-4o-2024-08-06:acme::x", ["ft:gpt-4o-2024-08-06:acme::x", "ft:gpt-4o-2024-08-06"]),
        ("azure.ai.inference", "openai/gpt-4o", ["openai/gpt-4o", "gpt-4o"]),
        ("openrouter", "openai/gpt-4o", ["openai/gpt-4o"]),
    ],
)
def test_an_id_has_other_forms_of_the_same_model(provider: str, model: str, forms: list[str]) -> None:
    found = list(candidates(names().providers[provider], model, undated=True))
    assert [form for form in found if form in forms] == forms
    assert found[0] == model.lower()


def test_a_fine_tuned_model_never_becomes_its_base_model() -> None:
    found = list(candidates(names().providers["openai"], "ft:gpt-4o-2024-08-06:acme::x", undated=True))
    assert all(form.startswith("ft:") for form in found)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ("", ""),
        ("auto", ""),
        ("default", ""),
        ("STANDARD", ""),
        ("on_demand", ""),
        ("scale", ""),
        ("batch", "batch"),
        ("Flex", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("fast", "fast"),
        ("PROVISIONED_THROUGHPUT", "provisioned_throughput"),
        ("brand_new", "brand_new"),
    ],
)
def test_a_tier_has_one_name(said: str, tier: str) -> None:
    assert tier_of(said) == tier


def test_the_steps_say_how_names_were_read() -> None:
    steps = identify("AWS", "bedrock/us.anthropic.claude-x-v1:0").steps
    assert any("'AWS' is aws.bedrock" in step for step in steps)
    assert any("'us.anthropic.claude-x-v1:0'" in step for step in steps)


@pytest.mark.parametrize("model", ["/", "//", "a/", "/a", "models/", "bedrock/" * 30, "\x00", "arn:", "ft:", "@", ":"])
def test_no_id_upsets_it(model: str) -> None:
    for provider in ("", "openai", "aws.bedrock", "openrouter", "acme"):
        ident = identify(provider, model)
        assert list(candidates(names().providers.get(ident.provider), ident.model, undated=True))
