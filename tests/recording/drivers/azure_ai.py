# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "azure-ai-projects==2.10.0",
#   "azure-core-tracing-opentelemetry==1.0.0b13",
#   "openai==3.54.0",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# [tool.recording]
# folder = "azure-ai"
# scenarios = ["chat_en", "stream_en", "tools_weather", "cached_prompt"]
# ///
"""The instrumentation of Azure AI Projects, on the Responses client of OpenAI that its projects hand out."""

from __future__ import annotations

import json
import os
from typing import Any

os.environ["AZURE_EXPERIMENTAL_ENABLE_GENAI_TRACING"] = "true"
os.environ["AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED"] = "true"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"

from exporting import export_traces

export_traces()

from azure.core.settings import settings as azure_settings

azure_settings.tracing_implementation = "opentelemetry"

from azure.ai.projects.telemetry import AIProjectInstrumentor
from openai import OpenAI
from scenario import SCENARIO, tool

AIProjectInstrumentor().instrument()
CLIENT = OpenAI(max_retries=0)
MODEL = "gpt-4o-mini"


def tools() -> list[Any]:
    return [
        {"type": "function", **{key: entry[key] for key in ("name", "description", "parameters")}}
        for entry in SCENARIO["tools"]
    ]


def with_tools() -> None:
    asked: Any = SCENARIO["prompt"]
    previous = None
    while True:
        response = CLIENT.responses.create(model=MODEL, input=asked, tools=tools(), previous_response_id=previous)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return
        previous = response.id
        asked = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": tool(call.name)(**json.loads(call.arguments)),
            }
            for call in calls
        ]


def main() -> None:
    if SCENARIO.get("kind") == "tools":
        with_tools()
        return
    options: dict[str, Any] = {"model": MODEL, "input": SCENARIO["prompt"], "instructions": SCENARIO.get("system")}
    if "temperature" in SCENARIO:
        options |= {"temperature": SCENARIO["temperature"], "max_output_tokens": SCENARIO["max_tokens"]}
    if SCENARIO.get("stream"):
        for _ in CLIENT.responses.create(**options, stream=True):
            pass
    else:
        CLIENT.responses.create(**options)


main()
