"""The `service` section."""

from __future__ import annotations

import pytest

from pipeline.config.service import TelemetryConfig
from tests.unit.config.fakes import MINIMAL, Loader, Problems


def telemetry(load_text: Loader, text: str) -> TelemetryConfig:
    return load_text(MINIMAL, f"service: {{telemetry: {text}}}").service.telemetry


def test_logs(load_text: Loader) -> None:
    logs = telemetry(
        load_text,
        "{logs: {level: WARN, encoding: json, disable_caller: true, disable_stacktrace: true,"
        " sampling: {enabled: false, tick: 1s, initial: 1, thereafter: 0}, output_paths: [stdout, a.log],"
        " initial_fields: {team: x, n: 1}, processors: [{batch: {schedule_delay: 100, max_queue_size: 10,"
        " exporter: {otlp: {protocol: http/protobuf, endpoint: 'http://x'}}}}]}}",
    ).logs
    assert (logs.level, logs.encoding, logs.disable_caller, logs.disable_stacktrace) == ("warn", "json", True, True)
    assert logs.sampling is not None
    assert (logs.sampling.enabled, logs.sampling.tick, logs.sampling.thereafter) == (False, 1.0, 0)
    assert logs.output_paths == ["stdout", "a.log"]
    assert logs.initial_fields == {"team": "x", "n": 1}
    batch = logs.processors[0].batch
    assert (batch.schedule_delay, batch.max_queue_size) == (100, 10)
    assert batch.exporter.otlp is not None


def test_metrics_readers(load_text: Loader) -> None:
    metrics = telemetry(
        load_text,
        "{metrics: {level: Detailed, readers: ["
        "{pull: {exporter: {prometheus: {host: 0.0.0.0, port: 0, without_scope_info: true}}}},"
        "{periodic: {interval: 1000, timeout: 5, exporter: {otlp: {protocol: grpc, endpoint: 'x:1', insecure: true,"
        " headers: [{name: a, value: b}], compression: gzip}}}}]}}",
    ).metrics
    assert metrics.level == "detailed"
    page, push = metrics.readers
    assert page.pull is not None
    assert page.pull.exporter.prometheus.without_scope_info
    assert not page.pull.exporter.prometheus.without_units
    assert push.periodic is not None
    assert push.periodic.exporter.otlp is not None
    assert push.periodic.exporter.otlp.headers["a"].get_secret_value() == "b"


def test_resource_as_map_and_as_list(load_text: Loader) -> None:
    assert telemetry(load_text, "{resource: {a.b: x, service.name: }}").resource == {"a.b": "x", "service.name": None}
    listed = "{resource: {attributes: [{name: a.b, value: x}], schema_url: u}}"
    assert telemetry(load_text, listed).resource == {"a.b": "x"}
    assert telemetry(load_text, "{resource: }").resource == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{logs: {level: loud}}", "logs::level: expected one of debug, info, warn, error"),
        ("{logs: {development: true}}", "logs::development: not supported"),
        ("{logs: {error_output_paths: [x]}}", "logs::error_output_paths: not supported"),
        ("{metrics: {address: x}}", "removed from the Collector in v0.123"),
        ("{metrics: {views: [{}]}}", "metrics::views: not supported"),
        ("{metrics: {readers: []}}", "metrics reader should exist when metric level is not none"),
        ("{metrics: {readers: [{}]}}", "a reader is one of pull, periodic"),
        ("{metrics: {readers: [{periodic: {exporter: {console: {}}}}]}}", "not supported: read the metrics page"),
        ("{metrics: {readers: [{periodic: {exporter: {}}}]}}", "name an exporter: otlp"),
        ("{traces: {level: basic}}", "Penstock does not trace itself"),
        ("{resource: {n: 1}}", "service::telemetry::resource::n"),
        ("{nothing: 1}", 'unknown key "nothing"'),
    ],
)
def test_problems(problems_of: Problems, text: str, expected: str) -> None:
    problems = problems_of(f"service: {{telemetry: {text}}}")
    assert any(expected in problem for problem in problems), problems


def test_harmless_values_of_refused_keys_pass(load_text: Loader) -> None:
    text = "{logs: {development: false, error_output_paths: [stderr]}, traces: {level: none}, metrics: {views: []}}"
    assert telemetry(load_text, text).logs.level == "info"


def test_level_none_needs_no_reader(load_text: Loader) -> None:
    assert telemetry(load_text, "{metrics: {level: none, readers: []}}").metrics.readers == []


@pytest.mark.parametrize("place", ["tenant.id", "resource", "auth.", "x"])
def test_tenant_places(problems_of: Problems, place: str) -> None:
    assert "expected auth.X, metadata.X or resource.X" in problems_of(f"service: {{tenant_from: ['{place}']}}")[0]
