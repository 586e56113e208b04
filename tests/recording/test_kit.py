"""The kit itself: the provider as its real clients see it, what is noted of it, and what is kept of telemetry."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.recordings import load
from tests.recording.answers import Answer, ToolCall
from tests.recording.driver import Driver, drivers
from tests.recording.provider import running_provider
from tests.recording.recorder import record
from tests.recording.scenarios import load_scenarios
from tests.recording.scrub import scrubbed

CALL = Answer(tool_calls=(ToolCall("get_weather", {"city": "Vienna"}),))
ANSWER = Answer(text="Rain falls until noon, so take an umbrella.", cached_tokens=64, reasoning_tokens=32)
MESSAGES: Any = [{"role": "user", "content": "Do I need an umbrella?"}]


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        data = response.read()
        return json.loads(data) if "json" in response.headers["Content-Type"] else data


def test_openai_clients_get_text_tools_streams_and_errors() -> None:
    with running_provider() as (provider, url):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        provider.begin([CALL, ANSWER, Answer(error=429, message="slow down")])
        first = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert first.choices[0].message.tool_calls
        options: Any = {"include_usage": True}
        chunks = list(
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options=options)
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == ANSWER.text
        with pytest.raises(openai.RateLimitError, match="slow down"):
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        client.close()
    noted = provider.requests
    assert [entry["status"] for entry in noted] == [200, 200, 429]
    assert chunks[-1].usage is not None
    assert noted[1]["usage"]["output_tokens"] == chunks[-1].usage.completion_tokens
    assert noted[1]["timing"]["first_content_s"] > 0
    assert noted[0]["tool_calls"] == [{"name": "get_weather", "arguments": {"city": "Vienna"}}]


def test_openai_responses_stream_ends_with_the_whole_response() -> None:
    with running_provider() as (provider, url):
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        provider.begin([ANSWER])
        events = list(client.responses.create(model="gpt-4.1", input="Do I need an umbrella?", stream=True))
        client.close()
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == ANSWER.text
    assert provider.requests[0]["api"] == "responses"


def test_anthropic_counts_without_the_cache_and_the_truth_with_it() -> None:
    with running_provider() as (provider, url):
        provider.begin([ANSWER])
        body = post(f"{url}/v1/messages", {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": MESSAGES})
    usage = provider.requests[0]["usage"]
    assert body["usage"]["input_tokens"] + body["usage"]["cache_read_input_tokens"] == usage["input_tokens"]
    assert usage["wire_input_tokens"] == body["usage"]["input_tokens"]
    assert body["stop_reason"] == "end_turn"


def test_gemini_counts_without_thoughts_and_the_truth_with_them() -> None:
    asked = {"contents": [{"role": "user", "parts": [{"text": "Do I need an umbrella?"}]}]}
    with running_provider() as (provider, url):
        provider.begin([ANSWER])
        body = post(f"{url}/v1beta/models/gemini-2.5-flash:generateContent", asked)
    usage, counted = provider.requests[0]["usage"], body["usageMetadata"]
    assert counted["candidatesTokenCount"] + counted["thoughtsTokenCount"] == usage["output_tokens"]
    assert provider.requests[0]["request_model"] == "gemini-2.5-flash"


def test_bedrock_streams_binary_frames() -> None:
    asked = {"messages": [{"role": "user", "content": [{"text": "Do I need an umbrella?"}]}]}
    with running_provider() as (provider, url):
        provider.begin([ANSWER])
        data = post(f"{url}/model/amazon.nova-lite-v1%3A0/converse-stream", asked)
    frames = []
    while data:
        length = int.from_bytes(data[:4], "big")
        frames.append(data[:length])
        data = data[length:]
    assert b"messageStart" in frames[0]
    assert b"metadata" in frames[-1]
    assert provider.requests[0]["request_model"] == "amazon.nova-lite-v1:0"
    assert provider.requests[0]["finish_reason"] == "end_turn"


def test_folders_of_the_machine_are_taken_out_at_any_depth() -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat")
    event = span.events.add(name="exception")
    event.attributes.add(key="exception.stacktrace").value.string_value = 'File "/srv/venv/lib/x.py"'
    event.attributes.add(key="list").value.array_value.values.add().string_value = "/srv/venv"
    clean = scrubbed("traces", request.SerializeToString(), "application/x-protobuf", {"/srv/venv": "/app"})
    assert b"/srv" not in clean
    assert ExportTraceServiceRequest.FromString(clean).resource_spans[0].scope_spans[0].spans[0].name == "chat"


DRIVER = """
import os, urllib.request
from scenario import PROVIDER_URL, messages
import json
body = json.dumps({"model": "gpt-4o-mini", "messages": messages()}).encode()
urllib.request.urlopen(urllib.request.Request(PROVIDER_URL + "/v1/chat/completions", body)).read()
traces = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
urllib.request.urlopen(urllib.request.Request(traces, bytes.fromhex(os.environ["BODY"])))
"""


class LocalDriver(Driver):
    """A driver that needs no package."""

    def command(self) -> list[str]:
        return [sys.executable, "-P", str(self.path)]

    @property
    def folder(self) -> Path:
        return self.path.parent


def test_a_recording_is_one_that_the_demo_can_read(tmp_path: Path) -> None:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="chat")
    path = tmp_path / "local.py"
    body = request.SerializeToString().hex()
    path.write_text(DRIVER.replace('os.environ["BODY"]', f'"{body}"'), encoding="utf-8")
    scenario = load_scenarios()["chat_en"]
    lines = list(record(LocalDriver("local", path, {}), [scenario], tmp_path / "captures" / "local"))
    (recording,) = load(tmp_path / "captures")
    assert lines == ["chat_en: 1 requests, {'spans': 1}"]
    assert recording.truth["requests"][0]["request"]["last_user_text"] == scenario.data["prompt"]
    assert recording.exports()[0].message() == request


def test_a_driver_has_variants_with_settings_and_folders_of_their_own() -> None:
    runs = Driver.load("mlflow").runs()
    assert next(iter(runs)) == "mlflow"
    scenarios, settings = runs["mlflow-genai"]
    assert "stream_en" in scenarios
    assert settings == {"MLFLOW_ENABLE_OTEL_GENAI_SEMCONV": "true"}


@pytest.mark.parametrize("driver", drivers(), ids=lambda driver: driver.name)
def test_drivers_pin_their_packages_and_know_their_scenarios(driver: Driver) -> None:
    known = load_scenarios()
    assert driver.needs.get("dependencies", [])
    for names, _ in driver.runs().values():
        assert names
        assert set(names) <= known.keys()
