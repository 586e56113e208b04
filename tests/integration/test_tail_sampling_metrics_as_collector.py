"""What `tail_sampling` counts by policy, it counts under the Collector's names and with its labels."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.collectors import otelcol, penstock
from tests.servers.processes import free_ports
from tests.support.policy_cases import trace_of

pytestmark = pytest.mark.server

PREFIX: Final = "otelcol_processor_tail_sampling_"
TIME: Final = f"{PREFIX}sampling_policy_execution_time_sum__s_total"
# Behind a gate there, which docs/deviations.md tells of.
GATE: Final = "processor.tailsamplingprocessor.metricstatcountspanssampled"
HEALTH: Final = {
    "name": "route",
    "type": "string_attribute",
    "string_attribute": {"key": "route", "values": ["/health"]},
}
POLICIES: Final = [
    {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
    {"name": "health", "type": "drop", "drop": {"drop_sub_policy": [HEALTH]}},
    {"name": "long", "type": "latency", "latency": {"threshold_ms": 500}},
]
TRACES: Final[list[list[dict[str, Any]]]] = [
    [{}], [{}, {}], [{"status": "ERROR"}, {}], [{"attributes": {"route": "/health"}}], [{"end_ms": 900}],
]  # fmt: skip
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _config(port: int, metrics_port: int) -> dict[str, Any]:
    page = {"host": "127.0.0.1", "port": metrics_port}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {"tail_sampling/eu": {"decision_wait": "1s", "policies": POLICIES}},
        "exporters": {"nop": {}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["tail_sampling/eu"], "exporters": ["nop"]}},
            "telemetry": {"metrics": {"level": "detailed", "readers": [{"pull": {"exporter": {"prometheus": page}}}]}},
        },
    }


def _samples(port: int) -> Samples:
    """Those of policies, and of all together; without the labels that tell components apart."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, _labels(sample.labels)): 0.0 if sample.name == TIME else sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(PREFIX) and ("policy" in sample.labels or "decision" in sample.labels)
    }


def _labels(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((key, value) for key, value in labels.items() if key in ("policy", "decision", "sampled"))


def _counted(start: Callable[..., Any], folder: Path, **more: Any) -> Samples:
    port, metrics_port = free_ports(2)
    request = ExportTraceServiceRequest()
    for number, spans in enumerate(TRACES, start=1):
        request.resource_spans.extend(trace_of(bytes([number] * 16), spans).resource_spans)
    with start(_config(port, metrics_port), folder, ports=[port], **more) as server:
        url = f"http://127.0.0.1:{port}/v1/traces"
        body = urllib.request.Request(url, request.SerializeToString(), {"content-type": "application/x-protobuf"})
        urllib.request.urlopen(body, timeout=20).close()
        found: Samples = {}

        def decided() -> bool:
            found.update(_samples(metrics_port))
            time.sleep(0.05)
            total = f"{PREFIX}global_count_traces_sampled_total"
            return sum(value for (name, _), value in found.items() if name == total) == len(TRACES)

        server.wait_until(decided)
        return {key: value for key, value in _samples(metrics_port).items() if value or key[0] == TIME}


def test_same_names_labels_and_counts(tmp_path: Path) -> None:
    theirs = _counted(otelcol, tmp_path / "otelcol", gates=[GATE])
    ours = _counted(penstock, tmp_path / "penstock")
    assert ours == theirs
    assert {name.removeprefix(PREFIX) for name, _ in ours} == {
        "count_spans_sampled_total",
        "count_traces_sampled_total",
        "global_count_traces_sampled_total",
        "sampling_policy_execution_count_total",
        "sampling_policy_execution_time_sum__s_total",
    }
