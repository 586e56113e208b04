# /// script
# requires-python = ">=3.11"
# dependencies = ["crewai==1.15.30", "openai==2.54.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
# [tool.recording]
# folder = "crewai"
# scenarios = ["chat_en", "stream_en", "tools_weather", "agent", "err_429", "cached_prompt"]
# ///
"""CrewAI: the spans of a run that its own session exports, and those that count its users (here: to loopback)."""

from __future__ import annotations

import os
import uuid

os.environ["CREWAI_TRACING_ENABLED"] = "false"

import crewai.telemetry.telemetry as maker
import crewai_core.telemetry as maker_core
from crewai import LLM, Agent, Crew, Process, Task
from crewai.telemetry.tracing.session import otlp_exporter, telemetry_session
from crewai.tools import tool as crew_tool
from scenario import SCENARIO, tool

ENDPOINT = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


def count_users_on_loopback() -> None:
    """What the library tells its maker goes to the recorder; it was off while the maker's address was still in it."""
    maker.CREWAI_TELEMETRY_BASE_URL = maker_core.CREWAI_TELEMETRY_BASE_URL = ENDPOINT
    del os.environ["CREWAI_DISABLE_TELEMETRY"]
    counter = maker.Telemetry()
    counter._initialized = False
    counter.__init__()


@crew_tool("get_weather")
def get_weather(city: str) -> str:
    """The weather in a city today."""
    return tool("get_weather")(city=city)


@crew_tool("lookup_order")
def lookup_order(order_id: str) -> str:
    """Finds an order by its number."""
    return tool("lookup_order")(order_id=order_id)


def main() -> None:
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    llm = LLM(model="openai/gpt-4o-mini", stream=bool(SCENARIO.get("stream")), max_retries=0, **settings)
    known = {"get_weather": get_weather, "lookup_order": lookup_order}
    clerk = Agent(
        role="Clerk",
        goal="Answer the customer",
        backstory=SCENARIO.get("system", "You are brief."),
        llm=llm,
        tools=[known[entry["name"]] for entry in SCENARIO["tools"]],
        max_retry_limit=0,
    )
    task = Task(description=SCENARIO["prompt"], expected_output="One or two sentences.", agent=clerk, name="answer")
    crew = Crew(
        name="shop",
        agents=[clerk],
        tasks=[task],
        process=Process.sequential,
        share_crew=SCENARIO["name"] == "agent",
        verbose=False,
    )
    crew.kickoff()


count_users_on_loopback()
with telemetry_session(str(uuid.uuid4()), "shop", [otlp_exporter(f"{ENDPOINT}/v1/traces")]):
    main()
