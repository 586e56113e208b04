"""A relay for remote write that misbehaves as it is told, and remembers what went over the wire."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Literal

Action = Literal["pass", "hang", "lose", 400, 429, 500, 503]
"""`hang` passes the request on and keeps the answer; `lose` does neither."""
_MAX_HANG_S: Final = 60.0


@dataclass
class Sent:
    """A request on the wire; status 0: no answer."""

    body: bytes
    action: Action
    status: int = 0


@dataclass
class Relay:
    """A running relay.

    Attributes:
        url: where to write to.
        target: URL of the backend; empty: none, requests are taken and kept.
        script: what to do with a request, by its number and body.
        sent: all requests in the order in which they came.
    """

    url: str = ""
    target: str = ""
    script: Callable[[int, bytes], Action] = lambda _number, _body: "pass"
    sent: list[Sent] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        with self._lock:
            sent = Sent(body, self.script(len(self.sent), body))
            self.sent.append(sent)
        if isinstance(sent.action, int):
            sent.status = sent.action
            return sent.action, b"told so"
        status, said = (0, b"") if sent.action == "lose" else self._pass_on(path, body, headers)
        if sent.action != "pass":
            self.over.wait(_MAX_HANG_S)
            return None
        sent.status = status
        return status, said

    def _pass_on(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        if not self.target:
            return 204, b""
        request = urllib.request.Request(self.target + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return 502, b"away"


@contextlib.contextmanager
def remote_write_relay(target: str = "", *, port: int = 0) -> Iterator[Relay]:
    """A relay to `target` on a free port of 127.0.0.1, unless one is given."""
    relay = Relay(target=target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            wanted = ("content-type", "content-encoding", "x-prometheus-remote-write-version", "user-agent")
            answer = relay.answer(self.path, body, {name: self.headers[name] for name in wanted})
            if answer is None:
                self.close_connection = True
                return
            status, said = answer
            self.send_response(status)
            self.send_header("content-length", str(len(said) if status != 204 else 0))
            if status == 429:
                self.send_header("retry-after", "0")
            self.end_headers()
            if status != 204:
                self.wfile.write(said)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Nothing: the test has the requests."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    relay.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
