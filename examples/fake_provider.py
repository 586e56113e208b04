"""A stand-in for an LLM provider: speaks enough of the OpenAI chat API for the example and the tests, needs no key."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gpt-4o-mini-2024-07-18"
ANSWER = "Noted. I have written to jane.doe@example.com, and a colleague will call you back within two days."
CHUNK_PAUSE_S = 0.01


def _usage(messages: list[dict[str, Any]]) -> dict[str, int]:
    prompt = sum(len(str(message["content"]).split()) for message in messages) + 4 * len(messages)
    completion = len(ANSWER.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _completion(messages: list[dict[str, Any]]) -> dict[str, Any]:
    message = {"role": "assistant", "content": ANSWER}
    return {
        **_envelope("chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(messages),
    }


def _chunks(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    envelope = _envelope("chat.completion.chunk")
    for word in ANSWER.split():
        delta = {"role": "assistant", "content": f"{word} "}
        yield {**envelope, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**envelope, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**envelope, "choices": [], "usage": _usage(messages)}


def _envelope(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": MODEL}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self._answer(404, {"error": {"message": f"no such path: {self.path}"}})
        elif request.get("stream"):
            self._stream(request["messages"])
        else:
            time.sleep(CHUNK_PAUSE_S)
            self._answer(200, _completion(request["messages"]))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, messages: list[dict[str, Any]]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for chunk in _chunks(messages):
            time.sleep(CHUNK_PAUSE_S)
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing: the telemetry tells."""


@contextlib.contextmanager
def fake_provider() -> Iterator[str]:
    """Serve on a free port of 127.0.0.1; yields the base URL for a client."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, name="fake provider")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
