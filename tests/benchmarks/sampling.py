"""CPU time of tail sampling per span, end to end beside the real Collector, and inside one process.

The Collector has `batch` behind it, without which it exports a request for each trace; ours sends batches anyway.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from processors.demo.backend import grpc_backend
from tests.benchmarks import report, sampling_stage
from tests.benchmarks.bars import Bar
from tests.benchmarks.end_to_end import COLLECTORS, cpu_s
from tests.benchmarks.load import send
from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape
from tests.benchmarks.sampling_load import ATTRIBUTE, BASELINE, EVERYTHING, SPANS_A_REQUEST, Load, Policies
from tests.benchmarks.sink import Sink
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


@dataclass(frozen=True, eq=False)
class Case:
    """What is measured end to end.

    Attributes:
        policies: of both collectors.
        share: bar for our part of the Collector's CPU time; None: for information.
        only_ours: whether the Collector has nothing like `setting`, further keys of the processor.
    """

    name: str
    shape: Shape
    policies: Policies
    spans_a_trace: int = 1
    share: float | None = SHARE
    only_ours: bool = False
    setting: dict[str, Any] = field(default_factory=dict)
    processor: str = "tail_sampling"


CASES = (
    Case("a fifth kept", TEXT_FREE, BASELINE),
    Case("a fifth kept", TEXT, BASELINE),
    Case("all kept", TEXT_FREE, EVERYTHING),
    Case("all kept", TEXT, EVERYTHING),
    Case("by an attribute", TEXT_FREE, ATTRIBUTE, share=None),
    Case("by an attribute", TEXT, ATTRIBUTE, share=None),
    Case("a fifth kept, 5 spans a trace", TEXT_FREE, BASELINE, 5, None),
    Case("all kept with weights, 5 spans a trace", TEXT_FREE, EVERYTHING, 5, None, True, {"weights": True}),
    Case("groupbytrace, 5 spans a trace", TEXT_FREE, EVERYTHING, 5, None, processor="groupbytrace"),
)
_CHECKED_CASES = (CASES[0], CASES[4])


def run(collectors: Sequence[str], rounds: int) -> str:
    """Measure all of it; the result as tables. Raises AssertionError where what came out is not what was to be kept."""
    wrong = [name for name, is_right in kept_sets(collectors).items() if not is_right]
    if wrong:
        raise AssertionError(f"{' and '.join(wrong)}: the kept traces are not those that the policies keep")
    stages = sampling_stage.run()
    times = {case: end_to_end(case, collectors, rounds) for case in CASES}
    bars = [*sampling_stage.bars(stages), *_shares(times)]
    tables = (
        report.table(("inside one process, 660 B", *sampling_stage.HEADER), sampling_stage.rows(stages)),
        report.table(
            ("case", "span", "penstock", "otelcol", "ratio"), [_row(case, found) for case, found in times.items()]
        ),
        report.table(("bar", "measured", "limit", ""), [bar.row() for bar in bars]),
    )
    return "\n\n".join(tables)


def _row(case: Case, found: Mapping[str, list[float]]) -> list[str]:
    ours, theirs = (statistics.median(found[name]) if name in found else None for name in ("penstock", "otelcol"))
    share = "-" if ours is None or theirs is None else f"{_share(found):.2f}"
    return [case.name, case.shape.name, report.microseconds(ours), report.microseconds(theirs), share]


def _share(found: Mapping[str, list[float]]) -> float:
    """Ours of theirs: of rounds that followed each other, since other work on the machine changes."""
    shares: list[float] = list(map(truediv, found["penstock"], found["otelcol"]))
    return statistics.median(shares)


def _shares(times: Mapping[Case, Mapping[str, list[float]]]) -> Iterator[Bar]:
    for case, found in times.items():
        if case.share is not None and {"penstock", "otelcol"} <= set(found):
            name = f"{case.name}, {case.shape.name}: share of the Collector's CPU time"
            yield Bar(name, _share(found), case.share)


def end_to_end(case: Case, collectors: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Microseconds of CPU per span from OTLP/gRPC to OTLP/gRPC by collector, which take turns."""
    names = [name for name in collectors if name == "penstock" or not case.only_ours]
    with ExitStack() as stack:
        benches = {name: stack.enter_context(_bench(case, name)) for name in names}
        for bench in benches.values():
            bench.work(_WARM_UP)
        found: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, bench in benches.items():
                before = cpu_s(bench.server.pid)
                bench.work(REQUESTS)
                found[name].append((cpu_s(bench.server.pid) - before) * 1e6 / (REQUESTS * SPANS_A_REQUEST))
    return found


@dataclass(frozen=True, slots=True)
class _Bench:
    case: Case
    load: Load
    sink: Sink
    server: Server
    port: int

    def work(self, count: int) -> None:
        """Send so many requests, and wait for what is to be kept of them."""
        load, sink = self.load, self.sink
        before, load.kept_spans = sink.spans(), 0
        load.kept.clear()
        send("grpc", self.port, _Lazy(load, count), count)
        sink.wait_for(before + load.kept_spans)
        came = sink.spans() - before
        if came != load.kept_spans:
            raise AssertionError(f"{self.case.name}: {came} spans came out, {load.kept_spans} were to be kept")


@contextmanager
def _bench(case: Case, collector: str) -> Iterator[_Bench]:
    load = Load(case.shape, case.policies, spans_a_trace=case.spans_a_trace)
    with Sink() as sink, _collector(case, collector, sink.port) as (server, port):
        yield _Bench(case, load, sink, server, port)


class _Lazy(list[bytes]):
    """Requests that are made when they are sent: all together they would need gigabytes."""

    def __init__(self, load: Load, count: int) -> None:
        super().__init__()
        self._load, self._count = load, count

    def __iter__(self) -> Iterator[bytes]:
        return self._load.take(self._count)


def kept_sets(collectors: Sequence[str]) -> dict[str, bool]:
    """By collector: whether the very traces came out that the policies keep."""
    return {name: all(_keeps_what_it_should(case, name) for case in _CHECKED_CASES) for name in collectors}


def _keeps_what_it_should(case: Case, collector: str) -> bool:
    load = Load(case.shape, case.policies, seed=7)
    bodies = list(load.take(_CHECKED))
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
    return found == load.kept


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
