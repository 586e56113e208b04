"""Runs a driver scenario by scenario and writes what came: `<scenario>.<signal>.binpb` and `<scenario>.truth.json`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pipeline.signals import Signal, otlp_json
from tests.recording.driver import Driver
from tests.recording.provider import Provider, running_provider
from tests.recording.scenarios import Scenario
from tests.recording.scrub import scrubbed
from tests.recording.sink import Body, running_sink

_TIMEOUT_S: Final = 180
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_TELEMETRY_OFF: Final = {
    "DO_NOT_TRACK": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "ANONYMIZED_TELEMETRY": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What libraries would tell their makers."""
_ITEMS: Final = {
    Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
    Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
    Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
}
"""Fields of a request down to its items."""


def record(
    driver: Driver, scenarios: list[Scenario], folder: Path, settings: Mapping[str, str] = _NOTHING
) -> Iterator[str]:
    """Record scenarios into a folder, with settings in the environment; yields a line about each."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_provider() as (provider, url), running_sink() as (sink, http, grpc):
        environment = _environment(url, http, grpc) | driver.environment() | dict(settings)
        for scenario in scenarios:
            plan = provider.begin(scenario.answers)
            sink.take()
            started = time.time_ns()
            said = _run(driver, scenario, environment)
            truth = scenario.truth() | {
                "provider": provider.requests[0]["provider"] if provider.requests else None,
                "dialect": folder.name,
                "scenario": scenario.name,
                "started_unix_ns": started,
                "ended_unix_ns": time.time_ns(),
                "client_error": said,
                "unused_plans": plan.unused,
            }
            bodies = [_neutral(body, driver) for body in sink.take()]
            yield _write(folder, scenario.name, truth, bodies, provider)


def _environment(provider: str, http: str, grpc: str) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "SSL_CERT_FILE") if key in os.environ}
    return (
        kept
        | _TELEMETRY_OFF
        | {
            "RECORDING_PROVIDER_URL": provider,
            "RECORDING_OTLP_HTTP": http,
            "RECORDING_OTLP_GRPC": grpc,
            "OPENAI_BASE_URL": f"{provider}/v1",
            "OPENAI_API_BASE": f"{provider}/v1",
            "OPENAI_API_KEY": "sk-none",
            "ANTHROPIC_BASE_URL": provider,
            "ANTHROPIC_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": provider,
            "GEMINI_API_KEY": "none",
            "GOOGLE_API_KEY": "none",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": provider,
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_REGION": "eu-central-1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": "recording",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "PYTHONUNBUFFERED": "1",
        }
    )


def _run(driver: Driver, scenario: Scenario, environment: dict[str, str]) -> str | None:
    """Run the driver; its last words where it failed."""
    ran = subprocess.run(
        driver.command(),
        env={**environment, "RECORDING_SCENARIO": scenario.for_driver()},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        cwd=driver.folder,
    )
    if ran.returncode == 0:
        return None
    if not scenario.truth()["expect_error"]:
        sys.stderr.write(ran.stderr)
    lines = ran.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {ran.returncode}"


def _neutral(body: Body, driver: Driver) -> Body:
    names = driver.folders()
    return Body(**{**asdict(body), "data": scrubbed(body.signal, body.data, body.content_type, names)})


def _write(folder: Path, name: str, truth: dict[str, Any], bodies: list[Body], provider: Provider) -> str:
    for old in folder.glob(f"{name}.*"):
        old.unlink()
    parts: dict[str, list[dict[str, Any]]] = {}
    counts = Counter[str]()
    for body in bodies:
        is_json = body.content_type == "application/json"
        file = folder / f"{name}.{body.signal}.{'otlp.jsonl' if is_json else 'binpb'}"
        offset = file.stat().st_size if file.exists() else 0
        with file.open("ab") as stream:
            stream.write(body.data + (b"\n" if is_json else b""))
        entry = {key: value for key, value in asdict(body).items() if key not in {"signal", "data"} and value}
        parts.setdefault(file.name, []).append({"offset": offset, "length": len(body.data), **entry})
        counts[_ITEMS[Signal(body.signal)][2]] += _items(body)
    full = {**truth, "bodies": parts, "counts": dict(counts), "requests": provider.requests}
    (folder / f"{name}.truth.json").write_text(_json(full), encoding="utf-8")
    error = f", ended with: {truth['client_error']}" if truth["client_error"] else ""
    return f"{name}: {len(provider.requests)} requests, {dict(counts)}{error}"


def _items(body: Body) -> int:
    signal = Signal(body.signal)
    if body.content_type == "application/json":
        message = otlp_json.decode(signal, body.data)
    else:
        message = signal.request_class.FromString(body.data)
    groups, scopes, items = _ITEMS[signal]
    return sum(len(getattr(scope, items)) for group in getattr(message, groups) for scope in getattr(group, scopes))


def _json(truth: dict[str, Any]) -> str:
    """One request a line."""
    requests = ",\n".join(json.dumps(entry) for entry in truth["requests"])
    head = json.dumps({key: value for key, value in truth.items() if key != "requests"})
    return f'{head[:-1]}, "requests": [\n{requests}\n]}}\n'
