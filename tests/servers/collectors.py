"""The real Collector and Penstock, started with a configuration in the dialect they share."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.servers.lookup import require_program
from tests.servers.processes import Server, listening, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]


def penstock_command() -> list[str]:
    """The command line of Penstock as these sources have it."""
    return [sys.executable, "-m", "pipeline"]


def _quiet(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without the metrics page of its own, unless the configuration asks for one: its default port may be taken."""
    service = dict(config["service"])
    service.setdefault("telemetry", {"metrics": {"level": "none"}})
    return {**config, "service": service}


@contextlib.contextmanager
def _collector(
    command: Sequence[str | Path],
    config: Mapping[str, Any],
    folder: Path,
    ports: Sequence[int],
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(_quiet(config), sort_keys=False, allow_unicode=True), encoding="utf-8")
    env = env or {**os.environ, "PYTHONPATH": str(ROOT)}
    with running(
        [*command, "--config", path], folder / "collector.log", ready=lambda _: listening(*ports), env=env
    ) as server:
        yield server


@contextlib.contextmanager
def otelcol(
    config: Mapping[str, Any], folder: Path, *, ports: Sequence[int], gates: Sequence[str] = ()
) -> Iterator[Server]:
    """The real Collector with `config`; ready when it listens on all `ports`. Skips the test where it is not built.

    `gates` are feature gates, `-` in front of those that are off.
    """
    flags = [f"--feature-gates={','.join(gates)}"] if gates else []
    with _collector([require_program("otelcol"), *flags], config, folder, ports) as server:
        yield server


@contextlib.contextmanager
def penstock(
    config: Mapping[str, Any],
    folder: Path,
    *,
    ports: Sequence[int],
    env: Mapping[str, str] | None = None,
    workers: int = 1,
) -> Iterator[Server]:
    """Penstock in a process of its own with `config`; ready when it listens on all `ports`, and all workers do."""
    arguments = ["--workers", str(workers)] if workers > 1 else []
    with _collector([*penstock_command(), *arguments], config, folder, ports, env) as server:
        if workers > 1:
            server.wait_until(lambda: "All workers are ready." in server.log())
        yield server
