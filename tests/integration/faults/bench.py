"""What a scenario is given, and what it says in the end."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.faults.ledger import Account
from tests.servers.kafka.broker import Broker
from tests.servers.processes import free_ports


@dataclass(frozen=True, slots=True)
class Bench:
    """The collector under test, the size of the run, and where things go."""

    collector: str
    """`penstock` or `otelcol`."""
    folder: Path
    broker: Callable[[], Broker]
    """A broker that scenarios share; who kills one starts one."""
    faults: int
    """Kills, or whatever else the scenario does to the system."""
    interval_s: float
    """Mean time between two of them."""
    away_s: float
    """How long a backend stays away."""
    spans: int
    """How many spans are sent where that is given beforehand."""
    delay_s: float = 0.045
    """How long the backend takes to answer; by default so long that some requests wait under the usual load."""
    seed: int = 0

    @property
    def rng(self) -> random.Random:
        """Chance that is the same in every run with this seed."""
        return random.Random(self.seed)

    @property
    def is_ours(self) -> bool:
        """Whether Penstock is under test."""
        return self.collector == "penstock"

    def ours(self, **keys: Any) -> dict[str, Any]:
        """Keys that only Penstock has."""
        return keys if self.is_ours else {}

    def theirs(self, **keys: Any) -> dict[str, Any]:
        """Keys for the Collector alone."""
        return {} if self.is_ours else keys


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the system listens, and where its backend does."""

    intake: int
    health: int
    page: int
    backend: int

    @classmethod
    def free(cls) -> Ports:
        """Ports that are free now."""
        return cls(*free_ports(4))


@dataclass(slots=True)
class Result:
    """The ledger of one scenario; `problems` beside it are what else is against the rule."""

    faults: int
    account: Account
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    destroyed: int = 0
    """So many acknowledged spans the fault itself may have destroyed."""

    def verdict(self) -> list[str]:
        """What breaks the rule: nothing acknowledged is lost, nothing repeats that was not in flight at a fault."""
        found = list(self.problems)
        if not self.account.acknowledged:
            found.append("nothing was acknowledged")
        if self.account.lost > self.destroyed:
            found.append(f"{self.account.lost} acknowledged spans are lost")
        if self.account.unexplained:
            found.append(f"{self.account.unexplained} repetitions of what was not in flight")
        return found


def configuration(
    ports: Ports,
    receiver: Mapping[str, Any],
    exporter: Mapping[str, Any],
    *,
    processors: Mapping[str, Any] | None = None,
    storage: Path | None = None,
) -> dict[str, Any]:
    """Traces from one receiver to one exporter (each as `{type: keys}`), with a health page and a metrics page."""
    order = list(processors or {})
    extensions: dict[str, Any] = {"health_check": {"endpoint": f"127.0.0.1:{ports.health}"}}
    if storage is not None:
        extensions["file_storage"] = {"directory": str(storage), "create_directory": True}
    page = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": ports.page}}}}
    return {
        "receivers": dict(receiver),
        "processors": dict(processors or {}),
        "exporters": dict(exporter),
        "extensions": extensions,
        "service": {
            "extensions": list(extensions),
            "telemetry": {"metrics": {"readers": [page]}},
            "pipelines": {"traces": {"receivers": [*receiver], "processors": order, "exporters": [*exporter]}},
        },
    }


def otlp_in(ports: Ports, **keys: Any) -> dict[str, Any]:
    """The OTLP receiver, over gRPC."""
    return {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{ports.intake}"}}, **keys}}


def otlp_out(ports: Ports, *, queue: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """An exporter to the backend of the test that tries again soon; nothing times out but for a fault."""
    exporter = {
        "endpoint": f"127.0.0.1:{ports.backend}",
        "tls": {"insecure": True},
        "compression": "none",
        "timeout": "30s",
        "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms", "max_elapsed_time": "0s"},
        "sending_queue": {"queue_size": 100_000, **(queue or {})},
    }
    return {"otlp": {**exporter, **keys}}


def kafka_in(broker: Broker, topics: Sequence[str], group: str, **keys: Any) -> dict[str, Any]:
    """A consumer of these topics from their beginning that commits often."""
    receiver = {
        "brokers": [broker.bootstrap],
        "traces": {"topics": list(topics)},
        "group_id": group,
        "initial_offset": "earliest",
        "session_timeout": "6s",
        "heartbeat_interval": "1s",
    }
    return {"kafka": {**receiver, **keys}}


def kafka_out(broker: Broker, topic: str, **keys: Any) -> dict[str, Any]:
    """A producer to this topic whose records every replica has taken."""
    exporter = {
        "brokers": [broker.bootstrap],
        "traces": {"topic": topic},
        "timeout": "30s",
        "producer": {"required_acks": -1, "compression": "zstd"},
        "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms", "max_elapsed_time": "0s"},
    }
    return {"kafka": {**exporter, **keys}}
