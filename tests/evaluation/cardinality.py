"""Memory of the connectors when labels have no end: 10,000 distinct values per dimension and round.

Black box: spans go over OTLP through `gen_ai_cost` into the connectors and onto the page of the `prometheus` exporter.
Every span has values of its own for every dimension and for the resource. `python -m tests.evaluation.cardinality`
prints series and bytes of the page and the collector's memory for each round; nothing may grow for ever.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline import registry
from pipeline.registry import Kind
from pipeline.signals.values import set_any_value
from processors.demo.recordings import Export
from processors.demo.replay import Sender
from tests.benchmarks.end_to_end import rss_mib
from tests.benchmarks.report import table
from tests.servers.collectors import penstock
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.signals import Value
    from tests.servers.processes import Server

CONNECTORS: Final = ("gen_ai_metrics", "span_metrics")
DIMENSIONS: Final = ("gen_ai.agent.name", "gen_ai.prompt.name", "tenant.id")
"""Configured beside those that the connectors have by themselves."""
MOST_GROWTH_MIB: Final = 8.0
"""What the second half of the rounds may have more than the first: a page being made weighs more than that."""
_SPANS: Final = 200
_FLUSH_S: Final = 1.0
_HISTOGRAM_LINE: Final = re.compile(r"_(bucket|sum|count)$")


@dataclass(frozen=True)
class Sample:
    """The collector after a round."""

    values: int
    """Distinct values of each dimension so far."""
    series: Counter[str]
    """On the page, by metric; a histogram's buckets, sum and count are one."""
    page_bytes: int
    rss_mib: float


def measure(rounds: int, values: int, *, services: bool = True, **limits: Any) -> list[Sample]:
    """Send so many rounds of spans with so many new values each; `limits` are keys of `gen_ai_metrics`.

    `services`: whether every span is of a service of its own, too.
    """
    port, page = free_ports(2)
    samples = []
    with (
        tempfile.TemporaryDirectory() as folder,
        penstock(_configuration(port, page, limits), Path(folder), ports=[port, page]) as server,
        Sender(port) as sender,
    ):
        for number in range(rounds):
            sender.send(_requests(number * values, values, services=services))
            time.sleep(2 * _FLUSH_S)
            samples.append(_sample(server, page, (number + 1) * values))
    return samples


def _configuration(port: int, page: int, limits: dict[str, Any]) -> dict[str, Any]:
    known = [name for name in CONNECTORS if name in registry.names(Kind.CONNECTOR)]
    flush = {"metrics_flush_interval": f"{_FLUSH_S}s"}
    own: dict[str, dict[str, Any]] = {
        "gen_ai_metrics": {"dimensions": list(DIMENSIONS), **limits},
        "span_metrics": {"dimensions": [{"name": name} for name in DIMENSIONS]},
    }
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"localhost:{port}"}}}},
        "processors": {"gen_ai_cost": None},
        "connectors": {name: flush | own[name] for name in known},
        "exporters": {"prometheus": {"endpoint": f"localhost:{page}"}},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["gen_ai_cost"], "exporters": known},
                "metrics": {"receivers": known, "exporters": ["prometheus"]},
            }
        },
    }


def _requests(first: int, count: int, *, services: bool) -> Iterator[Export]:
    for start in range(first, first + count, _SPANS):
        request = ExportTraceServiceRequest()
        for number in range(start, min(start + _SPANS, first + count)):
            _add_span(request, number, f"service-{number}" if services else "service")
        yield Export("traces", "application/x-protobuf", request.SerializeToString(), 0)


def _add_span(request: ExportTraceServiceRequest, number: int, service: str) -> None:
    group = request.resource_spans.add()
    set_any_value(group.resource.attributes.add(key="service.name").value, service)
    now_ns = time.time_ns()
    span = group.scope_spans.add().spans.add(
        trace_id=(number + 1).to_bytes(16, "big"),
        span_id=(number + 1).to_bytes(8, "big"),
        name=f"chat {number}",
        start_time_unix_nano=now_ns - 10**9,
        end_time_unix_nano=now_ns,
    )
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": f"provider-{number}",
        "gen_ai.request.model": f"asked-{number}",
        "gen_ai.response.model": f"answered-{number}",
        "gen_ai.usage.input_tokens": number,
        "gen_ai.usage.output_tokens": number,
        "gen_ai.response.time_to_first_chunk": 0.5,
        "penstock.latency.time_per_output_token": 0.01,
        "server.address": f"host-{number}",
        "server.port": number % 65536,
        "error.type": f"error-{number}",
        **dict.fromkeys(DIMENSIONS, f"value-{number}"),
    }
    for key, value in attributes.items():
        set_any_value(span.attributes.add(key=key).value, value)


def _sample(server: Server, page: int, values: int) -> Sample:
    with urllib.request.urlopen(f"http://localhost:{page}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    names = [line.split("{")[0] for line in text.splitlines() if not line.startswith("#")]
    counted = Counter(name for name in names if not _HISTOGRAM_LINE.search(name) or name.endswith("_count"))
    return Sample(values, counted, len(text), rss_mib(server.pid))


def main() -> int:
    """Print a row for each round; the exit code is 1 when memory goes on growing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--values", type=int, default=10_000)
    options = parser.parse_args()
    samples = measure(options.rounds, options.values)
    header = ("distinct values", "series on the page", "most of one metric", "page, MiB", "RSS, MiB")
    print(table(header, [_row(sample) for sample in samples]))
    half = len(samples) // 2
    first, second = (statistics.median(s.rss_mib for s in part) for part in (samples[1:half], samples[half:]))
    growth = second - first
    print(
        f"\nMedian of the second half of the rounds less that of the first: {growth:.1f} MiB (bar {MOST_GROWTH_MIB:g})"
    )
    return int(growth > MOST_GROWTH_MIB)


def _row(sample: Sample) -> list[str]:
    ((name, most),) = sample.series.most_common(1)
    return [
        f"{sample.values:,}",
        f"{sample.series.total():,}",
        f"{most:,} {name}",
        f"{sample.page_bytes / 2**20:.1f}",
        f"{sample.rss_mib:.0f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
