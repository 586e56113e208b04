# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "mcp==2.3.0",
#   "openai==3.54.0",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
#   "opentelemetry-instrumentation-genai-openai==1.3b0",
# ]
# [tool.recording]
# folder = "mcp"
# scenarios = ["chat_en", "tools_weather", "agent"]
# ///
"""The SDK of the Model Context Protocol, a client and a server that it starts; a model decides what is called."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from exporting import export_traces

provider = export_traces()

from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer
from openai import AsyncOpenAI
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from scenario import messages, openai_tools, tool

OpenAIInstrumentor().instrument(tracer_provider=provider)
SERVER = MCPServer("shop")


@SERVER.tool()
def get_weather(city: str) -> str:
    """The weather in a city today."""
    return tool("get_weather")(city=city)


@SERVER.tool()
def lookup_order(order_id: str) -> str:
    """Finds an order by its number."""
    return tool("lookup_order")(order_id=order_id)


@SERVER.prompt()
def greeting(name: str) -> str:
    """How a customer is greeted."""
    return f"Welcome, {name}!"


async def main() -> None:
    model = AsyncOpenAI(max_retries=0)
    history: list[Any] = messages()
    server = StdioServerParameters(
        command=sys.executable, args=["-P", __file__, "server"], env={**os.environ, "OTEL_SERVICE_NAME": "shop"}
    )
    async with Client(server) as client:
        await client.list_tools()
        await client.get_prompt("greeting", {"name": "Alex"})
        for _ in range(4):
            response = await model.chat.completions.create(model="gpt-4o-mini", messages=history, tools=openai_tools())
            message = response.choices[0].message
            history.append(message)
            for call in message.tool_calls or ():
                result = await client.call_tool(call.function.name, json.loads(call.function.arguments))
                said = result.content[0].text
                history.append({"role": "tool", "tool_call_id": call.id, "content": said})
            if not message.tool_calls:
                return


if sys.argv[1:] == ["server"]:
    SERVER.run("stdio")
else:
    asyncio.run(main())
