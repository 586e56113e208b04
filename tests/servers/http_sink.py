"""An HTTP server on loopback that keeps what it gets and answers as it is told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


class HttpSink:
    """What it got, and what it is to answer: status and body in turn, then 200 with nothing."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Got] = []
        self.answers: list[tuple[int, bytes]] = []

    def wait_for(self, count: int, timeout_s: float = 60) -> bool:
        """Whether so many requests have come, in the end."""
        end_s = time.monotonic() + timeout_s
        while len(self.requests) < count and time.monotonic() < end_s:
            time.sleep(0.02)
        return len(self.requests) >= count


@contextlib.contextmanager
def http_sink() -> Iterator[HttpSink]:
    """A server on a free port of 127.0.0.1."""
    sink = HttpSink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sink.requests.append(Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, text = sink.answers.pop(0) if sink.answers else (200, b"")
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
