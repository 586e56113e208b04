"""A cheap OTLP/gRPC backend in a process of its own: counts spans and answers.

`python -m tests.benchmarks.sink` prints its port; then, for each line it reads, the number of spans it has taken.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent import futures
from typing import TYPE_CHECKING, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from types import TracebackType

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Sink:
    """The sink as its parent sees it."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate("")

    def spans(self) -> int:
        """Spans taken since the sink began."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def wait_for(self, spans: int, timeout_s: float = 120) -> None:
        """Return when so many spans have been taken; raises TimeoutError when there was no progress for `timeout_s`."""
        seen, since = -1, time.monotonic()
        while (now := self.spans()) < spans:
            if now != seen:
                seen, since = now, time.monotonic()
            if time.monotonic() - since > timeout_s:
                raise TimeoutError(f"{now} of {spans} spans arrived")
            time.sleep(0.02)

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def main() -> None:
    """Serve until standard input is closed."""
    spans = 0

    def export(body: bytes, _context: grpc.ServicerContext) -> bytes:
        nonlocal spans
        request = ExportTraceServiceRequest.FromString(body)
        spans += sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
        return b""

    # One worker: the counter then needs no lock.
    server = grpc.server(futures.ThreadPoolExecutor(1), options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    for _ in sys.stdin:
        print(spans, flush=True)
    server.stop(0).wait()


if __name__ == "__main__":
    main()
