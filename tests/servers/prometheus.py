"""A real Prometheus: scrapes what it is told, takes remote writes, answers queries."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import yaml

from tests.servers.lookup import require_program
from tests.servers.processes import answers, free_ports, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.servers.processes import Server


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str, server: Server) -> None:
        self.url = url
        self.server = server

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Result vector of an instant query."""
        return list(self._get("query", query=expression)["result"])

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[dict[str, Any]]:
        """Result matrix of a query over a range of Unix time."""
        times = {"start": str(start_s), "end": str(end_s), "step": str(step_s)}
        return list(self._get("query_range", query=expression, **times)["result"])

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of the last hour for the series of an expression."""
        now = time.time()
        answer = self._get("query_exemplars", query=expression, start=str(now - 3600), end=str(now + 60))
        return [dict(series) for series in answer]

    def targets(self) -> list[dict[str, Any]]:
        """The active scrape targets with their health and last error."""
        return list(self._get("targets")["activeTargets"])

    def _get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]


@contextlib.contextmanager
def prometheus(folder: Path, *, targets: Sequence[str] = (), interval: str = "1s") -> Iterator[Prometheus]:
    """Prometheus scraping `/metrics` of `targets` (`host:port`); skips the test where none is installed."""
    config = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval},
        "scrape_configs": [{"job_name": "test", "static_configs": [{"targets": list(targets)}]}],
    }
    with configured_prometheus(folder, config) as server:
        yield server


@contextlib.contextmanager
def configured_prometheus(folder: Path, config: Mapping[str, Any], port: int = 0) -> Iterator[Prometheus]:
    """Prometheus with a configuration in `folder`, on a free port unless one is given; skips where there is none."""
    program = require_program("prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    port = port or free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage,native-histograms",
    ]
    with running(command, folder / "prometheus.log", ready=lambda _: answers(f"{url}/-/ready")) as server:
        yield Prometheus(url, server)
