# /// script
# requires-python = ">=3.11"
# dependencies = ["semantic-kernel==1.45.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
# [tool.recording]
# folder = "semantic-kernel"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429"]
# ///
"""Semantic Kernel with its model diagnostics on, messages included."""

from __future__ import annotations

import asyncio
import os

os.environ["SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE"] = "true"

from exporting import export_logs, export_python_logs, export_traces

export_traces()
export_python_logs("semantic_kernel", export_logs())

from openai import AsyncOpenAI
from scenario import SCENARIO, tool
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function

SERVICE = OpenAIChatCompletion(ai_model_id="gpt-4o-mini", async_client=AsyncOpenAI(max_retries=0))


class Shop:
    @kernel_function(name="get_weather", description="The weather in a city today.")
    def get_weather(self, city: str) -> str:
        return tool("get_weather")(city=city)

    @kernel_function(name="lookup_order", description="Finds an order by its number.")
    def lookup_order(self, order_id: str) -> str:
        return tool("lookup_order")(order_id=order_id)


async def chat() -> None:
    kernel = Kernel()
    kernel.add_service(SERVICE)
    settings = OpenAIChatPromptExecutionSettings(
        **{key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    )
    if SCENARIO.get("tools"):
        kernel.add_plugin(Shop(), "")
        settings.function_choice_behavior = FunctionChoiceBehavior.Auto()
    history = ChatHistory(system_message=SCENARIO.get("system"))
    history.add_user_message(SCENARIO["prompt"])
    if SCENARIO.get("stream"):
        async for _ in SERVICE.get_streaming_chat_message_contents(history, settings, kernel=kernel):
            pass
    else:
        await SERVICE.get_chat_message_contents(history, settings, kernel=kernel)


async def agent() -> None:
    helper = ChatCompletionAgent(
        service=SERVICE, name="clerk", instructions=SCENARIO["system"], plugins=[Shop()], description="Helps customers."
    )
    await helper.get_response(messages=SCENARIO["prompt"])


asyncio.run(agent() if SCENARIO.get("kind") == "agent" else chat())
