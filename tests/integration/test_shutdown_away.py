"""SIGTERM while the backend is away: what was accepted still arrives."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import grpc.aio
import pytest

from pipeline.testing import trace_request
from tests.integration.faulty_link import faulty_link
from tests.integration.test_delivery_faults import arrived
from tests.servers.backend import Backend
from tests.servers.collectors import penstock
from tests.servers.processes import free_ports

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.mark.parametrize("batched", [False, True], ids=["requests", "batches"])
async def test_what_was_accepted_arrives_after_sigterm_once_the_backend_is_back(
    tmp_path: Path, otlp_backend: Backend, *, batched: bool
) -> None:
    intake, later = free_ports(2)
    queue = {"batch": {"min_size": 1000, "flush_timeout": "60s"}} if batched else {}
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}}},
        "exporters": {
            "otlp_grpc": {"endpoint": f"127.0.0.1:{later}", "tls": {"insecure": True}, "sending_queue": queue}
        },
        "service": {"pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["otlp_grpc"]}}},
    }

    with penstock(config, tmp_path, ports=[intake]) as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{intake}") as channel:
            export = channel.unary_unary(METHOD, None, None)
            for number in range(100):
                await export(trace_request({"n": number}).SerializeToString(), timeout=10)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(2)
        assert server.process.poll() is None, server.log()
        async with faulty_link(otlp_backend.grpc_port, port=later):
            assert await asyncio.to_thread(server.process.wait, 60) == 0, server.log()

    assert arrived(otlp_backend.bodies["traces"]) == Counter(range(100))
