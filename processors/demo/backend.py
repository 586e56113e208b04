"""A small OTLP/gRPC backend: hands over the very bytes of every export request."""

from __future__ import annotations

import contextlib
from concurrent import futures
from typing import TYPE_CHECKING, Final

import grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SERVICES: Final = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}


@contextlib.contextmanager
def grpc_backend(take: Callable[[str, bytes], object]) -> Iterator[int]:
    """Listen on a free port of 127.0.0.1 and yield it; `take(signal, body)` is called on one thread, in order."""
    server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers([_handler(signal, service, take) for signal, service in _SERVICES.items()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


def _handler(signal: str, service: str, take: Callable[[str, bytes], object]) -> grpc.GenericRpcHandler[bytes, bytes]:
    def export(body: bytes, _context: grpc.ServicerContext) -> bytes:
        take(signal, body)
        return b""

    return grpc.method_handlers_generic_handler(service, {"Export": grpc.unary_unary_rpc_method_handler(export)})
