"""An OTLP backend that keeps the very bytes it was sent, over gRPC and HTTP, to compare with what went in."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from processors.demo.backend import grpc_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Backend:
    """What has arrived: protobuf request bodies by signal, in order of arrival."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {signal: [] for signal in ("traces", "logs", "metrics")}
        self.grpc_port = 0
        self.http_port = 0
        self._arrived = threading.Condition()

    def take(self, signal: str, body: bytes) -> None:
        with self._arrived:
            self.bodies[signal].append(body)
            self._arrived.notify_all()

    def wait(self, signal: str, enough: Callable[[list[bytes]], bool], timeout_s: float = 20) -> list[bytes]:
        """The bodies of `signal` as soon as `enough(bodies)`; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        with self._arrived:
            while not enough(self.bodies[signal]):
                if not self._arrived.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"{len(self.bodies[signal])} {signal} requests after {timeout_s:.0f} s")
            return list(self.bodies[signal])

    def behind(self, port: int, signal: str, body: bytes) -> list[bytes]:
        """What arrives for one request to a collector in front, over OTLP/HTTP on a port of this machine."""
        before = len(self.bodies[signal])
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/{signal}",
            data=body,
            headers={"content-type": "application/x-protobuf"},
        )
        with urllib.request.urlopen(request, timeout=20):
            return self.wait(signal, lambda bodies: len(bodies) > before)[before:]


def _http_handler(backend: Backend) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            backend.take(self.path.removeprefix("/v1/"), body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Tests read `bodies`, not a log."""

    return Handler


@contextlib.contextmanager
def otlp_backend() -> Iterator[Backend]:
    """A backend listening on two free ports of 127.0.0.1: `grpc_port` and `http_port`."""
    backend = Backend()
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), _http_handler(backend))
    backend.http_port = http_server.server_port
    thread = threading.Thread(target=http_server.serve_forever, name="otlp backend")
    with grpc_backend(backend.take) as backend.grpc_port:
        thread.start()
        try:
            yield backend
        finally:
            http_server.shutdown()
            thread.join()
            http_server.server_close()
