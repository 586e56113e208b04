"""Conservation by Penstock's own metrics: what was accepted was sent, failed, or dropped; nothing else."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.servers.collectors import penstock
from tests.servers.ledger import Client, Sink, series, sink, span_ids
from tests.servers.processes import free_ports

POISON_EVERY = 97


class Picky(Sink):
    """A backend that rejects a request which contains a poisonous span, and is away now and then."""

    calls = 0

    def _take(self, body: bytes, context: grpc.ServicerContext) -> bytes:
        self.calls += 1
        if self.calls % 7 == 0:
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if any(number % POISON_EVERY == 0 for number in span_ids(body)):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "poison")
        return super()._take(body, context)


@pytest.mark.parametrize(
    "processors", [{}, {"batch": {"timeout": "20ms", "send_batch_size": 300}}], ids=["plain", "batch"]
)
def test_accepted_is_sent_plus_failed(processors: dict[str, Any], tmp_path: Path) -> None:
    intake, backend, page = free_ports(3)
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{intake}"}}}},
        "processors": processors,
        "exporters": {
            "otlp_grpc": {
                "endpoint": f"127.0.0.1:{backend}",
                "tls": {"insecure": True},
                "retry_on_failure": {"initial_interval": "20ms", "max_interval": "100ms"},
            }
        },
        "service": {
            "telemetry": {
                "metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": page}}}}]}
            },
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": list(processors), "exporters": ["otlp_grpc"]}
            },
        },
    }
    picky = Picky(backend)
    picky.up()
    try:
        with penstock(config, tmp_path, ports=[intake, page]):
            client = Client(f"127.0.0.1:{intake}", spans=50)
            for _ in range(40):
                assert client.send(), client.codes
            poisonous = {number for number in client.sent if number % POISON_EVERY == 0}
            deadline = time.monotonic() + 60
            while set(picky.arrived) != client.sent - poisonous and time.monotonic() < deadline:
                time.sleep(0.05)
            client.close()
            assert poisonous
            assert set(picky.arrived) == client.sent - poisonous
            assert set(picky.arrived.values()) == {1}
            while series(page, "otelcol_exporter_send_failed_spans_total") < len(poisonous):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            accepted = series(page, "otelcol_receiver_accepted_spans_total")
            assert accepted == len(client.sent)
            assert series(page, "otelcol_exporter_sent_spans_total") == len(client.sent - poisonous)
            assert series(page, "otelcol_exporter_send_failed_spans_total") == len(poisonous)
            assert series(page, "otelcol_exporter_queue_size") == 0
    finally:
        picky.down()


def test_the_ledger_would_notice_a_loss(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with sink(port) as arrived:
        client = Client(f"127.0.0.1:{port}")
        assert client.send()
        assert client.acknowledged == set(arrived.arrived)
        arrived.down()
        assert not client.send(timeout_s=1)
        assert client.sent > client.acknowledged
        client.close()
