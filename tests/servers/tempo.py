"""A real Tempo: takes OTLP over gRPC and HTTP, answers TraceQL."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.lookup import find_program
from tests.servers.processes import answers, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.servers.processes import Server

SEARCH_TIMEOUT_S = 60.0


class Tempo:
    """A running Tempo. With tenants, every question needs the tenant that it is asked for."""

    def __init__(self, url: str, grpc_port: int, otlp_port: int, server: Server) -> None:
        self.url = url
        self.grpc_port = grpc_port
        self.http_port = otlp_port
        self.server = server

    def search(self, query: str, tenant: str = "", limit: int = 20) -> list[dict[str, Any]]:
        """Traces that a TraceQL query finds now. Raises ValueError for one that Tempo does not read."""
        return list(self.get("/api/search", tenant, q=query, limit=str(limit)).get("traces", []))

    def found(self, query: str, tenant: str = "", count: int = 1) -> list[dict[str, Any]]:
        """As `search`, as soon as there are `count`: what came in can be found a few seconds later."""
        deadline = time.monotonic() + SEARCH_TIMEOUT_S
        while len(traces := self.search(query, tenant, limit=max(20, count))) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(traces)} of {count} traces for {query}:\n{self.server.log()[-2000:]}")
            time.sleep(0.2)
        return traces

    def trace(self, trace_id: str, tenant: str = "") -> dict[str, Any]:
        """A whole trace, as OTLP JSON under `trace`."""
        return self.get(f"/api/v2/traces/{trace_id}", tenant)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a counter of Tempo's own over all series with these labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def get(self, path: str, tenant: str = "", **parameters: str) -> dict[str, Any]:
        """One question to the API. Raises ValueError with Tempo's answer where it refuses."""
        request = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(parameters)}")
        if tenant:
            request.add_header("X-Scope-OrgID", tenant)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(f"{error.code}: {error.read().decode(errors='replace')[:500]}") from None


def _config(folder: Path, ports: list[int], overrides: Mapping[str, Any]) -> dict[str, Any]:
    http, grpc, otlp_grpc, otlp_http, gossip = ports
    return {
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": http,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "distributor": {
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"127.0.0.1:{otlp_grpc}"},
                        "http": {"endpoint": f"127.0.0.1:{otlp_http}"},
                    }
                }
            }
        },
        "ingester": {
            "trace_idle_period": "1s",
            "flush_check_period": "1s",
            "lifecycler": {
                "address": "127.0.0.1",
                "min_ready_duration": "0s",
                "ring": {"kvstore": {"store": "inmemory"}, "replication_factor": 1},
            },
        },
        "memberlist": {"bind_addr": ["127.0.0.1"], "bind_port": gossip},
        "storage": {
            "trace": {"backend": "local", "wal": {"path": f"{folder}/wal"}, "local": {"path": f"{folder}/blocks"}}
        },
        "usage_report": {"reporting_enabled": False},
        **overrides,
    }


@contextlib.contextmanager
def tempo(folder: Path, **overrides: Any) -> Iterator[Tempo]:
    """Tempo with `overrides` of its configuration (`multitenancy_enabled=True`); skips the test where there is none."""
    program = find_program("tempo")
    if program is None:
        pytest.skip("no tempo: put the program of a release of Tempo on PATH, or set PENSTOCK_TEST_TEMPO to its path")
    folder.mkdir(parents=True, exist_ok=True)
    ports = free_ports(5)
    path = folder / "tempo.yaml"
    path.write_text(yaml.safe_dump(_config(folder, ports, overrides)), encoding="utf-8")
    url = f"http://127.0.0.1:{ports[0]}"
    command: list[str | Path] = [program, f"-config.file={path}"]
    with running(command, folder / "tempo.log", ready=lambda _: answers(f"{url}/ready")) as server:
        try:
            yield Tempo(url, ports[2], ports[3], server)
        finally:
            # It takes a quarter of a minute to flush what nobody will read.
            server.process.kill()
