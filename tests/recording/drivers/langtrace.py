# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "langtrace-python-sdk==3.8.18",
#   "openai==1.109.1",
#   "opentelemetry-exporter-otlp-proto-http==1.45.1",
#   "importlib_metadata==9.0.0",
#   "Deprecated==1.3.1",
# ]
# [tool.recording]
# folder = "langtrace"
# scenarios = ["chat_en", "stream_en", "tools_weather", "err_429", "embeddings_batch"]
# ///
"""Langtrace's instrumentation of OpenAI, without the SDK's own start, which would report to its makers."""

from __future__ import annotations

import json
from typing import Any

from exporting import export_traces

provider = export_traces()

from langtrace_python_sdk.instrumentation.openai import OpenAIInstrumentation
from openai import OpenAI
from scenario import SCENARIO, messages, openai_tools, tool

OpenAIInstrumentation().instrument(tracer_provider=provider)
CLIENT = OpenAI(max_retries=0)
MODEL = "gpt-4o-mini"


def with_tools() -> None:
    history: list[Any] = messages()
    while True:
        message = CLIENT.chat.completions.create(model=MODEL, messages=history, tools=openai_tools()).choices[0].message
        if not message.tool_calls:
            return
        history.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = tool(call.function.name)(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


def main() -> None:
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    kind = SCENARIO.get("kind")
    if kind == "tools":
        with_tools()
    elif kind == "embeddings":
        CLIENT.embeddings.create(model="text-embedding-3-small", input=SCENARIO["inputs"])
    elif SCENARIO.get("stream"):
        usage = {"include_usage": True}
        for _ in CLIENT.chat.completions.create(model=MODEL, messages=messages(), stream=True, stream_options=usage):
            pass
    else:
        CLIENT.chat.completions.create(model=MODEL, messages=messages(), user="user-77", **settings)


main()
