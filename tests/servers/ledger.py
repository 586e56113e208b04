"""Who was promised what: spans by id, as a client sent them, as it was answered, and as they arrived."""

from __future__ import annotations

import contextlib
import itertools
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent import futures

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
_EXPORT = f"/{SERVICE}/Export"
_CHANNEL_OPTIONS = [
    ("grpc.enable_retries", 0),
    # each client has a connection of its own
    ("grpc.use_local_subchannel_pool", 1),
    # a server that was restarted is found again at once
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]
_next_id = itertools.count(1)


class Sink:
    """A backend on a port of its own that can go away and come back, and remembers every span id."""

    def __init__(self, port: int, *, threads: int = 2, max_request_bytes: int = 4 << 20) -> None:
        """On this port of 127.0.0.1; `threads` requests are worked on at a time."""
        self.port = port
        self._threads = threads
        self._options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", max_request_bytes)]
        self.arrived: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._server: grpc.Server | None = None

    def up(self) -> None:
        server = grpc.server(futures.ThreadPoolExecutor(self._threads), options=self._options)
        handler = grpc.unary_unary_rpc_method_handler(self._take)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})])
        server.add_insecure_port(f"127.0.0.1:{self.port}")
        server.start()
        self._server = server

    def down(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None

    def _take(self, body: bytes, _context: grpc.ServicerContext) -> bytes:
        ids = span_ids(body)
        with self._lock:
            self.arrived.update(ids)
        return b""


@contextlib.contextmanager
def sink(port: int) -> Iterator[Sink]:
    """A running sink."""
    running = Sink(port)
    running.up()
    try:
        yield running
    finally:
        running.down()


def span_ids(body: bytes) -> list[int]:
    """The span ids of a trace request, as numbers."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        int.from_bytes(span.span_id, "big")
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def series(page: int, name: str) -> float:
    """The sum of a metric over all its series."""
    with urllib.request.urlopen(f"http://127.0.0.1:{page}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))


def new_request(spans: int, text_bytes: int) -> tuple[bytes, list[int]]:
    """A trace request of spans whose ids never repeat in this process, and the ids. Traces are of one span each."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    text = "x" * text_bytes
    ids = [next(_next_id) for _ in range(spans)]
    for number in ids:
        span = scope.spans.add(trace_id=number.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name="s")
        span.attributes.add(key="text").value.string_value = text
    return request.SerializeToString(), ids


class Client:
    """Sends requests of spans with ids that never repeat and writes down how each was answered."""

    def __init__(self, endpoint: str, *, spans: int = 10, text_bytes: int = 200) -> None:
        self._spans = spans
        self._text_bytes = text_bytes
        self._channel = grpc.insecure_channel(endpoint, options=_CHANNEL_OPTIONS)
        self._export = self._channel.unary_unary(_EXPORT, bytes, bytes)
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.codes: Counter[grpc.StatusCode] = Counter()

    def send(self, timeout_s: float = 30.0, *, spans: int = 0) -> bool:
        """Send one request, of this many spans if given; True when it was acknowledged."""
        body, ids = new_request(spans or self._spans, self._text_bytes)
        self.sent.update(ids)
        try:
            self._export(body, timeout=timeout_s)
        except grpc.RpcError as error:
            self.codes[error.code()] += 1
            return False
        self.acknowledged.update(ids)
        self.codes[grpc.StatusCode.OK] += 1
        return True

    def close(self) -> None:
        self._channel.close()
