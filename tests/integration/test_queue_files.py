"""Files of durable queues outlive processes: renamed exporters, fewer workers, damage."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import grpc.aio

from pipeline.delivery.durable.file.names import Kind, files_in
from pipeline.testing import trace_request
from tests.integration.test_delivery_faults import arrived
from tests.servers.backend import Backend
from tests.servers.collectors import ROOT, penstock, penstock_command
from tests.servers.processes import Server, free_ports
from tests.unit.delivery.durable.sqlite_files import flip

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
REQUESTS = 60


def config(storage: Path, intake: int, backend: int, exporter: str = "otlp_grpc") -> dict[str, Any]:
    return {
        "extensions": {"file_storage": {"directory": str(storage)}},
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}}},
        "exporters": {
            exporter: {
                "endpoint": f"127.0.0.1:{backend}",
                "tls": {"insecure": True},
                "sending_queue": {"storage": "file_storage"},
            }
        },
        "service": {
            "extensions": ["file_storage"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": [exporter]}},
        },
    }


async def killed_with_data(folder: Path, workers: int = 1) -> Path:
    """A storage directory as processes left it that were killed while the backend was away."""
    storage = folder / "storage"
    storage.mkdir()
    intake, nobody = free_ports(2)
    with penstock(config(storage, intake, nobody), folder / "killed", ports=[intake], workers=workers) as server:
        for number in range(REQUESTS):
            # A connection each, so that every worker gets some.
            async with grpc.aio.insecure_channel(
                f"127.0.0.1:{intake}", options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                await channel.unary_unary(METHOD, None, None)(trace_request({"n": number}).SerializeToString())
        kill_all(server)
    return storage


def kill_all(server: Server) -> None:
    """Kill the process and its workers at once."""
    children = subprocess.run(["pgrep", "-P", str(server.process.pid)], capture_output=True, text=True, check=False)
    subprocess.run(["kill", "-9", str(server.process.pid), *children.stdout.split()], check=True)
    server.process.wait(10)


async def all_arrive(backend: Backend) -> None:
    def enough(_: list[bytes]) -> bool:
        return set(arrived(backend.bodies["traces"])) >= set(range(REQUESTS))

    await asyncio.to_thread(backend.wait, "traces", enough, 30)
    assert arrived(backend.bodies["traces"]) == Counter(range(REQUESTS))


async def test_a_renamed_exporter_takes_over_by_command_while_it_runs(tmp_path: Path, otlp_backend: Backend) -> None:
    storage = await killed_with_data(tmp_path)
    (left,) = files_in(storage)
    (intake,) = free_ports(1)
    renamed = config(storage, intake, otlp_backend.grpc_port, "otlp_grpc/renamed")
    with penstock(renamed, tmp_path / "renamed", ports=[intake]) as server:
        server.wait_until(lambda: "penstock queue requeue" in server.log())
        assert str(left.path) in server.log()
        command = [*penstock_command(), "queue", "requeue", str(left.path), "--exporter", "otlp_grpc/renamed"]
        await asyncio.to_thread(subprocess.run, command, check=True, cwd=ROOT, capture_output=True)
        await all_arrive(otlp_backend)
        server.wait_until(lambda: len(list(files_in(storage))) == 1)


async def test_one_worker_takes_over_what_three_left(tmp_path: Path, otlp_backend: Backend) -> None:
    storage = await killed_with_data(tmp_path, workers=3)
    assert {file.worker for file in files_in(storage)} == {0, 1, 2}
    (intake,) = free_ports(1)
    with penstock(config(storage, intake, otlp_backend.grpc_port), tmp_path / "one", ports=[intake]) as server:
        await all_arrive(otlp_backend)
        server.wait_until(lambda: [file.worker for file in files_in(storage)] == [0])


async def test_a_damaged_file_is_set_aside_and_its_data_arrives(tmp_path: Path, otlp_backend: Backend) -> None:
    storage = await killed_with_data(tmp_path)
    (left,) = files_in(storage)
    flip(left.path, 17)
    flip(left.path.with_name(left.path.name + "-wal"), 5)
    (intake,) = free_ports(1)
    with penstock(config(storage, intake, otlp_backend.grpc_port), tmp_path / "again", ports=[intake]) as server:
        await all_arrive(otlp_backend)
        assert "The queue file is damaged." in server.log()
    assert [file.kind for file in files_in(storage)] == [Kind.QUEUE, Kind.CORRUPT]
