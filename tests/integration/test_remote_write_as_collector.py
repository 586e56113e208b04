"""The real Collector writes the same series with the same values, but for what docs/deviations.md says."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.clock import SystemClock
from pipeline.exporters.prometheus_remote_write import PrometheusRemoteWriteExporter
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import configured, make_host
from tests.servers.collectors import otelcol
from tests.servers.otlp import post
from tests.servers.processes import free_ports
from tests.servers.remote_write_relay import remote_write_relay
from tests.support.otlp_metrics import Metrics, every_kind, other_resources
from tests.support.remote_write import decoded, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.server

CONFIGS: dict[str, dict[str, Any]] = {
    "default": {},
    "metadata": {"send_metadata": True, "target_info": {"enabled": False}},
    "labels": {
        "namespace": "ns",
        "external_labels": {"zone.x": "eu"},
        "add_metric_suffixes": False,
        "resource_to_telemetry_conversion": {"enabled": True, "exclude_service_attributes": True},
    },
    "resource": {"resource_to_telemetry_conversion": {"enabled": True}},
    "parted": {"max_batch_size_bytes": 500, "max_batch_request_parallelism": 3},
}
# Deltas and their like, of which the Collector drops the points and writes the metadata.
DROPPED = {"delta_total", "unspecified_total", "h_delta_seconds"}


def what_both_write() -> bytes:
    """Metrics of every kind, without what differs on purpose."""
    keys = {"a.b": "1", "y": True, "9d": 1.5, "l": ["p", 1], "esc": 'a"b\\c\nd', "nüx": "u", "x.y": "1", "x_y": "2"}
    metrics = every_kind(keys)
    metrics.sum("ended").flags = 1
    for value in (0.05, 0.5, 70.0):
        exemplar = metrics.histogram(f"h{value}").exemplars.add(time_unix_nano=metrics.now, as_double=value)
        exemplar.trace_id, exemplar.span_id = b"\1" * 16, b"\2" * 8
    metrics.histogram("h.bounds", bounds=(0.001, 0.25, 999999))
    return other_resources(metrics)


def _bits(value: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def written(bodies: list[bytes]) -> set[tuple[Any, ...]]:
    """All that requests say, whatever their order and division."""
    found: set[tuple[Any, ...]] = set()
    for request in map(decoded, bodies):
        for series in request.timeseries:
            name = name_of(series)
            found |= {(name, _bits(sample.value), sample.timestamp) for sample in series.samples}
            found |= {(name, histogram.SerializeToString()) for histogram in series.histograms}
            found |= {
                (name, e.value, e.timestamp, frozenset((x.name, x.value) for x in e.labels)) for e in series.exemplars
            }
        found |= {(each.metric_family_name, each.type, each.help, each.unit) for each in request.metadata}
    return found


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, dict[str, set[tuple[Any, ...]]]]]:
    """A request, and what the real Collector writes of it."""
    body = what_both_write()
    (port,) = free_ports(1)
    with contextlib.ExitStack() as stack:
        relays = {name: stack.enter_context(remote_write_relay()) for name in CONFIGS}
        exporters = {
            f"prometheusremotewrite/{name}": {
                "endpoint": f"{relay.url}/api/v1/write", "remote_write_queue": {"enabled": False}, **CONFIGS[name],
            }
            for name, relay in relays.items()
        }  # fmt: skip
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": exporters,
            "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": list(exporters)}}},
        }
        stack.enter_context(otelcol(config, tmp_path_factory.mktemp("otelcol"), ports=[port]))
        post(port, "metrics", body)
        yield body, {name: written([sent.body for sent in relay.sent]) for name, relay in relays.items()}


async def ours(body: bytes, **config: Any) -> set[tuple[Any, ...]]:
    host = make_host("prometheus_remote_write", kind=Kind.EXPORTER, clock=SystemClock())
    with remote_write_relay() as relay:
        exporter: PrometheusRemoteWriteExporter = configured(
            PrometheusRemoteWriteExporter, host, endpoint=f"{relay.url}/api/v1/write", **config
        )
        await exporter.start()
        await exporter.export(parse(Signal.METRICS, body))
        await exporter.stop()
        return written([sent.body for sent in relay.sent])


@pytest.mark.parametrize("name", CONFIGS)
async def test_same_as_the_real_collector(theirs: tuple[bytes, dict[str, set[tuple[Any, ...]]]], name: str) -> None:
    body, found = theirs
    kept = {each for each in found[name] if each[0] not in DROPPED}
    assert await ours(body, without_scope_info=True, **CONFIGS[name]) == kept


async def test_what_differs_on_purpose(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.resource(service__name="shop")
    metrics.gauge("g", attributes={"_x": 2, "x___y": "1", "empty": "", "same.k": "v", "same_k": "v"})
    metrics.histogram("h", bounds=(0.00001, 1e6))
    body = metrics.request.SerializeToString()
    (port,) = free_ports(1)
    with remote_write_relay() as relay:
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": {"prometheusremotewrite": {"endpoint": relay.url, "remote_write_queue": {"enabled": False}}},
            "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": ["prometheusremotewrite"]}}},
        }
        with otelcol(config, tmp_path, ports=[port]):
            await asyncio.to_thread(post, port, "metrics", body)
        found = written([sent.body for sent in relay.sent])
    expected = await ours(body)
    scope = 'otel_scope_name="sc",otel_scope_sa_x="y",otel_scope_schema_url="http://schema",otel_scope_version="v1"'
    assert _names(found - expected) == {
        'g{empty="",job="shop",key_x="2",same_k="v",x_y="1"}',
        'h_seconds_bucket{job="shop",le="+Inf"}',
        'h_seconds_bucket{job="shop",le="0.00001"}',
        'h_seconds_bucket{job="shop",le="1000000"}',
        'h_seconds_count{job="shop"}',
        'h_seconds_sum{job="shop"}',
    }
    assert _names(expected - found) == {
        f'g{{_x="2",job="shop",{scope},same_k="v;v",x___y="1"}}',
        f'h_seconds_bucket{{job="shop",le="+Inf",{scope}}}',
        f'h_seconds_bucket{{job="shop",le="1e+06",{scope}}}',
        f'h_seconds_bucket{{job="shop",le="1e-05",{scope}}}',
        f'h_seconds_count{{job="shop",{scope}}}',
        f'h_seconds_sum{{job="shop",{scope}}}',
    }


def _names(found: set[tuple[Any, ...]]) -> set[str]:
    return {each[0] for each in found}
