# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "litellm==1.106.2", "mcp==2.3.0", "httpx2>=2.5.0",
#   "opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp==1.45.2",
# ]
# [tool.recording]
# folder = "litellm-v2"
# scenarios = ["chat_en", "stream_en", "tools_weather", "cached_prompt", "reasoning", "err_429", "embeddings_batch"]
# [tool.recording.variants.litellm-v2-anthropic]
# scenarios = ["chat_en", "stream_en", "cache_write"]
# CLIENT = "anthropic"
# [tool.recording.variants.litellm-v2-mappers]
# scenarios = ["chat_en", "stream_en", "tools_weather"]
# MAPPER_NAMES = "genai,openinference,langfuse"
# ///
"""LiteLLM with the second version of its OpenTelemetry callback, as a library, contents on."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

os.environ["LITELLM_OTEL_V2"] = "true"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_and_event"
os.environ["LITELLM_OTEL_INTEGRATION_ENABLE_EVENTS"] = "true"
os.environ["OTEL_EXPORTER"] = "otlp_http"

import litellm
from litellm.litellm_core_utils.litellm_logging import _in_memory_loggers
from scenario import SCENARIO, messages, openai_tools, tool

litellm.callbacks = ["otel"]
litellm.suppress_debug_info = True
ANTHROPIC = os.environ.get("CLIENT") == "anthropic"
MODEL = "anthropic/claude-sonnet-4-5" if ANTHROPIC else "openai/gpt-4o-mini"
SETTINGS = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}


async def agent() -> None:
    history: list[Any] = messages()
    while True:
        answer = await litellm.acompletion(model=MODEL, messages=history, tools=openai_tools(), num_retries=0)
        message = answer.choices[0].message
        if not message.tool_calls:
            return
        history.append(message)
        for call in message.tool_calls:
            result = tool(call.function.name)(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


async def chat() -> None:
    model = "openai/o4-mini" if SCENARIO.get("model") == "reasoning" else MODEL
    if SCENARIO.get("stream"):
        options = {"include_usage": True}
        answer = await litellm.acompletion(
            model=model, messages=messages(), stream=True, stream_options=options, user="user-1042"
        )
        async for _ in answer:
            pass
    else:
        await litellm.acompletion(model=model, messages=messages(), num_retries=0, max_retries=0, **SETTINGS)


async def embed() -> None:
    await litellm.aembedding(model="openai/text-embedding-3-small", input=SCENARIO["inputs"])


async def main() -> None:
    try:
        await {"tools": agent, "embeddings": embed}.get(SCENARIO.get("kind", "chat"), chat)()
    finally:
        # The callback runs behind the call.
        await asyncio.sleep(2)
        for logger in _in_memory_loggers:
            logger._tracer_provider.force_flush()


asyncio.run(main())
