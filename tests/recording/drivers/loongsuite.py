# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "loongsuite-instrumentation-langchain==0.9.0",
#   "langchain-openai==1.7.3",
#   "langchain==1.4.7",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# [tool.recording]
# folder = "loongsuite"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429", "cached_prompt"]
# ///
"""LoongSuite's instrumentation of LangChain, with messages as attributes of spans."""

from __future__ import annotations

import os
from typing import Any

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"

from exporting import export_logs, export_traces

provider = export_traces()
export_logs()

from langchain.agents import create_agent
from langchain_core.tools import tool as langchain_tool
from langchain_openai import ChatOpenAI
from opentelemetry.instrumentation.langchain import LangChainInstrumentor
from scenario import SCENARIO, messages, tool

LangChainInstrumentor().instrument(tracer_provider=provider)


@langchain_tool
def get_weather(city: str) -> str:
    """The weather in a city today."""
    return tool("get_weather")(city=city)


@langchain_tool
def lookup_order(order_id: str) -> str:
    """Finds an order by its number."""
    return tool("lookup_order")(order_id=order_id)


def main() -> None:
    settings: dict[str, Any] = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    model = ChatOpenAI(model="gpt-4o-mini", max_retries=0, stream_usage=True, **settings)
    if SCENARIO["tools"]:
        known = {"get_weather": get_weather, "lookup_order": lookup_order}
        agent = create_agent(model, [known[entry["name"]] for entry in SCENARIO["tools"]], name="clerk")
        agent.invoke({"messages": messages()})
    elif SCENARIO.get("stream"):
        for _ in model.stream(messages()):
            pass
    else:
        model.invoke(messages())


main()
