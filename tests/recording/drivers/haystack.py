# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "haystack-ai==3.4.0", "opentelemetry-haystack==2.0.0", "opentelemetry-sdk==1.45.2",
#   "opentelemetry-exporter-otlp-proto-http==1.45.2",
# ]
# [tool.recording]
# scenarios = ["chat_en", "stream_en", "agent", "cached_prompt", "err_429", "embeddings_batch", "rag", "pii_prompt"]
# ///
"""Haystack with content tracing: pipelines of a chat generator, a retriever, an embedder, and an agent."""

from __future__ import annotations

import os

os.environ["HAYSTACK_CONTENT_TRACING_ENABLED"] = "true"

from haystack import Document, Pipeline, tracing
from haystack.components.agents import Agent
from haystack.components.embedders import OpenAIDocumentEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tools import Tool
from haystack_integrations.tracing.opentelemetry import OpenTelemetryTracer
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from scenario import SCENARIO, tool

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracing.enable_tracing(OpenTelemetryTracer(trace.get_tracer("haystack")))


def generator() -> OpenAIChatGenerator:
    settings = {key: SCENARIO[key] for key in ("temperature", "max_tokens") if key in SCENARIO}
    stream = (lambda _chunk: None) if SCENARIO.get("stream") else None
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return OpenAIChatGenerator(
        model="gpt-4o-mini", max_retries=0, streaming_callback=stream, generation_kwargs={**settings, **options}
    )


def asked(context: str = "") -> list[ChatMessage]:
    system = context or SCENARIO.get("system")
    return [*([ChatMessage.from_system(system)] if system else []), ChatMessage.from_user(SCENARIO["prompt"])]


def chat() -> None:
    pipeline = Pipeline()
    pipeline.add_component("llm", generator())
    pipeline.run({"llm": {"messages": asked()}})


def agent() -> None:
    tools = [
        Tool(entry["name"], entry["description"], entry["parameters"], tool(entry["name"]))
        for entry in SCENARIO["tools"]
    ]
    pipeline = Pipeline()
    pipeline.add_component("clerk", Agent(chat_generator=generator(), tools=tools, system_prompt=SCENARIO["system"]))
    pipeline.run({"clerk": {"messages": [ChatMessage.from_user(SCENARIO["prompt"])]}})


def embed() -> None:
    pipeline = Pipeline()
    pipeline.add_component("embedder", OpenAIDocumentEmbedder(model="text-embedding-3-small", progress_bar=False))
    pipeline.run({"embedder": {"documents": [Document(content=text) for text in SCENARIO["inputs"]]}})


def rag() -> None:
    store = InMemoryDocumentStore()
    store.write_documents([Document(content=text) for text in SCENARIO["documents"]])
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=2))
    found = pipeline.run({"retriever": {"query": SCENARIO["prompt"]}})["retriever"]["documents"]
    second = Pipeline()
    second.add_component("llm", generator())
    second.run({"llm": {"messages": asked("\n".join(document.content for document in found))}})


try:
    {"agent": agent, "embeddings": embed, "rag": rag}.get(SCENARIO.get("kind", "chat"), chat)()
finally:
    provider.force_flush()
