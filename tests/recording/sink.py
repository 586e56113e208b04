"""A sink for OTLP on 127.0.0.1, over HTTP (protobuf or JSON, plain or gzip) and gRPC: keeps the bodies as they came."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from processors.demo.backend import grpc_backend

_SIGNALS: Final = ("traces", "logs", "metrics")


@dataclass(frozen=True)
class Body:
    """One export request."""

    signal: str
    data: bytes
    received_unix_ns: int
    content_type: str = "application/x-protobuf"
    content_encoding: str = "identity"
    transport: str = "http"
    path: str = ""
    user_agent: str = ""


class Sink:
    """The bodies that arrived since the last `take`."""

    def __init__(self) -> None:
        """Empty."""
        self._bodies: list[Body] = []
        self._lock = threading.Lock()

    def add(self, body: Body) -> None:
        """Keep a body."""
        with self._lock:
            self._bodies.append(body)

    def take(self) -> list[Body]:
        """The bodies so far, which are then forgotten."""
        with self._lock:
            found, self._bodies = self._bodies, []
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def log_message(self, *_args: object) -> None:
        """Nothing goes to the terminal."""

    def do_POST(self) -> None:
        data = self._body()
        encoding = self.headers.get("Content-Encoding") or "identity"
        signal = self.path.rpartition("/")[2]
        if signal in _SIGNALS:
            plain = gzip.decompress(data) if encoding == "gzip" else data
            content_type = (self.headers.get("Content-Type") or "").partition(";")[0]
            agent = self.headers.get("User-Agent") or ""
            self.sink.add(Body(signal, plain, time.time_ns(), content_type, encoding, "http", self.path, agent))
        self._done(200 if signal in _SIGNALS else 404)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def do_GET(self) -> None:
        self._done(404)

    def _done(self, status: int) -> None:
        is_json = (self.headers.get("Content-Type") or "").startswith("application/json")
        data = b"{}" if is_json else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if is_json else "application/x-protobuf")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextlib.contextmanager
def running_sink() -> Iterator[tuple[Sink, str, str]]:
    """A sink on free ports of 127.0.0.1, with its URL for HTTP and for gRPC."""
    sink = Sink()
    handler = type("Handler", (_Handler,), {"sink": sink})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def take(signal: str, data: bytes) -> None:
        sink.add(Body(signal, data, time.time_ns(), transport="grpc"))

    try:
        with grpc_backend(take) as port:
            yield sink, f"http://127.0.0.1:{server.server_port}", f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
