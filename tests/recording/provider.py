"""A provider of models on 127.0.0.1: speaks the real APIs, answers by a plan, and notes what it was asked.

APIs: OpenAI chat completions, embeddings and Responses, Anthropic Messages, Gemini generateContent, Bedrock Converse,
each whole and streamed.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests.recording.answers import Answer, Asked, Plan, Reply, reply_to
from tests.recording.apis.table import Api, api_of

_THINKING_S: Final = 0.02
_CHUNK_S: Final = 0.004
_OK: Final = 200


class Provider:
    """What the server answers next, and what it was asked so far."""

    def __init__(self) -> None:
        """Without a plan; `begin` sets one."""
        self.requests: list[dict[str, Any]] = []
        self._plan = Plan([Answer(text="Nothing was planned.")])
        self._lock = threading.Lock()

    def begin(self, answers: list[Answer]) -> Plan:
        """Start a scenario."""
        with self._lock:
            self.requests, self._plan = [], Plan(answers)
            return self._plan

    def next(self) -> Answer:
        """The answer to the next request."""
        return self._plan.take()

    def note(self, entry: dict[str, Any]) -> None:
        """Keep what the truth file says of a request, in the order of arrival."""
        with self._lock:
            self.requests.append(entry)
            self.requests.sort(key=lambda found: found["timing"]["received_unix_ns"])
            for index, found in enumerate(self.requests):
                found["seq"] = index


class _Timer:
    def __init__(self) -> None:
        self.received_unix_ns = time.time_ns()
        self._began = time.perf_counter()
        self.first_byte_s: float | None = None
        self.content_s: list[float] = []

    def now(self) -> float:
        return round(time.perf_counter() - self._began, 6)

    def entry(self, *, gone: bool, stream: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"received_unix_ns": self.received_unix_ns, "first_byte_s": self.first_byte_s}
        if stream:
            found |= {"first_content_s": self.content_s[0] if self.content_s else None, "chunk_s": self.content_s}
        return {**found, "end_s": self.now(), "client_disconnected": gone}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def log_message(self, *_args: object) -> None:
        """Nothing goes to the terminal."""

    def handle(self) -> None:
        """Serve a client that may end at any time."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self._send(_OK, {"object": "list", "data": []})

    def do_POST(self) -> None:
        timer = _Timer()
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        api = api_of(path)
        if api is None:
            self._send(404, {"error": {"message": f"there is no {path} here", "type": "invalid_request_error"}})
            return
        asked = api.asked(path, json.loads(raw))
        answer = Answer(text="-") if asked.inputs else self.provider.next()
        reply = reply_to(asked, answer)
        time.sleep(_THINKING_S)
        timer.first_byte_s = timer.now()
        gone = self._answer(api, asked, reply, timer)
        entry = self._request_entry(asked, path, len(raw)) | {"timing": timer.entry(gone=gone, stream=asked.stream)}
        self.provider.note(entry | (_refused(answer) if answer.error else _told(api, asked, reply)))

    def _answer(self, api: Api, asked: Asked, reply: Reply, timer: _Timer) -> bool:
        """Send the response; whether the client went away before its end."""
        if reply.answer.error:
            self._send(reply.answer.error, api.refusal(reply.answer.error, reply.answer.message))
        elif asked.stream and api.chunks is not None:
            return self._stream(api, api.chunks(asked, reply), timer)
        else:
            self._send(_OK, api.body(asked, reply))
        return False

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, api: Api, chunks: Iterator[Any], timer: _Timer) -> bool:
        self.send_response(_OK)
        self.send_header("Content-Type", api.stream_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in chunks:
                self.wfile.write(f"{len(chunk.data):x}\r\n".encode() + chunk.data + b"\r\n")
                if chunk.content:
                    timer.content_s.append(timer.now())
                time.sleep(_CHUNK_S)
            self.wfile.write(b"0\r\n\r\n")
        except ConnectionError:
            return True
        return False

    def _request_entry(self, asked: Asked, path: str, size: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "provider": asked.provider,
            "api": asked.api,
            "host": "127.0.0.1",
            "path": path,
            "request_model": asked.model,
            "stream": asked.stream,
            "user_agent": self.headers.get("User-Agent"),
            "request": {
                "n_messages": len(asked.messages),
                "roles": [role for role, _ in asked.messages],
                "text_chars": sum(len(text) for _, text in asked.messages),
                "last_user_text": asked.last_user_text,
                "tools": list(asked.tools),
                "image_parts": 0,
                "params": asked.params,
                "body_bytes": size,
            },
        }
        parent = self.headers.get("traceparent")
        return found | ({"traceparent": parent} if parent else {})


def _refused(answer: Answer) -> dict[str, Any]:
    return {"status": answer.error, "error": {"status": answer.error, "message": answer.message}, "n_choices": 1}


def _told(api: Api, asked: Asked, reply: Reply) -> dict[str, Any]:
    found: dict[str, Any] = {"status": _OK, "error": None, "response_model": reply.model, "n_choices": 1}
    counts = reply.usage
    if asked.inputs:
        usage = {"input_tokens": counts.input_tokens, "output_tokens": 0, "total_tokens": counts.input_tokens}
        return found | {"usage": usage, "n_inputs": asked.inputs, "response_model": asked.model}
    if asked.api in {"messages", "converse"}:
        found["usage"] = {"wire_input_tokens": counts.uncached_tokens}
    found["usage"] = found.get("usage", {}) | {
        "input_tokens": counts.input_tokens,
        "output_tokens": counts.output_tokens,
        "cached_input_tokens": counts.cached_tokens,
        "reasoning_tokens": counts.reasoning_tokens,
        "cache_creation_input_tokens": counts.cache_write_tokens,
        "total_tokens": counts.total_tokens,
    }
    found |= {"finish_reason": api.finish(reply), "response_id": reply.response_id or None}
    if asked.stream:
        found["usage_in_stream"] = asked.with_usage
    if reply.answer.text:
        found["output_text"] = [reply.answer.text]
    if reply.answer.thinking and asked.api != "chat.completions":
        found["thinking"] = reply.answer.thinking
    if reply.calls:
        found["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in reply.calls]
        found["tool_call_ids"] = [call.id for call in reply.calls if call.id]
    return found


@contextlib.contextmanager
def running_provider() -> Iterator[tuple[Provider, str]]:
    """A provider on a free port of 127.0.0.1, with its URL."""
    provider = Provider()
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
