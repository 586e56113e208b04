"""Memory of `tail_sampling` under a steady load of long texts: resident beside what its buffer may take.

`python -m tests.benchmarks.sampling_memory` runs the whole proof: 2,000 spans a second of 10 KB for ten minutes.
"""

from __future__ import annotations

import argparse
import base64
import random
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.benchmarks.end_to_end import COLLECTORS, cpu_s, rss_mib
from tests.benchmarks.load import send_each
from tests.benchmarks.sink import Sink
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPANS_A_REQUEST = 100
SPANS_A_TRACE = 6
SAMPLE_EVERY_S = 0.25
BAR = 1.25
_MARK = b"\x00\xffmem\xff\x00\xff"
"""First bytes of each trace id, in whose place others are put whenever a request is sent again."""
_WORDS = ("ka", "lo", "mi", "ter", "an", "su", "re", "vo", "ni", "pa", "dor", "el", "qui", "sha", "be", "tum")


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        spans_per_s: 0: as fast as they are taken.
        buffer_mib: what traces that wait may take.
        wait_s: `decision_wait`.
        text_bytes: of a span, on average; half of it is hard to compress.
        spills: whether there is a folder for what memory has no room for.
    """

    seconds: float = 600
    spans_per_s: int = 2000
    buffer_mib: int = 100
    wait_s: float = 10
    text_bytes: int = 10_000
    spills: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a collector needed; resident memory in MiB, each second or so."""

    idle_mib: float
    samples_mib: tuple[float, ...]
    buffer_mib: int
    sent: int
    kept: int
    cpu_us_per_span: float

    @property
    def ratio(self) -> float:
        """The most memory beside that of an idle process, for each byte that the buffer may take."""
        return (max(self.samples_mib) - self.idle_mib) / self.buffer_mib

    def __str__(self) -> str:
        ordered = sorted(self.samples_mib)
        return (
            f"{self.sent:,} spans, {self.kept:,} kept: RSS {self.idle_mib:.0f} MiB idle, "
            f"{ordered[len(ordered) // 2]:.0f} in the middle, {ordered[-1]:.0f} at the most; "
            f"{self.ratio:.2f} of {self.buffer_mib} MiB; {self.cpu_us_per_span:.1f} us of CPU a span"
        )


def run(load: Load, collector: str = "penstock") -> Result:
    """Send the load through a collector in a process of its own, and watch its memory."""
    bodies = requests(48, load.text_bytes)
    grpc_port, http_port = ports = free_ports(2)
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        spill = str(Path(folder, "spill")) if load.spills else ""
        config = configuration(load, collector, grpc_port=grpc_port, http_port=http_port, sink=sink.port, spill=spill)
        with COLLECTORS[collector](config, Path(folder), ports=ports) as server:
            time.sleep(1)
            idle_mib, cpu_before_s = rss_mib(server.pid), cpu_s(server.pid)
            count = int(load.seconds * (load.spans_per_s or 1000) / SPANS_A_REQUEST)
            per_s = load.spans_per_s / SPANS_A_REQUEST
            arguments = "grpc", grpc_port, fresh(bodies, count)
            sender = threading.Thread(target=send_each, args=arguments, kwargs={"per_s": per_s})
            sender.start()
            samples = [idle_mib]
            while sender.is_alive():
                samples.append(rss_mib(server.pid))
                sender.join(SAMPLE_EVERY_S)
            sent = count * SPANS_A_REQUEST
            used_us = (cpu_s(server.pid) - cpu_before_s) * 1e6
            return Result(idle_mib, tuple(samples), load.buffer_mib, sent, sink.spans(), used_us / sent)


def configuration(
    load: Load, collector: str, *, grpc_port: int, http_port: int, sink: int, spill: str
) -> dict[str, Any]:
    """Errors, slow traces and a tenth of the others are kept."""
    sampling: dict[str, Any] = {
        "decision_wait": f"{load.wait_s}s",
        "num_traces": 1_000_000,
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": 60_000}},
            {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 10}},
        ],
    }
    if collector == "penstock":
        sampling["buffer"] = {"max_bytes": load.buffer_mib << 20, "spill_directory": spill}
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{grpc_port}", "max_recv_msg_size_mib": 64},
                    "http": {"endpoint": f"127.0.0.1:{http_port}"},
                }
            }
        },
        "processors": {"tail_sampling": sampling, "batch": {"send_batch_size": 500, "timeout": "200ms"}},
        "exporters": {
            "otlp": {"endpoint": f"127.0.0.1:{sink}", "tls": {"insecure": True}, "compression": "none"},
        },
        "service": {
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["tail_sampling"] if collector == "penstock" else ["tail_sampling", "batch"],
                    "exporters": ["otlp"],
                }
            }
        },
    }


def requests(count: int, text_bytes: int, seed: int = 1) -> list[bytes]:
    """Requests whose traces each have a span in six of them, one after the other."""
    rng = random.Random(seed)
    soft = " ".join("".join(rng.choices(_WORDS, k=rng.randint(1, 4))) for _ in range(200_000))
    hard = base64.b85encode(rng.randbytes(1 << 21)).decode()
    bodies: list[bytes] = []
    while len(bodies) < count:
        ids = [_MARK + rng.randbytes(16 - len(_MARK)) for _ in range(SPANS_A_REQUEST)]
        bodies += (_request(ids, rng, (soft, hard), text_bytes) for _ in range(SPANS_A_TRACE))
    return bodies


def _request(ids: Sequence[bytes], rng: random.Random, texts: tuple[str, str], text_bytes: int) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "chat"
    scope = group.scope_spans.add()
    for trace_id in ids:
        span = scope.spans.add(
            trace_id=trace_id,
            span_id=rng.randbytes(8),
            parent_span_id=rng.randbytes(8),
            name="chat gpt-4o-mini",
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=1_790_000_000_000_000_000,
            end_time_unix_nano=1_790_000_001_000_000_000,
        )
        for key, text in zip(("gen_ai.input.messages", "gen_ai.output.messages"), texts, strict=True):
            size = int(rng.uniform(0.25, 0.75) * text_bytes)
            start = rng.randrange(len(text) - size)
            span.attributes.add(key=key).value.string_value = text[start : start + size]
    return request.SerializeToString()


def fresh(bodies: Sequence[bytes], count: int) -> Iterator[bytes]:
    """So many requests, round and round, each round with traces of its own."""
    rng = random.Random(2)
    mark = _MARK
    for index in range(count):
        if index % len(bodies) == 0:
            mark = rng.randbytes(len(_MARK))
        yield bodies[index % len(bodies)].replace(_MARK, mark)


def main() -> int:
    """Measure and print; 1 where the bar is missed."""
    parser = argparse.ArgumentParser(prog="sampling_memory", description=__doc__)
    parser.add_argument("--seconds", type=float, default=Load.seconds)
    parser.add_argument("--spans-per-s", type=int, default=Load.spans_per_s)
    parser.add_argument("--buffer-mib", type=int, default=Load.buffer_mib)
    parser.add_argument("--wait", type=float, default=Load.wait_s, help="decision_wait, seconds")
    parser.add_argument("--text-bytes", type=int, default=Load.text_bytes)
    parser.add_argument("--spill", action="store_true", help="with a folder for what memory has no room for")
    parser.add_argument("--collector", choices=sorted(COLLECTORS), default="penstock")
    options = parser.parse_args()
    load = Load(
        options.seconds, options.spans_per_s, options.buffer_mib, options.wait, options.text_bytes, options.spill
    )
    result = run(load, options.collector)
    print(result)
    return int(result.ratio > BAR)


if __name__ == "__main__":
    raise SystemExit(main())
