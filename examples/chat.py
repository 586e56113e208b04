"""A real OpenAI client, instrumented with OpenLLMetry, that reports to the collector on localhost.

    python -m examples.chat

Start `penstock demo` (or `penstock --config configs/quickstart.yaml`) first. No key is needed: a stand-in for the
provider is part of the example. `OTEL_EXPORTER_OTLP_ENDPOINT` names another collector than http://localhost:4318.
"""

from __future__ import annotations

from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from examples.fake_provider import fake_provider

QUESTION = "Please tell max.muster@example.org that his card 4242 4242 4242 4242 was refunded, and copy 203.0.113.42."


def main() -> None:
    """Ask once and wait for the whole answer, ask again and stream it."""
    provider = TracerProvider(resource=Resource.create({"service.name": "examples-chat"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    with fake_provider() as base_url:
        client = OpenAI(base_url=base_url, api_key="not-needed")
        answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": QUESTION}])
        print(answer.choices[0].message.content)
        for chunk in client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        ):
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="")
        print()
    provider.shutdown()


if __name__ == "__main__":
    main()
