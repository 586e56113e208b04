"""CPU time of tail sampling per span: inside one process, and end to end beside the real Collector.

The Collector has `batch` behind it, without which it exports a request for each trace; ours sends batches anyway.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.backend import grpc_backend
from tests.benchmarks.end_to_end import COLLECTORS, cpu_s
from tests.benchmarks.load import send
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape
from tests.benchmarks.sampling_load import POLICIES, SPANS_A_REQUEST, Load
from tests.benchmarks.sink import Sink
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.servers.processes import Server

REQUESTS = 300
_WARM_UP = 100
_CHECKED = 40
SHARE = 0.8
"""What we may need of the Collector's CPU time, with one span a trace."""
_WAIT = "1s"
_QUIET_S = 3.0
_SETTING: dict[str, Any] = {"decision_wait": _WAIT, "num_traces": 500_000}
_BATCH = {"send_batch_size": 1000, "timeout": "200ms"}
EVERYTHING = [{"name": "all", "type": "always_sample"}]


@dataclass(frozen=True)
class Case:
    """What is measured end to end.

    Attributes:
        share: bar for our part of the Collector's CPU time; None: for information.
        ours: processors for us alone, where ours has no counterpart.
    """

    name: str
    shape: Shape
    policies: list[dict[str, Any]] = field(default_factory=lambda: POLICIES)
    spans_a_trace: int = 1
    share: float | None = SHARE
    theirs: bool = True
    setting: dict[str, Any] = field(default_factory=dict)
    processor: str = "tail_sampling"

    @property
    def keeps_all(self) -> bool:
        """Whether every span comes out."""
        return self.policies is not POLICIES


CASES = (
    Case("a fifth kept", TEXT_FREE),
    Case("a fifth kept", TEXT),
    Case("all kept", TEXT_FREE, EVERYTHING),
    Case("all kept", TEXT, EVERYTHING),
    Case("a fifth kept, 5 spans a trace", TEXT_FREE, spans_a_trace=5, share=None),
    Case("groupbytrace, 5 spans a trace", TEXT_FREE, [], 5, None, processor="groupbytrace"),
)


def end_to_end(case: Case, collector: str, rounds: int) -> float:
    """Microseconds of CPU per span from OTLP/gRPC to OTLP/gRPC."""
    load = Load(case.shape, spans_a_trace=case.spans_a_trace)
    with Sink() as sink, _collector(case, collector, sink.port) as (server, port):
        _work(case, load, sink, port, _WARM_UP)
        needed = []
        for _ in range(rounds):
            before = cpu_s(server.pid)
            _work(case, load, sink, port, REQUESTS)
            needed.append((cpu_s(server.pid) - before) * 1e6 / (REQUESTS * SPANS_A_REQUEST))
        return statistics.median(needed)


def _work(case: Case, load: Load, sink: Sink, port: int, count: int) -> None:
    before = sink.spans()
    send("grpc", port, _Lazy(load, count), count)
    kept = count * SPANS_A_REQUEST if case.keeps_all else load.kept_spans(count)
    sink.wait_for(before + kept)
    if sink.spans() != before + kept:
        raise AssertionError(f"{case.name}: {sink.spans() - before} spans came out, {kept} were to be kept")


class _Lazy(list[bytes]):
    """Requests that are made when they are sent: all together they would need gigabytes."""

    def __init__(self, load: Load, count: int) -> None:
        super().__init__()
        self._load, self._count = load, count

    def __iter__(self) -> Iterator[bytes]:
        return self._load.take(self._count)


def kept_sets(collectors: Sequence[str]) -> dict[str, bool]:
    """By collector: whether the very traces came out that the policies keep."""
    case = CASES[0]
    return {name: _keeps_what_it_should(case, name) for name in collectors}


def _keeps_what_it_should(case: Case, collector: str) -> bool:
    bodies, wanted = Load(case.shape, seed=7).take_with_kept(_CHECKED)
    found: set[bytes] = set()

    def take(_signal: str, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found.update(s.trace_id for g in request.resource_spans for scope in g.scope_spans for s in scope.spans)

    with grpc_backend(take) as sink_port, _collector(case, collector, sink_port) as (_, port):
        send("grpc", port, bodies, len(bodies))
        time.sleep(_QUIET_S)
        last = -1
        while last != len(found):
            last = len(found)
            time.sleep(1)
    return found == wanted


@contextmanager
def _collector(case: Case, name: str, sink_port: int) -> Iterator[tuple[Server, int]]:
    (port,) = ports = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        config = _configuration(case, name, port, sink_port)
        with COLLECTORS[name](config, Path(folder), ports=ports) as server:
            yield server, port


def _configuration(case: Case, collector: str, port: int, sink_port: int) -> dict[str, Any]:
    if case.processor == "groupbytrace":
        processors: dict[str, Any] = {"groupbytrace": {"wait_duration": _WAIT}, "batch": _BATCH}
    else:
        processors = {"tail_sampling": {**_SETTING, **case.setting, "policies": case.policies}}
        if collector == "otelcol":
            processors["batch"] = _BATCH
    receiver = {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}", "max_recv_msg_size_mib": 64}}}
    exporter = {
        "endpoint": f"127.0.0.1:{sink_port}",
        "tls": {"insecure": True},
        "compression": "none",
        "sending_queue": {"queue_size": 64, "block_on_overflow": True},
    }
    pipeline = {"receivers": ["otlp"], "processors": list(processors), "exporters": ["otlp"]}
    return {
        "receivers": {"otlp": receiver},
        "processors": processors,
        "exporters": {"otlp": exporter},
        "service": {"pipelines": {"traces": pipeline}},
    }
