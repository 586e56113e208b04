# /// script
# requires-python = ">=3.11"
# dependencies = ["strands-agents[openai,anthropic,otel]==1.62.0"]
# [tool.recording]
# scenarios = ["chat_en", "tools_weather", "cached_prompt", "agent", "err_429", "pii_prompt"]
# [tool.recording.variants.strands-latest]
# scenarios = ["chat_en", "tools_weather", "err_429"]
# OTEL_SEMCONV_STABILITY_OPT_IN = "gen_ai_latest_experimental,gen_ai_tool_definitions"
# [tool.recording.variants.strands-attributes]
# scenarios = ["chat_en", "tools_weather", "agent"]
# OTEL_SEMCONV_STABILITY_OPT_IN = "gen_ai_latest_experimental,gen_ai_span_attributes_only"
# [tool.recording.variants.strands-anthropic]
# scenarios = ["chat_en", "tools_weather", "cache_write"]
# CLIENT = "anthropic"
# [tool.recording.variants.strands-bedrock]
# scenarios = ["chat_en", "tools_weather", "cache_write"]
# CLIENT = "bedrock"
# ///
"""Strands Agents: its own tracer, with models of OpenAI, Anthropic and Bedrock."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry import trace
from scenario import SCENARIO, tool as answers
from strands import Agent, ModelRetryStrategy, tool
from strands.telemetry import StrandsTelemetry


def model() -> Any:
    client = os.environ.get("CLIENT", "openai")
    if client == "anthropic":
        from strands.models.anthropic import AnthropicModel

        return AnthropicModel(client_args={"max_retries": 0}, model_id="claude-sonnet-4-5", max_tokens=1024)
    if client == "bedrock":
        from strands.models import BedrockModel

        return BedrockModel(model_id="us.anthropic.claude-sonnet-4-20250514-v1:0")
    from strands.models.openai import OpenAIModel

    return OpenAIModel(client_args={"max_retries": 0}, model_id="gpt-4o-mini")


@tool
def get_weather(city: str) -> str:
    """The weather in a city today."""
    return answers("get_weather")(city=city)


@tool
def lookup_order(order_id: str) -> str:
    """Finds an order by its number."""
    return answers("lookup_order")(order_id=order_id)


StrandsTelemetry().setup_otlp_exporter()
KNOWN = {"get_weather": get_weather, "lookup_order": lookup_order}

agent = Agent(
    model=model(),
    name="clerk",
    tools=[KNOWN[entry["name"]] for entry in SCENARIO.get("tools", [])],
    system_prompt=SCENARIO.get("system"),
    callback_handler=None,
    retry_strategy=ModelRetryStrategy(max_attempts=1),
    trace_attributes={
        key: SCENARIO[name] for key, name in (("session.id", "session_id"), ("user.id", "user_id")) if name in SCENARIO
    },
)
try:
    agent(SCENARIO["prompt"])
finally:
    trace.get_tracer_provider().force_flush()
