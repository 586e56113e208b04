# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "autogen-agentchat==0.7.5",
#   "autogen-ext[openai]==0.7.5",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
#   "opentelemetry-instrumentation-genai-openai==1.3b0",
# ]
# [tool.recording]
# folder = "autogen"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429"]
# ///
"""AutoGen: spans of its own around agents and tools, its log of events, and the instrumentation of OpenAI beneath."""

from __future__ import annotations

import asyncio

from exporting import export_logs, export_python_logs, export_traces

provider = export_traces()
export_python_logs("autogen_core.events", export_logs())

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_ext.models.openai import OpenAIChatCompletionClient
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from scenario import SCENARIO, tool

OpenAIInstrumentor().instrument(tracer_provider=provider)


async def get_weather(city: str) -> str:
    """The weather in a city today."""
    return tool("get_weather")(city=city)


async def lookup_order(order_id: str) -> str:
    """Finds an order by its number."""
    return tool("lookup_order")(order_id=order_id)


async def main() -> None:
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    known = {"get_weather": get_weather, "lookup_order": lookup_order}
    tools = [known[entry["name"]] for entry in SCENARIO["tools"]]
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", max_retries=0, include_name_in_message=False, **settings)
    clerk = AssistantAgent(
        "clerk",
        client,
        tools=tools or None,
        description="Helps customers.",
        system_message=SCENARIO.get("system", "You are brief."),
        model_client_stream=bool(SCENARIO.get("stream")),
        max_tool_iterations=4,
    )
    if SCENARIO.get("kind") == "agent":
        team = RoundRobinGroupChat([clerk], termination_condition=MaxMessageTermination(2))
        await team.run(task=SCENARIO["prompt"])
    elif SCENARIO.get("stream"):
        async for _ in clerk.run_stream(task=SCENARIO["prompt"]):
            pass
    else:
        await clerk.run(task=SCENARIO["prompt"])


asyncio.run(main())
