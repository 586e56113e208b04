"""A collector that passes everything on to the backend of the test, and what is compared behind it."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.collectors import otelcol, penstock
from tests.servers.processes import Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.servers.backend import Backend

SIGNALS = ("traces", "logs", "metrics")
COLLECTORS: Mapping[str, Callable[..., contextlib.AbstractContextManager[Server]]] = {
    "penstock": penstock,
    "otelcol": otelcol,
}


@dataclass(frozen=True, slots=True)
class Relay:
    """Where a relay listens, and its process."""

    grpc_port: int
    http_port: int
    server: Server

    @property
    def grpc(self) -> str:
        """Endpoint for gRPC clients."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def http(self) -> str:
        """Base URL for HTTP clients."""
        return f"http://127.0.0.1:{self.http_port}"


def configuration(
    grpc_port: int, http_port: int, backend: Backend, processors: Mapping[str, Any], **exporter: Any
) -> dict[str, Any]:
    """OTLP in, the processors, OTLP/gRPC out; `exporter` holds further keys of the exporter."""
    protocols = {"grpc": {"endpoint": f"127.0.0.1:{grpc_port}"}, "http": {"endpoint": f"127.0.0.1:{http_port}"}}
    out = {"endpoint": f"127.0.0.1:{backend.grpc_port}", "tls": {"insecure": True}, **exporter}
    pipeline = {"receivers": ["otlp"], "processors": list(processors), "exporters": ["otlp"]}
    return {
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": dict(processors),
        "exporters": {"otlp": out},
        "service": {"pipelines": {signal: dict(pipeline) for signal in SIGNALS}},
    }


@contextlib.contextmanager
def relay(
    collector: str, folder: Path, backend: Backend, processors: Mapping[str, Any] | None = None, **exporter: Any
) -> Iterator[Relay]:
    """Run `collector` (penstock or otelcol) as a relay to `backend`."""
    grpc_port, http_port = free_ports(2)
    config = configuration(grpc_port, http_port, backend, processors or {}, **exporter)
    with COLLECTORS[collector](config, folder, ports=[grpc_port, http_port]) as server:
        yield Relay(grpc_port, http_port, server)


def span_count(bodies: list[bytes]) -> int:
    """Spans in these trace requests."""
    return sum(span_multiset(bodies).values())


def span_multiset(bodies: list[bytes]) -> Counter[tuple[bytes, bytes, bytes]]:
    """How often each (resource, scope, span) occurs, whatever request and group it stands in."""
    return Counter(
        (group.resource.SerializeToString(deterministic=True), scope.scope.SerializeToString(deterministic=True), raw)
        for body in bodies
        for group in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in group.scope_spans
        for raw in (span.SerializeToString(deterministic=True) for span in scope.spans)
    )
