"""`attributes` and `resource` change the same telemetry in the same way as the real Collector's, case by case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Batch, Context, Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import from_key_values, set_any_value
from pipeline.testing import make_host
from processors.attributes import AttributesProcessor
from processors.resource import ResourceProcessor
from tests.servers.backend import otlp_backend
from tests.servers.collectors import ROOT, otelcol
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.backend import Backend

pytestmark = pytest.mark.server

CASES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "data" / "attributes" / "cases.yaml").read_text(encoding="utf-8")
)
CASE_KEY = "case"
HEADERS = {"x-tenant": ("one", "two"), "x-empty": ("",)}
VALUES: dict[str, Any] = {
    "text": "Ünï-42", "empty": "", "int": 42, "negative": -7, "zero": 0, "double": 2.5, "whole": 3.0, "tiny": 1.5e-7,
    "huge": 1e21, "nan": float("nan"), "inf": float("inf"), "true": True, "false": False, "bytes": b"\x00\x01",
    "list": ["a", 1], "map": {"k": "v"}, "unset": None, "digits": "17", "signed": "+5", "spaced": " 5", "float": "2.75",
    "hex": "0x1F", "big": "99999999999999999999", "underscored": "1_000", "exponent": "1e3", "words": "nan",
    "user.name": "ann", "user.mail": "ann@example.com", "path": "/shop/cart/17?x=1", "multi": "first\nsecond\n",
    "infinity": "Infinity", "hexfloat": "0x1p-2", "overflow": "1e400",
}  # fmt: skip


def _fill(pairs: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        set_any_value(pairs.add(key=key).value, value)


def _requests() -> dict[Signal, Any]:
    traces, logs, metrics = ExportTraceServiceRequest(), ExportLogsServiceRequest(), ExportMetricsServiceRequest()
    for service in ("shop", "till", None):
        resource = {"host": "h1", "n": 1} | ({} if service is None else {"service.name": service})
        for request, field in ((traces, "resource_spans"), (logs, "resource_logs"), (metrics, "resource_metrics")):
            group = getattr(request, field).add()
            _fill(group.resource.attributes, resource)
        _add_spans(traces.resource_spans[-1])
        _add_logs(logs.resource_logs[-1])
        _add_points(metrics.resource_metrics[-1])
    return {Signal.TRACES: traces, Signal.LOGS: logs, Signal.METRICS: metrics}


def _add_spans(group: Any) -> None:
    for scope_name, version in (("lib", "1.0"), ("lib", "2.0"), ("other", "")):
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = scope_name, version
        for index, (name, kind) in enumerate((("chat gpt-4o", 3), ("chat", 1), ("embed", 0), ("a\n", 2)), 1):
            span = scope.spans.add(trace_id=b"\1" * 16, span_id=bytes([index] * 8), name=name, kind=kind)
            _fill(span.attributes, VALUES if index == 1 else {"text": name, "int": index, "true": index == 2})


def _add_logs(group: Any) -> None:
    scope = group.scope_logs.add()
    scope.scope.name = "lib"
    for number, text, body in ((0, "", "hello"), (5, "debug", 17), (9, "INFO", "hello world"), (17, "ERROR", {"a": 1})):
        record = scope.log_records.add(severity_number=number, severity_text=text)
        set_any_value(record.body, body)
        _fill(record.attributes, {"text": text, "int": number})


def _add_points(group: Any) -> None:
    scope = group.scope_metrics.add()
    for name in ("requests", "requests.total", "latency"):
        metric = scope.metrics.add(name=name)
        for index in (1, 2):
            _fill(metric.gauge.data_points.add(as_int=index).attributes, {"text": name, "int": index})


def _signal(case: dict[str, Any]) -> Signal:
    return Signal(case.get("signal", "traces"))


def _collector_config(grpc_port: int, backend: Backend) -> dict[str, Any]:
    processors: dict[str, Any] = {}
    pipelines: dict[str, Any] = {}
    for name, case in CASES.items():
        kind = "resource" if "attributes" in case["config"] else "attributes"
        processors[f"{kind}/{name}"] = case["config"]
        processors[f"resource/mark-{name}"] = {
            "attributes": [{"key": CASE_KEY, "value": name, "action": "upsert"}],
        }
        pipelines[f"{_signal(case).value}/{name}"] = {
            "receivers": ["otlp"],
            "processors": [f"{kind}/{name}", f"resource/mark-{name}"],
            "exporters": ["otlp_grpc"],
        }
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc_port}", "include_metadata": True}}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": processors,
        "exporters": {"otlp_grpc": {"endpoint": f"127.0.0.1:{backend.grpc_port}", "tls": {"insecure": True}}},
        "service": {"pipelines": pipelines},
    }


def _send(port: int, requests: dict[Signal, Any]) -> None:
    import grpc

    methods = {
        Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
    metadata = tuple((key, value) for key, values in HEADERS.items() for value in values)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for signal, request in requests.items():
            call = channel.unary_unary(methods[signal], bytes, bytes)
            call(request.SerializeToString(), metadata=metadata, timeout=10)


def _seen(signal: Signal, body: bytes) -> list[Any]:
    """All attributes of a request in its order, with types: resource, then records."""
    rows: list[Any] = []
    for resource in parse(signal, body).resources():
        rows.append(_typed(resource.pb.attributes))
        rows.extend(_typed(record.pb.attributes) for scope in resource.scopes for record in scope.records)
    return rows


def _typed(pairs: Any) -> dict[str, str]:
    values = from_key_values(pairs)
    values.pop(CASE_KEY, None)
    return {key: f"{type(value).__name__} {value!r}" for key, value in sorted(values.items())}


def _differences(ours: dict[str, str], theirs: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    keys = ours.keys() | theirs.keys()
    return {key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Any]]]:
    """What the real Collector makes of each case."""
    (port,) = free_ports(1)
    with (
        otlp_backend() as backend,
        otelcol(_collector_config(port, backend), tmp_path_factory.mktemp("otelcol"), ports=[port]),
    ):
        _send(port, _requests())
        found: dict[str, list[Any]] = {}
        for signal in Signal:
            expected = sum(_signal(case) is signal for case in CASES.values())
            for body in backend.wait(signal.value, lambda bodies, count=expected: len(bodies) >= count):  # type: ignore[misc]  # the default binds it
                marks = from_key_values(parse(signal, body).resources()[0].pb.attributes)
                found[str(marks[CASE_KEY])] = _seen(signal, body)
        yield found


@pytest.mark.parametrize("name", CASES)
def test_case(real: dict[str, list[Any]], name: str) -> None:
    case = CASES[name]
    signal = _signal(case)
    batch: Batch = parse(signal, _requests()[signal].SerializeToString(), Context(metadata=HEADERS, peer="127.0.0.1"))
    component: Any = ResourceProcessor if "attributes" in case["config"] else AttributesProcessor
    processor = component(component.Config.model_validate(case["config"]), make_host(f"attributes/{name}"))
    assert processor.process(batch) is batch
    ours, theirs = _seen(signal, batch.serialize()), real[name]
    assert len(ours) == len(theirs)
    assert [_differences(*pair) for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []
