"""Remote write against a Prometheus that is away, slow, refuses, and comes back; Penstock killed in between."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.servers.collectors import penstock
from tests.servers.otlp import post
from tests.servers.processes import free_ports
from tests.servers.prometheus import prometheus
from tests.servers.remote_write_relay import Action, Relay, remote_write_relay
from tests.support.remote_write import samples, times

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.prometheus import Prometheus

pytestmark = pytest.mark.server
SERIES = 12
SECOND = 10**9


class Sender:
    """Sends a step at a time: each series gets the step's number as its value."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.began_ns = (time.time_ns() // SECOND - 120) * SECOND
        self.acknowledged: list[int] = []

    def step(self, *, series: range = range(SERIES)) -> None:
        """Send the next step; it counts when it is acknowledged."""
        step = len(self.acknowledged)
        self.send({f"m{index}": float(step) for index in series}, self.began_ns + step * SECOND)
        self.acknowledged.append(step)

    def send(self, values: dict[str, float], time_ns: int) -> None:
        """Send a gauge for each name."""
        request = ExportMetricsServiceRequest()
        scope = request.resource_metrics.add().scope_metrics.add()
        for name, value in values.items():
            scope.metrics.add(name=name).gauge.data_points.add(time_unix_nano=time_ns, as_double=value)
        post(self.port, "metrics", request.SerializeToString())

    def expected(self) -> dict[str, list[tuple[float, str]]]:
        """(time, value) of every acknowledged sample by series, as Prometheus tells them."""
        points = [((self.began_ns + step * SECOND) / SECOND, str(step)) for step in self.acknowledged]
        return {f"m{index}": points for index in range(SERIES)}


def _config(folder: Path, otlp: int, url: str, **keys: Any) -> dict[str, Any]:
    exporter = {
        "endpoint": f"{url}/api/v1/write",
        "without_scope_info": True,
        # A busy machine may take long; a request that is sent again for that is one too many.
        "timeout": "30s",
        "retry_on_failure": {"initial_interval": "50ms", "max_interval": "200ms"},
        "sending_queue": {"storage": "file_storage", "block_on_overflow": True},
        "max_batch_size_bytes": 200,
        "max_batch_request_parallelism": 2,
        **keys,
    }
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
        "extensions": {"file_storage": {"directory": str(folder / "queue"), "create_directory": True}},
        "exporters": {"prometheus_remote_write": exporter},
        "service": {
            "extensions": ["file_storage"],
            "pipelines": {"metrics": {"receivers": ["otlp"], "exporters": ["prometheus_remote_write"]}},
        },
    }


def _found(server: Prometheus) -> dict[str, list[tuple[float, str]]]:
    results = server.query('{__name__=~"m[0-9]+"}[1h]')
    return {r["metric"]["__name__"]: [(float(at), value) for at, value in r["values"]] for r in results}


def _check_order(relay: Relay, *, kills: int) -> None:
    """No sample goes behind a later one of its series, and what has arrived goes once."""
    newest: dict[str, int] = {}
    arrived: set[bytes] = set()
    again = 0
    for sent in relay.sent:
        for name, stamps in times(sent.body).items():
            assert stamps == sorted(stamps)
            assert stamps[0] >= newest.get(name, 0)
            newest[name] = stamps[-1]
        again += sent.body in arrived
        if sent.status == 204:
            arrived.add(sent.body)
    # Only a kill takes the knowledge of what has arrived: at most of the requests of one batch.
    assert again <= kills * SERIES


FAULTS: list[Action] = ["pass", 503, 429, "pass", "hang", 500, "lose", "pass", 429, 503]


def test_nothing_acknowledged_is_lost_and_nothing_overtaken(tmp_path: Path) -> None:
    otlp, relay_port = free_ports(2)
    # Each request that hangs takes this long; of those that are late, a kill explains some.
    config = _config(tmp_path, otlp, f"http://127.0.0.1:{relay_port}", timeout="2s")
    sender = Sender(otlp)
    with prometheus(tmp_path / "prometheus") as server, penstock(config, tmp_path / "first", ports=[otlp]) as first:
        for _ in range(4):
            sender.step()
        # Until here there was no backend; now there is one that misbehaves.
        with remote_write_relay(server.url, port=relay_port) as relay:
            relay.script = lambda number, _body: FAULTS[number % len(FAULTS)]
            for _ in range(4):
                sender.step()
            first.wait_until(lambda: len(relay.sent) > 2 * len(FAULTS))
            first.process.kill()
            first.process.wait()
            killed_at = len(relay.sent)
            with penstock(config, tmp_path / "second", ports=[otlp]) as second:
                sender.step()
                second.wait_until(lambda: len(relay.sent) > killed_at + 3)
                relay.script = lambda _number, _body: "pass"
                sender.step()
                second.wait_until(lambda: _found(server) == sender.expected())
            _check_order(relay, kills=1)
    assert {sent.action for sent in relay.sent} >= {"pass", "hang", "lose", 429, 500, 503}


def test_what_is_refused_for_good_does_not_sink_the_rest(tmp_path: Path) -> None:
    """A sample that is older than what Prometheus has: it answers 400 and keeps nothing of the request."""
    (otlp,) = free_ports(1)
    sender = Sender(otlp)
    with prometheus(tmp_path / "prometheus") as server, remote_write_relay(server.url) as relay:
        config = _config(tmp_path, otlp, relay.url, max_batch_size_bytes=100_000)
        with penstock(config, tmp_path / "penstock", ports=[otlp]) as collector:
            sender.send({"late": 2.0, "other": 2.0}, sender.began_ns + 50 * SECOND)
            collector.wait_until(lambda: len(server.query("late[1h]")) == 1)
            sender.send(
                {"late": 1.0, **{f"m{index}": 0.0 for index in range(SERIES)}},
                sender.began_ns,
            )
            sender.acknowledged.append(0)
            sender.step()
            collector.wait_until(lambda: _found(server) == sender.expected())
            collector.wait_until(lambda: "rejects samples" in collector.log())
        statuses = [sent.status for sent in relay.sent]
        assert statuses.count(400) in range(3, 8)
        assert [value for _, value in server.query("late[1h]")[0]["values"]] == ["2"]
        arrived = [each for sent in relay.sent if sent.status == 204 for each in samples(sent.body)]
        assert len(arrived) == len(set(arrived))
        assert "out_of_order" in collector.log()


def test_a_prometheus_that_ends_and_comes_back(tmp_path: Path) -> None:
    otlp, relay_port = free_ports(2)
    sender = Sender(otlp)
    config = _config(tmp_path, otlp, f"http://127.0.0.1:{relay_port}")
    with (
        penstock(config, tmp_path / "penstock", ports=[otlp]) as collector,
        prometheus(tmp_path / "prometheus") as server,
        remote_write_relay(server.url, port=relay_port) as relay,
    ):
        for _ in range(3):
            sender.step()
        collector.wait_until(lambda: _found(server) == sender.expected())
        server.server.process.kill()
        for _ in range(3):
            sender.step()
        collector.wait_until(lambda: relay.sent[-1].status == 502)
        with prometheus(tmp_path / "prometheus") as again:
            relay.target = again.url
            sender.step()
            collector.wait_until(lambda: _found(again) == sender.expected())
        _check_order(relay, kills=0)
