# /// script
# requires-python = ">=3.11"
# dependencies = ["google-adk==2.13.0", "opentelemetry-exporter-otlp-proto-http==1.44.0"]
# [tool.recording]
# folder = "google-adk"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429", "pii_prompt"]
# [tool.recording.variants.google-adk-v1]
# scenarios = ["chat_en", "stream_en", "tools_weather", "reasoning", "err_429"]
# ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN = "1"
# OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT = "true"
# ///
"""Google ADK: an agent in memory, with its telemetry in the form of the conventions and in the one before."""

from __future__ import annotations

import asyncio
import os

os.environ.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_and_event")
os.environ.setdefault("GOOGLE_GENAI_USE_VERTEXAI", "false")

from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.runners import InMemoryRunner
from google.adk.telemetry.setup import maybe_set_otel_providers
from google.genai import types
from opentelemetry import _logs, trace
from scenario import SCENARIO, tool

maybe_set_otel_providers()


def get_weather(city: str) -> dict[str, str]:
    """The weather in a city today."""
    return {"weather": tool("get_weather")(city=city)}


def lookup_order(order_id: str) -> dict[str, str]:
    """Finds an order by its number."""
    return {"order": tool("lookup_order")(order_id=order_id)}


async def main() -> None:
    known = {"get_weather": get_weather, "lookup_order": lookup_order}
    settings = {"temperature": SCENARIO.get("temperature"), "max_output_tokens": SCENARIO.get("max_tokens")}
    agent = LlmAgent(
        name="clerk",
        description="Answers questions of customers.",
        model="gemini-2.5-flash",
        instruction=SCENARIO.get("system", ""),
        tools=[known[entry["name"]] for entry in SCENARIO.get("tools", [])],
        generate_content_config=types.GenerateContentConfig(**settings),
    )
    runner = InMemoryRunner(agent, app_name="shop")
    session_id = SCENARIO.get("session_id", "sess-1")
    user_id = SCENARIO.get("user_id", "user-1")
    await runner.session_service.create_session(app_name="shop", user_id=user_id, session_id=session_id)
    content = types.Content(role="user", parts=[types.Part(text=SCENARIO["prompt"])])
    mode = StreamingMode.SSE if SCENARIO.get("stream") else StreamingMode.NONE
    asked = runner.run_async(
        user_id=user_id, session_id=session_id, new_message=content, run_config=RunConfig(streaming_mode=mode)
    )
    async for _ in asked:
        pass
    await runner.close()


try:
    asyncio.run(main())
finally:
    trace.get_tracer_provider().force_flush()
    _logs.get_logger_provider().force_flush()
