"""Sending recordings: in order, again after a refusal, an error when a request is not taken."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from pipeline.errors import DeliveryError
from processors.demo import replay
from processors.demo.backend import grpc_backend
from processors.demo.recordings import Export

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORTS = [Export("logs", "application/json", b"{}", 1), Export("traces", "application/x-protobuf", b"ab", 2)]


@contextlib.contextmanager
def server(answers: list[int]) -> Iterator[tuple[int, list[tuple[str, str, bytes]]]]:
    """An HTTP server that answers with these status codes in turn, then 200; yields its port and what it got."""
    got: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["content-type"], body))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"text")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http_server.serve_forever)
    thread.start()
    try:
        yield http_server.server_port, got
    finally:
        http_server.shutdown()
        thread.join()
        http_server.server_close()


def test_requests_go_in_order_to_the_path_of_their_signal() -> None:
    with server([]) as (port, got), replay.Sender(port) as sender:
        sender.send(EXPORTS)
    assert got == [("/v1/logs", "application/json", b"{}"), ("/v1/traces", "application/x-protobuf", b"ab")]


def test_a_refused_request_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_PAUSE_S", 0)
    with server([503, 429]) as (port, got), replay.Sender(port) as sender:
        sender.send(EXPORTS)
    assert [path for path, _, _ in got] == ["/v1/logs"] * 3 + ["/v1/traces"]


def test_a_request_that_is_never_taken_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_PAUSE_S", 0)
    with server([400]) as (port, _), replay.Sender(port) as sender, pytest.raises(DeliveryError, match="400: text"):
        sender.send(EXPORTS)
    with server([503] * 50) as (port, got), replay.Sender(port) as sender, pytest.raises(DeliveryError, match="503"):
        sender.send(EXPORTS)
    assert len(got) == 20


@pytest.mark.parametrize(
    ("service", "signal"), [("trace.v1.Trace", "traces"), ("logs.v1.Logs", "logs"), ("metrics.v1.Metrics", "metrics")]
)
def test_backend_hands_over_the_very_bytes(service: str, signal: str) -> None:
    taken: list[tuple[str, bytes]] = []
    with (
        grpc_backend(lambda name, body: taken.append((name, body))) as port,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        export = channel.unary_unary(f"/opentelemetry.proto.collector.{service}Service/Export", bytes, bytes)
        assert export(b"\xff\x00", timeout=10) == b""
    assert taken == [(signal, b"\xff\x00")]
