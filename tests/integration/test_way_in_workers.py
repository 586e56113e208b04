"""Ports that several workers share, and the page of their parent: with and without certificates and tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.servers.collectors import penstock
from tests.servers.processes import free_ports
from tests.support.certificates import Authority
from tests.support.doors import TRANSPORT_REFUSED, Doors

SHARED = ("otlp grpc", "otlp http", "health")


def configuration(ports: dict[str, int], tls: dict[str, str]) -> dict[str, Any]:
    at = {
        port: {"endpoint": f"127.0.0.1:{ports[port]}", "tls": tls, "auth": {"authenticator": "bearertokenauth"}}
        for port in SHARED
    }
    page = {"host": "127.0.0.1", "port": ports["own metrics"], "tls": tls}
    return {
        "receivers": {"otlp": {"protocols": {"grpc": at["otlp grpc"], "http": at["otlp http"]}}},
        "exporters": {"nop": None},
        "extensions": {"bearertokenauth": {"token": "right"}, "health_check": at["health"]},
        "service": {
            "extensions": ["bearertokenauth", "health_check"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["nop"]}},
            "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": page}}}]}},
        },
    }


async def test_workers_let_in_who_one_process_would(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    ports = dict(zip((*SHARED, "own metrics"), free_ports(4), strict=True))
    ours, theirs = authority.issue("client"), Authority(tmp_path / "other").issue("client")
    right, wrong = ({"Authorization": f"Bearer {token}"} for token in ("right", "wrong"))
    with penstock(configuration(ports, tls), tmp_path, ports=list(ports.values()), workers=2):
        doors = Doors(ports, authority, is_tls=True)
        # More than once: connections go to one worker or the other.
        for _ in range(4):
            for port in ports:
                assert await doors.knock(port, right) == TRANSPORT_REFUSED
                assert await doors.knock(port, right, theirs) == TRANSPORT_REFUSED
                assert await doors.knock(port, right, ours) == "let in"
            for port in SHARED:
                assert await doors.knock(port, wrong, ours) == "refused"
                assert await doors.knock(port, {}, ours) == "refused"
