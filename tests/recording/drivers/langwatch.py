# /// script
# requires-python = ">=3.11"
# dependencies = ["langwatch==1.4.0", "openai==3.54.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
# [tool.recording]
# folder = "langwatch"
# scenarios = ["chat_en", "stream_en", "tools_weather", "rag", "err_429"]
# ///
"""LangWatch's SDK: a trace of its own, calls of OpenAI tracked, spans around tools and retrieval, a score."""

from __future__ import annotations

import json
import os
from typing import Any

import langwatch
from langwatch.domain import RAGChunk
from openai import OpenAI
from scenario import SCENARIO, messages, openai_tools, tool

langwatch.setup(api_key="none", endpoint_url=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])
CLIENT = OpenAI(max_retries=0)
MODEL = "gpt-4o-mini"


@langwatch.span(type="tool", name="get_weather")
def get_weather(city: str) -> str:
    return tool("get_weather")(city=city)


@langwatch.span(type="rag", name="find")
def find(question: str) -> list[str]:
    texts: list[str] = SCENARIO["documents"]
    chunks = [RAGChunk(document_id="terms.md", chunk_id=str(index), content=text) for index, text in enumerate(texts)]
    langwatch.get_current_span().update(contexts=chunks)
    return texts


def with_tools() -> None:
    history: list[Any] = messages()
    while True:
        message = CLIENT.chat.completions.create(model=MODEL, messages=history, tools=openai_tools()).choices[0].message
        if not message.tool_calls:
            return
        history.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


@langwatch.trace(name="answer")
def main() -> None:
    trace = langwatch.get_current_trace()
    trace.autotrack_openai_calls(CLIENT)
    trace.update(metadata={"thread_id": SCENARIO.get("session_id", "thread-1"), "user_id": SCENARIO.get("user_id")})
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    if SCENARIO.get("kind") == "tools":
        with_tools()
    elif SCENARIO.get("kind") == "rag":
        context = "\n".join(find(SCENARIO["prompt"]))
        asked: list[Any] = [{"role": "system", "content": context}, *messages()]
        CLIENT.chat.completions.create(model=MODEL, messages=asked)
        langwatch.get_current_span().add_evaluation(name="faithfulness", score=0.9, label="good", details="All said.")
    elif SCENARIO.get("stream"):
        for _ in CLIENT.chat.completions.create(model=MODEL, messages=messages(), stream=True):
            pass
    else:
        CLIENT.chat.completions.create(model=MODEL, messages=messages(), **settings)


main()
