"""What is measured end to end: configurations in the dialect both collectors share, and the load on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.benchmarks.payloads import TEXT, TEXT_FREE, Shape

if TYPE_CHECKING:
    from pathlib import Path

SIDECAR_CHAIN = ("memory_limiter", "gen_ai_normalizer", "gen_ai_latency", "redaction", "batch")
"""The processors of `configs/sidecar.yaml`."""
THIN_CHAIN = ("memory_limiter", "gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost", "redaction")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    shape: Shape
    spans: int
    """Per request."""
    transport: str
    processors: tuple[str, ...] = ()
    counted: bool = False
    """Also goes into the connector `gen_ai_metrics`."""
    connections: int = 1
    """Over which the load comes, with gRPC; with HTTP each request in flight has one."""
    workers: int = 1
    on_disk: bool = False
    """What waits for the backend is kept in a file."""
    per_s: float = 0
    """Requests per second; 0: as many as are taken. What waits in sockets is read in fewer, larger pieces, so that a
    process which is busier needs less per span: one and two workers are compared while neither is busy."""

    @property
    def requests(self) -> int:
        """How many requests make a measurement of a second or more."""
        return 600 if self.spans > 1 else 4000

    @property
    def only_ours(self) -> bool:
        """The Collector has no such chain, and no workers."""
        return "gen_ai_normalizer" in self.processors or self.workers > 1


FORWARD = Case("forward, gRPC", TEXT, 100, "grpc")
FORWARD_TEXT_FREE = Case("forward, gRPC", TEXT_FREE, 100, "grpc")
SINGLE_GRPC = Case("forward, gRPC, one span a request", TEXT, 1, "grpc")
SINGLE_HTTP = Case("forward, HTTP, one span a request", TEXT, 1, "http")
BATCHED_GRPC = Case("batch, gRPC, one span a request", TEXT, 1, "grpc", ("batch",))
BATCHED_HTTP = Case("batch, HTTP, one span a request", TEXT, 1, "http", ("batch",))
DURABLE = replace(FORWARD, name="forward, gRPC, queue on disk", on_disk=True)
SPREAD = Case("forward, gRPC, 150 requests/s", TEXT, 100, "grpc", connections=8, per_s=150)
TWO_WORKERS = replace(SPREAD, name="forward, gRPC, 150 requests/s, two workers", workers=2)
CHAIN = Case("thin chain, gRPC", TEXT, 100, "grpc", THIN_CHAIN, counted=True)
# All are kept, which is what costs most.
BY_CHANCE = Case("sampled by chance, all kept, gRPC", TEXT_FREE, 100, "grpc", ("probabilistic_sampler",))
CASES = (
    FORWARD,
    FORWARD_TEXT_FREE,
    Case("forward, HTTP", TEXT, 100, "http"),
    Case("batch, gRPC", TEXT, 100, "grpc", ("batch",)),
    SINGLE_GRPC,
    SINGLE_HTTP,
    BATCHED_GRPC,
    BATCHED_HTTP,
    Case("sidecar chain, HTTP, one span a request", TEXT, 1, "http", SIDECAR_CHAIN),
    CHAIN,
    Case("thin chain, gRPC", TEXT_FREE, 100, "grpc", THIN_CHAIN, counted=True),
    BY_CHANCE,
    replace(BY_CHANCE, shape=TEXT),
)

SETTINGS: dict[str, dict[str, Any]] = {
    "memory_limiter": {"check_interval": "1s", "limit_mib": 2000},
    "redaction": {"entities": "all"},
    "batch": {"send_batch_size": 1000, "timeout": "200ms"},
    "probabilistic_sampler": {"sampling_percentage": 100, "mode": "proportional"},
}


def configuration(case: Case, *, grpc_port: int, http_port: int, sink_port: int, folder: Path) -> dict[str, Any]:
    """The case as a configuration. Both collectors get the same: uncompressed, a queue that holds senders back.

    `folder` is for the queue on disk.
    """
    protocols = {
        "grpc": {"endpoint": f"127.0.0.1:{grpc_port}", "max_recv_msg_size_mib": 64},
        "http": {"endpoint": f"127.0.0.1:{http_port}"},
    }
    out: dict[str, Any] = {
        "endpoint": f"127.0.0.1:{sink_port}",
        "tls": {"insecure": True},
        "compression": "none",
        "sending_queue": {"queue_size": 64, "block_on_overflow": True},
    }
    storage = {"file_storage": {"directory": str(folder), "create_directory": True}} if case.on_disk else {}
    if storage:
        out["sending_queue"]["storage"] = "file_storage"
    config: dict[str, Any] = {
        "extensions": storage,
        "receivers": {"otlp": {"protocols": protocols}},
        "processors": {name: SETTINGS.get(name, {}) for name in case.processors},
        "exporters": {"otlp": out},
        "service": {
            "extensions": list(storage),
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": list(case.processors), "exporters": ["otlp"]}
            },
        },
    }
    if case.counted:
        config["connectors"] = {"gen_ai_metrics": {}}
        config["exporters"]["nop"] = {}
        config["service"]["pipelines"]["traces"]["exporters"].append("gen_ai_metrics")
        config["service"]["pipelines"]["metrics"] = {"receivers": ["gen_ai_metrics"], "exporters": ["nop"]}
    return config
