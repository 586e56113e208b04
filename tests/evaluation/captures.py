"""Every recording through the quickstart chain, beside the truth: `make eval-captures DIR=...`.

Per dialect: calls that reached the provider, calls recognised, calls whose input and output tokens are right, values
planted in the telemetry, and planted values that are left behind the chain. Black box: OTLP in, OTLP out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Signal
from processors.demo.backend import grpc_backend
from processors.demo.calls import Call, calls
from processors.demo.collector import Ports, quickstart
from processors.demo.recordings import CHECKOUT_FOLDER, Recording, load
from processors.demo.replay import Sender
from tests.benchmarks.report import table

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER_TYPES = frozenset({"person_name", "jp_address"})
"""Planted types that the first rules do not claim; what is left of them is counted apart."""
QUIET_S = 20.0


@dataclass(slots=True)
class Score:
    """Sums of one dialect."""

    calls: int = 0
    recognised: int = 0
    tokens_known: int = 0
    tokens_right: int = 0
    priced: int = 0
    planted: int = 0
    left: Counter[str] = field(default_factory=Counter)
    left_later: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Score) -> Score:
        """The sums of both."""
        return Score(*(getattr(self, entry.name) + getattr(other, entry.name) for entry in fields(self)))

    def row(self, name: str) -> list[str]:
        """The dialect as a row of the table."""
        left, later = (", ".join(f"{k} {n}" for k, n in sorted(c.items())) or "0" for c in (self.left, self.left_later))
        tokens = f"{self.tokens_right} of {self.tokens_known}"
        return [name, str(self.calls), str(self.recognised), tokens, str(self.priced), str(self.planted), left, later]


class Arrivals:
    """What came out of the collector since the last `take`."""

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []
        self._more = threading.Condition()

    def add(self, signal: str, body: bytes) -> None:
        with self._more:
            self._bodies.append((signal, body))
            self._more.notify_all()

    def take(self, expected: Counter[str]) -> list[tuple[str, bytes]]:
        """The bodies, once the expected number of items of each signal is there; raises TimeoutError."""
        deadline = time.monotonic() + QUIET_S
        with self._more:
            while _items(self._bodies) < expected:
                if not self._more.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"came out: {dict(_items(self._bodies))}, went in: {dict(expected)}")
            bodies, self._bodies = self._bodies, []
            return bodies


def _items(bodies: list[tuple[str, bytes]]) -> Counter[str]:
    found = Counter[str]()
    for name, body in bodies:
        signal = Signal(name)
        found[name] += count_items(signal, signal.request_class.FromString(body))
    return found


def count_items(signal: Signal, message: Any) -> int:
    """Spans, log records or metrics of a request."""
    groups, scopes, items = {
        Signal.TRACES: ("resource_spans", "scope_spans", "spans"),
        Signal.LOGS: ("resource_logs", "scope_logs", "log_records"),
        Signal.METRICS: ("resource_metrics", "scope_metrics", "metrics"),
    }[signal]
    return sum(len(getattr(s, items)) for g in getattr(message, groups) for s in getattr(g, scopes))


def sent_items(recording: Recording) -> Counter[str]:
    """Items of each signal in a recording."""
    found = Counter[str]()
    for export in recording.exports():
        found[export.signal] += count_items(Signal(export.signal), export.message())
    return found


def evaluate(recordings: list[Recording]) -> dict[str, Score]:
    """Run all recordings through a quickstart collector and score what comes out."""
    scores: dict[str, Score] = defaultdict(Score)
    arrivals, ports = Arrivals(), Ports.free()
    with (
        tempfile.TemporaryDirectory() as folder,
        grpc_backend(arrivals.add) as backend_port,
        quickstart(ports, backend_port, Path(folder)),
        Sender(ports.http) as sender,
    ):
        for recording in recordings:
            sender.send(recording.exports())
            score(scores[recording.dialect], recording.truth, arrivals.take(sent_items(recording)))
    return scores


def score(total: Score, truth: dict[str, Any], bodies: list[tuple[str, bytes]]) -> None:
    """Add one recording to the sums of its dialect."""
    found = [call for signal, body in bodies if signal == "traces" for call in _calls(body)]
    usages = [usage for request in truth["requests"] if "input_tokens" in (usage := request.get("usage") or {})]
    wanted = Counter((usage["input_tokens"], usage["output_tokens"]) for usage in usages)
    total.calls += len(truth["requests"])
    total.recognised += len(found)
    total.tokens_known += wanted.total()
    total.tokens_right += (wanted & Counter((call.input_tokens, call.output_tokens or 0) for call in found)).total()
    total.priced += sum(call.cost_usd is not None for call in found)
    everything = b"\n".join(body for _, body in bodies)
    for kind, value in sorted({(entry["type"], entry["value"]) for entry in truth["planted"]}):
        total.planted += 1
        if any(form in everything for form in forms(value)):
            (total.left_later if kind in LATER_TYPES else total.left)[kind] += 1


def forms(value: str) -> Iterator[bytes]:
    """How a value may stand in telemetry: as it is, inside JSON, inside JSON inside JSON."""
    text = value
    for _ in range(3):
        yield text.encode()
        text = json.dumps(text)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode()


def _calls(body: bytes) -> Iterator[Call]:
    yield from calls(ExportTraceServiceRequest.FromString(body))


def main() -> int:
    """Print the table; exit code 1 when a planted value of a type the rules claim is left."""
    parser = argparse.ArgumentParser(prog="make eval-captures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT_FOLDER, help="folder of recordings")
    parser.add_argument("--dialect", default="", help="only dialects whose name contains this")
    options = parser.parse_args()
    recordings = [recording for recording in load(options.folder) if options.dialect in recording.dialect]
    scores = evaluate(recordings)
    header = ("dialect", "calls", "recognised", "tokens right", "priced", "planted", "left", "left, later types")
    print(table(header, [found.row(name) for name, found in scores.items()]))
    total = sum(scores.values(), Score())
    print(
        f"\n{len(recordings)} recordings of {len(scores)} dialects: {total.calls} calls, "
        f"{total.recognised} recognised, tokens right in {total.tokens_right} of {total.tokens_known}, "
        f"{total.priced} priced; "
        f"{total.planted} planted values, {total.left.total()} left of the types that rules claim, "
        f"{total.left_later.total()} of later types"
    )
    return 1 if total.left else 0


if __name__ == "__main__":
    sys.exit(main())
