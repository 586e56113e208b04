"""A collector of two branches between a sender and a backend: records as understood, and records as they leave, masked.

Black box: OTLP in, OTLP out, in a process of its own.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.signals import Signal
from processors.demo.backend import grpc_backend
from processors.demo.collector import running
from processors.demo.replay import Sender
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.signals import Request
    from processors.demo.recordings import Recording

QUIET_S = 20.0
UNDERSTAND = ["gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost"]

Messages = list[tuple[str, "Request"]]
"""Export requests, each with the name of its signal."""


class Arrivals:
    """What came out of one branch since the last `take`."""

    def __init__(self) -> None:
        self._found: Messages = []
        self._counts = Counter[str]()
        self._more = threading.Condition()

    def add(self, signal: str, body: bytes) -> None:
        message = Signal(signal).request_class.FromString(body)
        with self._more:
            self._found.append((signal, message))
            self._counts[signal] += count_items(Signal(signal), message)
            self._more.notify_all()

    def take(self, expected: Counter[str]) -> Messages:
        """The requests, once the expected number of items of each signal is there; raises TimeoutError."""
        deadline = time.monotonic() + QUIET_S
        with self._more:
            while self._counts < expected:
                if not self._more.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"came out: {dict(self._counts)}, went in: {dict(expected)}")
            found, self._found, self._counts = self._found, [], Counter()
            return found


def count_items(signal: Signal, message: Any) -> int:
    """Spans, log records or metrics of a request."""
    groups, scopes, items = {
        Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
        Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
        Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    }[signal]
    return sum(len(getattr(s, items)) for g in getattr(message, groups) for s in getattr(g, scopes))


class Chain:
    """A running collector."""

    def __init__(self, sender: Sender, understood: Arrivals, masked: Arrivals) -> None:
        self._sender = sender
        self._understood = understood
        self._masked = masked

    def run(self, recording: Recording) -> tuple[Messages, Messages, Messages]:
        """What a recording says raw, behind the processors that understand it, and behind redaction."""
        raw = [(export.signal, export.message()) for export in recording.exports()]
        expected = Counter[str]()
        for signal, message in raw:
            expected[signal] += count_items(Signal(signal), message)
        self._sender.send(recording.exports())
        return raw, self._understood.take(expected), self._masked.take(expected)


@contextlib.contextmanager
def chain() -> Iterator[Chain]:
    """Run the collector."""
    understood, masked = Arrivals(), Arrivals()
    with (
        tempfile.TemporaryDirectory() as folder,
        grpc_backend(understood.add) as understood_port,
        grpc_backend(masked.add) as masked_port,
    ):
        file = Path(folder) / "chain.yaml"
        (port,) = free_ports(1)
        file.write_text(yaml.safe_dump(_configuration(port, understood_port, masked_port)), encoding="utf-8")
        with running([file], Path(folder)), Sender(port) as sender:
            yield Chain(sender, understood, masked)


def _configuration(port: int, understood_port: int, masked_port: int) -> dict[str, Any]:
    def otlp(to: int) -> dict[str, Any]:
        return {"endpoint": f"127.0.0.1:{to}", "tls": {"insecure": True}}

    pipelines: dict[str, Any] = {}
    for signal, processors in (("traces", UNDERSTAND), ("logs", UNDERSTAND[:2]), ("metrics", [])):
        exporters = ["otlp_grpc/understood", f"forward/{signal}"]
        pipelines[signal] = {"receivers": ["otlp"], "processors": processors, "exporters": exporters}
        masking = {"processors": ["redaction"], "exporters": ["otlp_grpc/masked"]}
        pipelines[f"{signal}/masked"] = {"receivers": [f"forward/{signal}"], **masking}
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"localhost:{port}"}}}},
        "processors": {**dict.fromkeys(UNDERSTAND), "redaction": {"entities": "all"}},
        "connectors": {f"forward/{signal}": None for signal in ("traces", "logs", "metrics")},
        "exporters": {"otlp_grpc/understood": otlp(understood_port), "otlp_grpc/masked": otlp(masked_port)},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": pipelines},
    }
