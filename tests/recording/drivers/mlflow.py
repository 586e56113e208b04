# /// script
# requires-python = ">=3.11"
# dependencies = ["mlflow==3.17.2", "openai==3.54.0", "opentelemetry-exporter-otlp-proto-http==1.45.2"]
# [tool.recording]
# scenarios = [
#   "chat_en", "stream_en", "tools_weather", "cached_prompt", "err_429", "embeddings_batch", "pii_prompt", "rag",
# ]
# ///
"""MLflow: autologging of OpenAI, spans of its own around tools and retrieval, exported over OTLP."""

from __future__ import annotations

import json
from typing import Any

import mlflow
from mlflow.entities import Document
from openai import OpenAI
from scenario import SCENARIO, messages, openai_tools, tool

mlflow.openai.autolog()
CLIENT = OpenAI(max_retries=0)
MODEL = "gpt-4o-mini"


@mlflow.trace(span_type="TOOL")
def get_weather(city: str) -> str:
    return tool("get_weather")(city=city)


@mlflow.trace(span_type="RETRIEVER")
def find(question: str) -> list[Document]:
    return [
        Document(page_content=text, metadata={"doc_uri": f"terms-{number}.md", "chunk_id": str(number)}, id=str(number))
        for number, text in enumerate(SCENARIO["documents"])
    ]


@mlflow.trace(span_type="AGENT", name="assistant")
def agent() -> str | None:
    history: list[Any] = messages()
    if SCENARIO.get("session_id"):
        mlflow.update_current_trace(
            metadata={"mlflow.trace.session": SCENARIO["session_id"], "mlflow.trace.user": "user-77"}
        )
    while True:
        message = CLIENT.chat.completions.create(model=MODEL, messages=history, tools=openai_tools()).choices[0].message
        if not message.tool_calls:
            return message.content
        history.append(message)
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


@mlflow.trace(span_type="CHAIN", name="answer_from_documents")
def rag() -> str | None:
    found = find(SCENARIO["prompt"])
    context = "\n".join(document.page_content for document in found)
    asked: list[Any] = [{"role": "system", "content": context}, *messages()]
    return CLIENT.chat.completions.create(model=MODEL, messages=asked).choices[0].message.content


def main() -> None:
    kind = SCENARIO.get("kind", "chat")
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    if kind == "tools":
        agent()
    elif kind == "rag":
        rag()
    elif kind == "embeddings":
        CLIENT.embeddings.create(model="text-embedding-3-small", input=SCENARIO["inputs"])
    elif SCENARIO.get("stream"):
        options = {"include_usage": True}
        for _ in CLIENT.chat.completions.create(
            model=MODEL, messages=messages(), stream=True, stream_options=options, user=SCENARIO["user_id"]
        ):
            pass
    else:
        CLIENT.chat.completions.create(model=MODEL, messages=messages(), **settings)


try:
    main()
finally:
    mlflow.flush_trace_async_logging()
