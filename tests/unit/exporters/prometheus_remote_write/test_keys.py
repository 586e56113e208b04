"""The keys that are this exporter's own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from pipeline.config.effective import effective, render
from pipeline.config.loading import examine
from pipeline.delivery.settings import delivery_of
from pipeline.exporters.prometheus_remote_write import PrometheusRemoteWriteExporter
from pipeline.prometheus.names import Strategy
from tests.support.remote_write import decoded, name_of, samples
from tests.unit.exporters.http_server import http_server
from tests.unit.exporters.prometheus_remote_write.remote import NOW, Request, exporter_to, written, written_samples

Config = PrometheusRemoteWriteExporter.Config
SERVICE = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "1", "zone": "a"}
URL = "http://localhost:9090/api/v1/write"


async def test_namespace_stands_in_front_of_every_name() -> None:
    found = await written_samples(Request(SERVICE).gauge("m", 1).batch(), namespace="ns", target_info={"enabled": True})
    assert {name.partition("{")[0] for name in found} == {"ns_m", "ns_target_info"}


async def test_external_labels_stand_behind_those_of_the_series() -> None:
    labels = {"zone.x": "eu", "own": "no", "job": "no"}
    (found,) = await written_samples(
        Request({"service.name": "shop"}).gauge("m", 1, own="yes").batch(), external_labels=labels
    )
    assert found == 'm{job="shop",own="yes",zone_x="eu"}'


@pytest.mark.parametrize("labels", [{"a": ""}, {"": "a"}])
def test_external_labels_say_something(labels: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="empty key or value"):
        Config(endpoint=URL, external_labels=labels)


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (Strategy.UNDERSCORES_WITH_SUFFIXES, 'a_b_seconds_total{k_l="1"}'),
        (Strategy.UNDERSCORES, 'a_b{k_l="1"}'),
        (Strategy.UTF8_WITH_SUFFIXES, 'a.b_seconds_total{k.l="1"}'),
        (Strategy.NONE, 'a.b{k.l="1"}'),
    ],
)
async def test_translation_strategies(strategy: Strategy, name: str) -> None:
    request = Request()
    request.sum("a.b", 1, unit="s").attributes.add(key="k.l").value.int_value = 1
    assert list(await written_samples(request.batch(), translation_strategy=strategy)) == [name]


async def test_names_without_suffixes() -> None:
    request = Request()
    request.sum("a.b", 1, unit="s")
    assert list(await written_samples(request.batch(), add_metric_suffixes=False)) == ["a_b"]


async def test_scope_labels() -> None:
    batch = Request(scope="lib").gauge("m", 1).batch()
    assert list(await written_samples(batch, without_scope_info=False)) == ['m{otel_scope_name="lib"}']


async def test_target_info_can_be_left_out() -> None:
    (found,) = await written_samples(Request(SERVICE).gauge("m", 1).batch(), target_info={"enabled": False})
    assert found == 'm{instance="1",job="eu/shop"}'


@pytest.mark.parametrize("excluded", [False, True])
async def test_resource_attributes_as_labels(excluded: bool) -> None:
    conversion = {"enabled": True, "exclude_service_attributes": excluded}
    found = await written_samples(
        Request(SERVICE).gauge("m", 1).batch(),
        resource_to_telemetry_conversion=conversion,
        target_info={"enabled": False},
    )
    service = "" if excluded else 'service_instance_id="1",service_name="shop",service_namespace="eu",'
    assert list(found) == [f'm{{instance="1",job="eu/shop",{service}zone="a"}}']


@pytest.mark.parametrize("enabled", [False, True])
async def test_metadata(enabled: bool) -> None:
    request = Request()
    request.sum("c", 1, unit="By/s", description="what")
    request.gauge("g", 1)
    found = [
        (each.metric_family_name, each.type, each.help, each.unit)
        for body in (await written(request.batch(), send_metadata=enabled)).bodies
        for each in decoded(body).metadata
    ]
    assert found == ([("c_bytes_per_second_total", 1, "what", "bytes_per_second"), ("g", 2, "", "")] if enabled else [])


async def test_requests_are_no_larger_than_max_batch_size_bytes() -> None:
    request = Request()
    for index in range(50):
        request.gauge(f"m{index}", index)
    large = await written(request.batch(), max_batch_size_bytes=0)
    small = await written(request.batch(), max_batch_size_bytes=120)
    sizes = [decoded(body).ByteSize() for body in small.bodies]
    assert len(large.bodies) == 1
    assert max(sizes) <= 120
    assert sorted(samples(*small.bodies)) == sorted(samples(*large.bodies))
    names = [{name_of(series) for series in decoded(body).timeseries} for body in small.bodies]
    assert sum(map(len, names)) == len(set().union(*names))


@pytest.mark.parametrize(
    ("keys", "most"),
    [
        ({"remote_write_queue": {"num_consumers": 2}}, 2),
        ({"remote_write_queue": {"num_consumers": 2}, "max_batch_request_parallelism": 3}, 3),
    ],
)
async def test_so_many_requests_of_a_batch_are_under_way(keys: dict[str, Any], most: int) -> None:
    under_way, seen = 0, 0

    async def answer(_body: bytes, _request: web.Request) -> web.Response:
        nonlocal under_way, seen
        under_way += 1
        seen = max(seen, under_way)
        # Long enough for others to come, if they do.
        for _ in range(50):
            await asyncio.sleep(0.001)
        under_way -= 1
        return web.Response(status=204)

    request = Request()
    for index in range(12):
        request.gauge(f"m{index}", index)
    async with http_server(answer) as server, exporter_to(server.url, max_batch_size_bytes=40, **keys) as exporter:
        await exporter.export(request.batch())
    assert seen == most


def test_the_collectors_queue_key_is_our_queue() -> None:
    _, queue, retry = delivery_of(Config(endpoint=URL, remote_write_queue={"queue_size": 7, "num_consumers": 3}))
    assert queue is not None
    assert retry is not None
    assert (queue.queue_size, queue.sizer, queue.num_consumers) == (7, "requests", 1)
    assert retry.initial_interval == 0.05
    assert delivery_of(Config(endpoint=URL, remote_write_queue={"enabled": False}))[1] is None


def test_retries_begin_soon_whichever_key_is_written() -> None:
    retry = Config(endpoint=URL, retry_on_failure={"max_elapsed_time": "1h"}).retry_on_failure
    assert (retry.initial_interval, retry.max_interval, retry.max_elapsed_time) == (0.05, 30.0, 3600.0)


def test_our_queue_key_takes_its_place() -> None:
    _, queue, _ = delivery_of(Config(endpoint=URL, sending_queue={"queue_size": 9, "sizer": "items"}))
    assert queue is not None
    assert (queue.queue_size, queue.sizer, queue.num_consumers) == (9, "items", 1)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"sending_queue": {}, "remote_write_queue": {}}, "write one of the two"),
        ({"remote_write_queue": {"queue_size": 0}}, "0 size queue"),
        ({"max_batch_request_parallelism": 0}, "below 1"),
        ({"max_batch_size_bytes": -1}, "negative"),
        ({"sending_queue": {"num_consumers": 2}}, "one after the other"),
        ({"protobuf_message": "io.prometheus.write.v2.Request"}, "remote write 1.0"),
        ({"wal": {"directory": "x"}}, "durable queue"),
        ({"compression_params": {"level": 3}}, "no levels"),
        ({"compression": "gzip"}, "snappy"),
    ],
)
def test_what_makes_no_sense_is_an_error(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Config(endpoint=URL, **keys)


def test_workers_cannot_share_it() -> None:
    assert "overtake" in PrometheusRemoteWriteExporter.not_shared(Config(endpoint=URL))


async def test_times_are_milliseconds() -> None:
    server = await written(Request().gauge("m", 1, time_ns=NOW + 123_456_789).batch())
    assert [stamp for _, _, stamp in samples(*server.bodies)] == [NOW // 10**6 + 123]


@pytest.mark.parametrize("queue", ["remote_write_queue: {queue_size: 7}", "sending_queue: {batch: {min_size: 5}}", ""])
def test_the_printed_configuration_has_the_queue_in_use_and_loads_again(queue: str) -> None:
    text = f"""
        receivers: {{nop: }}
        exporters: {{prometheus_remote_write: {{endpoint: "{URL}", {queue}}}}}
        service: {{pipelines: {{metrics: {{receivers: [nop], exporters: [prometheus_remote_write]}}}}}}
    """
    first = examine([f"yaml:{text}"])
    printed = render(effective(first), "yaml")
    second = examine([f"yaml:{printed}"])
    assert second.problems == []
    (ours,), (again,) = (found.components["exporters"].values() for found in (first, second))
    assert delivery_of(ours.config) == delivery_of(again.config)
    assert ("sending_queue" in printed, "remote_write_queue" in printed) == ("sending" in queue, "sending" not in queue)
