# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "agent-framework-core==1.23.0",
#   "agent-framework-openai==1.17.0",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# [tool.recording]
# folder = "agent-framework"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429", "cached_prompt"]
# ///
"""Microsoft Agent Framework with contents on; some scenarios in the conventions 1.36, the others as by default."""

from __future__ import annotations

import asyncio
import os

from scenario import SCENARIO, tool

if SCENARIO["name"] in {"chat_en", "tools_weather"}:
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "none"
os.environ["ENABLE_SENSITIVE_DATA"] = "true"

from exporting import export_logs, export_traces

export_traces()
export_logs()

from agent_framework import Agent, ChatOptions, Message, tool as function_tool
from agent_framework.observability import enable_instrumentation
from agent_framework_openai import OpenAIChatClient, OpenAIChatCompletionClient
from openai import AsyncOpenAI

enable_instrumentation(enable_sensitive_data=True)


@function_tool(name="get_weather", description="The weather in a city today.")
def get_weather(city: str) -> str:
    return tool("get_weather")(city=city)


@function_tool(name="lookup_order", description="Finds an order by its number.")
def lookup_order(order_id: str) -> str:
    return tool("lookup_order")(order_id=order_id)


CLIENT = OpenAIChatCompletionClient(model="gpt-4o-mini", async_client=AsyncOpenAI(max_retries=0))


async def chat() -> None:
    said = [Message("system", [SCENARIO["system"]])] if "system" in SCENARIO else []
    asked = [*said, Message("user", [SCENARIO["prompt"]])]
    options = ChatOptions(**{key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO})
    if SCENARIO.get("stream"):
        async for _ in CLIENT.get_response(asked, stream=True, options=options):
            pass
    else:
        await CLIENT.get_response(asked, options=options)


async def agent() -> None:
    client = OpenAIChatClient(model="gpt-4o-mini", async_client=AsyncOpenAI(max_retries=0))
    known = {"get_weather": get_weather, "lookup_order": lookup_order}
    helper = Agent(
        client if SCENARIO["kind"] == "agent" else CLIENT,
        SCENARIO.get("system"),
        name="clerk",
        description="Helps customers.",
        tools=[known[entry["name"]] for entry in SCENARIO["tools"]],
    )
    await helper.run(SCENARIO["prompt"])


asyncio.run(agent() if SCENARIO.get("tools") else chat())
