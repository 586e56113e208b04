# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "mlflow==3.17.2", "openai==3.54.0", "anthropic==2.12.0", "google-genai==3.4.0",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# [tool.recording]
# scenarios = [
#   "chat_en", "stream_en", "tools_weather", "cached_prompt", "err_429", "embeddings_batch", "pii_prompt", "rag",
# ]
# [tool.recording.variants.mlflow-responses]
# scenarios = ["chat_en", "stream_en", "reasoning"]
# CLIENT = "responses"
# [tool.recording.variants.mlflow-anthropic]
# scenarios = ["chat_en", "cache_write", "reasoning"]
# CLIENT = "anthropic"
# [tool.recording.variants.mlflow-gemini]
# scenarios = ["chat_en", "reasoning", "err_429"]
# CLIENT = "gemini"
# [tool.recording.variants.mlflow-genai]
# scenarios = ["chat_en", "stream_en", "tools_weather", "err_429"]
# MLFLOW_ENABLE_OTEL_GENAI_SEMCONV = "true"
# ///
"""MLflow: autologging of OpenAI, Anthropic and Gemini, and spans of its own around tools and retrieval."""

from __future__ import annotations

import json
import os
from typing import Any

import anthropic
import mlflow
import openai
from google import genai
from mlflow.entities import Document
from scenario import SCENARIO, messages, openai_tools, tool

MODEL = "gpt-4o-mini"
SETTINGS = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
STREAM = bool(SCENARIO.get("stream"))
REASONING = SCENARIO.get("model") == "reasoning"


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
def agent(client: openai.OpenAI) -> str | None:
    history: list[Any] = messages()
    mlflow.update_current_trace(metadata={"mlflow.trace.session": SCENARIO["session_id"]})
    while True:
        answer = client.chat.completions.create(model=MODEL, messages=history, tools=openai_tools())
        message = answer.choices[0].message
        if not message.tool_calls:
            return message.content
        history.append(message)
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


@mlflow.trace(span_type="CHAIN", name="answer_from_documents")
def rag(client: openai.OpenAI) -> str | None:
    context = "\n".join(document.page_content for document in find(SCENARIO["prompt"]))
    asked: list[Any] = [{"role": "system", "content": context}, *messages()]
    return client.chat.completions.create(model=MODEL, messages=asked).choices[0].message.content


def ask_openai() -> None:
    mlflow.openai.autolog()
    client = openai.OpenAI(max_retries=0)
    kind = SCENARIO.get("kind", "chat")
    if kind == "tools":
        agent(client)
    elif kind == "rag":
        rag(client)
    elif kind == "embeddings":
        client.embeddings.create(model="text-embedding-3-small", input=SCENARIO["inputs"])
    elif STREAM:
        options: Any = {"include_usage": True}
        user = SCENARIO["user_id"]
        list(
            client.chat.completions.create(
                model=MODEL, messages=messages(), stream=True, stream_options=options, user=user
            )
        )
    else:
        client.chat.completions.create(model=MODEL, messages=messages(), **SETTINGS)


def ask_responses() -> None:
    mlflow.openai.autolog()
    answer = openai.OpenAI(max_retries=0).responses.create(
        model="o4-mini" if REASONING else MODEL,
        input=SCENARIO["prompt"],
        instructions=SCENARIO.get("system"),
        stream=STREAM,
    )
    if STREAM:
        list(answer)


def ask_anthropic() -> None:
    mlflow.anthropic.autolog()
    client = anthropic.Anthropic(max_retries=0)
    asked: dict[str, Any] = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": SCENARIO["prompt"]}],
    }
    if "system" in SCENARIO:
        asked["system"] = SCENARIO["system"]
    answer = client.messages.create(**asked, stream=STREAM)
    if STREAM:
        list(answer)


def ask_gemini() -> None:
    # Streams of Gemini are not traced.
    mlflow.gemini.autolog()
    client = genai.Client(api_key="none", http_options={"base_url": os.environ["GOOGLE_GEMINI_BASE_URL"]})
    config = {"system_instruction": SCENARIO.get("system"), "temperature": SCENARIO.get("temperature")}
    asked: dict[str, Any] = {"model": "gemini-2.5-flash", "contents": SCENARIO["prompt"], "config": config}
    client.models.generate_content(**asked)


ASK = {"openai": ask_openai, "responses": ask_responses, "anthropic": ask_anthropic, "gemini": ask_gemini}

try:
    ASK[os.environ.get("CLIENT", "openai")]()
finally:
    mlflow.flush_trace_async_logging()
