# /// script
# requires-python = ">=3.11"
# dependencies = ["anthropic==2.12.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
# [tool.recording]
# folder = "anthropic-sdk"
# scenarios = ["chat_en", "stream_en", "tools_weather", "cache_write", "err_429"]
# ///
"""Anthropic's SDK with the spans of its own, contents on."""

from __future__ import annotations

import os

from scenario import SCENARIO, tool

os.environ["ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE"] = "content"

from exporting import export_traces

export_traces()

import anthropic
from anthropic import beta_tool

CLIENT = anthropic.Anthropic(max_retries=0)
REQUEST = {
    "model": "claude-sonnet-4-5",
    "max_tokens": SCENARIO.get("max_tokens", 300),
    "messages": [{"role": "user", "content": SCENARIO["prompt"]}],
    **({"system": SCENARIO["system"]} if "system" in SCENARIO else {}),
}


@beta_tool
def get_weather(city: str) -> str:
    """The weather in a city today."""
    return tool("get_weather")(city=city)


def main() -> None:
    if SCENARIO.get("tools"):
        for _ in CLIENT.beta.messages.tool_runner(tools=[get_weather], **REQUEST):
            pass
    elif SCENARIO.get("stream"):
        with CLIENT.messages.stream(**REQUEST) as stream:
            for _ in stream:
                pass
    else:
        CLIENT.messages.create(**REQUEST)


if __name__ == "__main__":
    main()
