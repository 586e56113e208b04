"""What goes over the wire for each kind of metric, and what does not go."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from pipeline.errors import Rejected
from pipeline.signals import Batch, Content, Signal
from pipeline.testing import metric_value
from tests.support.remote_write import decoded, is_stale, name_of, samples
from tests.unit.exporters.prometheus_remote_write.remote import (
    CUMULATIVE,
    DELTA,
    NOW,
    NOW_MS,
    Request,
    fill,
    new_host,
    written,
    written_samples,
)

NO_RECORDED_VALUE = 1


async def test_a_request_has_the_headers_of_remote_write() -> None:
    server = await written(Request().gauge("m", 1.5).batch())
    (headers,) = server.headers
    assert server.paths == ["/api/v1/write"]
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["content-encoding"] == "snappy"
    assert headers["x-prometheus-remote-write-version"] == "0.1.0"
    assert headers["user-agent"] == "Penstock"
    assert samples(*server.bodies) == [("m", 1.5, NOW_MS)]


async def test_labels_are_sorted_and_empty_ones_left_out() -> None:
    request = Request({"service.name": "shop"}).gauge("m", 1, z__b="1", A="2", empty="", n=3, t=True)
    (series,) = decoded((await written(request.batch())).bodies[0]).timeseries
    assert [(label.name, label.value) for label in series.labels] == [
        ("A", "2"), ("__name__", "m"), ("job", "shop"), ("n", "3"), ("t", "true"), ("z__b", "1"),
    ]  # fmt: skip


async def test_names_of_reserved_labels_are_not_taken_from_attributes() -> None:
    request = Request()
    request.gauge("m", 1, __name__="other")
    point = _histogram(request, [1.0], [1, 0])
    fill(point.attributes, {"le": "x"})
    found = await written_samples(request.batch())
    assert set(found) == {"m", 'h_bucket{le="1"}', 'h_bucket{le="+Inf"}', "h_sum", "h_count"}


@pytest.mark.parametrize("known", [False, True])
async def test_numbers_in_every_order_of_fields_are_read(known: bool) -> None:
    """What other serialisers write: fields in any order, times left out, unknown fields."""
    usual = Request().gauge("m", 2.5, a="b").message.resource_metrics[0].scope_metrics[0].metrics[0]
    point = usual.gauge.data_points[0].SerializeToString()
    attribute = point[18:]
    shuffled = attribute + point[:18]
    unknown = point + b"\xf8\x06\x01"
    batches = [_raw_gauge(raw) for raw in (shuffled, unknown)]
    if known:
        batches.insert(0, Request().gauge("m", 2.5, a="b").batch())
    server = await written(*batches)
    assert set(samples(*server.bodies)) == {('m{a="b"}', 2.5, NOW_MS)}
    assert len(server.bodies) == len(batches)


def _raw_gauge(point: bytes) -> Batch:
    def nested(tag: int, body: bytes) -> bytes:
        return bytes([tag, len(body)]) + body

    metric = nested(0x0A, b"m") + nested(0x2A, nested(0x0A, point))
    raw = nested(0x0A, nested(0x12, nested(0x12, metric)))
    return Batch(Content(Signal.METRICS, 1, raw=raw))


async def test_ints_doubles_and_start_times() -> None:
    request = Request()
    request.sum("whole", 7)
    request.sum("large", 2**53 + 2)
    request.sum("level", -3, monotonic=False)
    request.gauge("g", -0.5)
    assert await written_samples(request.batch()) == {
        "whole_total": 7, "large_total": 2.0**53 + 2, "level": -3, "g": -0.5,
    }  # fmt: skip


def _histogram(request: Request, bounds: list[float], counts: list[int], **more: Any) -> Any:
    metric = request.scope.metrics.add(name="h")
    metric.histogram.aggregation_temporality = CUMULATIVE  # type: ignore[assignment]  # an int is what the enum is
    more = {"time_unix_nano": NOW, "count": sum(counts), "sum": 12.5, **more}
    return metric.histogram.data_points.add(explicit_bounds=bounds, bucket_counts=counts, **more)


async def test_histograms_have_cumulative_buckets_sum_and_count() -> None:
    request = Request()
    _histogram(request, [0.5, 1e6], [1, 2, 3])
    assert await written_samples(request.batch()) == {
        'h_bucket{le="0.5"}': 1, 'h_bucket{le="1e+06"}': 3, 'h_bucket{le="+Inf"}': 6, "h_sum": 12.5, "h_count": 6,
    }  # fmt: skip


async def test_a_histogram_without_sum_has_none() -> None:
    request = Request()
    _histogram(request, [], [4]).ClearField("sum")
    assert await written_samples(request.batch()) == {'h_bucket{le="+Inf"}': 4, "h_count": 4}


async def test_summaries() -> None:
    request = Request()
    point = request.scope.metrics.add(name="s").summary.data_points.add(time_unix_nano=NOW, count=6, sum=3)
    point.quantile_values.add(quantile=0.5, value=1.5)
    fill(point.attributes, {"zone": "a", "b": "c"})
    assert await written_samples(request.batch()) == {
        's{b="c",quantile="0.5",zone="a"}': 1.5, 's_sum{b="c",zone="a"}': 3, 's_count{b="c",zone="a"}': 6,
    }  # fmt: skip


async def test_series_that_end_get_stale_markers() -> None:
    request = Request().gauge("g", 1.0, flags=NO_RECORDED_VALUE)
    request.sum("c", 1).flags = NO_RECORDED_VALUE
    _histogram(request, [], [], flags=NO_RECORDED_VALUE).ClearField("sum")
    _exponential(request, flags=NO_RECORDED_VALUE)
    server = await written(request.batch())
    found = {series: is_stale(value) for series, value, _ in samples(*server.bodies)}
    assert found == {"g": True, "c_total": True, 'h_bucket{le="+Inf"}': True, "h_sum": True, "h_count": True}
    (native,) = [s.histograms[0] for s in decoded(server.bodies[0]).timeseries if s.histograms]
    assert is_stale(native.sum)


def _exponential(request: Request, scale: int = 1, **more: Any) -> Any:
    metric = request.scope.metrics.add(name="e")
    metric.exponential_histogram.aggregation_temporality = CUMULATIVE  # type: ignore[assignment]  # an int is what the enum is
    more = {"time_unix_nano": NOW, "count": 10, "sum": 12.5, **more}
    return metric.exponential_histogram.data_points.add(scale=scale, **more)


async def test_exponential_histograms_become_native_ones() -> None:
    request = Request()
    point = _exponential(request, zero_count=3, zero_threshold=0.001)
    point.positive.offset = -2
    point.positive.bucket_counts.extend([1, 2, 0, 0, 0, 4])
    point.negative.bucket_counts.extend([1, 0, 2])
    server = await written(request.batch())
    (series,) = decoded(server.bodies[0]).timeseries
    (native,) = series.histograms
    assert (name_of(series), native.timestamp, native.schema) == ("e", NOW_MS, 1)
    assert (native.count_int, native.sum, native.zero_count_int, native.zero_threshold) == (10, 12.5, 3, 0.001)
    assert [(span.offset, span.length) for span in native.positive_spans] == [(-1, 2), (3, 1)]
    assert list(native.positive_deltas) == [1, 1, 2]
    assert [(span.offset, span.length) for span in native.negative_spans] == [(1, 3)]
    assert list(native.negative_deltas) == [1, -1, 2]


async def test_fine_scales_are_merged_and_coarse_ones_dropped() -> None:
    host = new_host()
    fine, coarse = Request(), Request()
    point = _exponential(fine, scale=10)
    point.positive.offset = -3
    point.positive.bucket_counts.extend([1, 1, 1, 1, 1])
    _exponential(coarse, scale=-5)
    server = await written(fine.batch(), coarse.batch(), host=host)
    (body,) = server.bodies
    (native,) = decoded(body).timeseries[0].histograms
    assert native.schema == 8
    assert [(span.offset, span.length) for span in native.positive_spans] == [(0, 2)]
    assert list(native.positive_deltas) == [3, -1]
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason="scale") == 1


async def test_exemplars_stand_on_the_bucket_of_their_value() -> None:
    request = Request()
    point = _histogram(request, [1.0, 5.0], [1, 1, 1])
    for value, trace in ((9.0, 1), (0.5, 2), (5.0, 3)):
        exemplar = point.exemplars.add(as_double=value, time_unix_nano=NOW, trace_id=bytes([trace]) * 16)
        fill(exemplar.filtered_attributes, {"user.id": "u"})
    counter = request.sum("c", 1)
    counter.exemplars.add(as_int=2, span_id=b"\4" * 8)
    server = await written(request.batch())
    found = {
        name_of(series): [({p.name: p.value for p in e.labels}, e.value, e.timestamp) for e in series.exemplars]
        for series in decoded(server.bodies[0]).timeseries
        if series.exemplars
    }
    assert found == {
        'h_bucket{le="1"}': [({"trace_id": "02" * 16, "user_id": "u"}, 0.5, NOW_MS)],
        'h_bucket{le="5"}': [({"trace_id": "03" * 16, "user_id": "u"}, 5.0, NOW_MS)],
        'h_bucket{le="+Inf"}': [({"trace_id": "01" * 16, "user_id": "u"}, 9.0, NOW_MS)],
        "c_total": [({"span_id": "04" * 8}, 2.0, NOW_MS)],
    }


@pytest.mark.parametrize(("temporality", "monotonic"), [(0, True), (DELTA, True), (DELTA, False)])
async def test_what_is_not_cumulative_is_dropped_and_counted(temporality: int, monotonic: bool) -> None:
    host = new_host()
    request = Request().gauge("m", 1)
    request.sum("s", 1, temporality, monotonic=monotonic)
    assert await written_samples(request.batch(), host=host) == {"m": 1}
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason="temporality") == 1


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request().gauge("m", 1, time_ns=0), "no_time"),
        (Request().gauge("", 1), "invalid_name"),
        (Request().gauge("m", 1, ___="x"), "invalid_label"),
        (Request({"_": "x", "service.name": "s"}).gauge("m", 1), ""),
    ],
)
async def test_what_has_no_form_is_dropped_and_counted(request_: Request, reason: str) -> None:
    host = new_host()
    found = await written_samples(request_.batch(), host=host)
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason=reason or "invalid_label") == 1
    assert found == {}


async def test_a_time_of_zero_that_is_written_out_is_no_time() -> None:
    """Some senders write fields that have their default; these points are read along another way."""
    host = new_host()
    point = Request().gauge("m", 1).message.SerializeToString()
    raw = point.replace(b"\x19" + NOW.to_bytes(8, "little"), b"\x19" + bytes(8))
    assert raw != point
    server = await written(Batch(Content(Signal.METRICS, 1, raw=raw)), host=host)
    assert not server.bodies
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason="no_time") == 1


async def test_what_is_far_ahead_of_its_time_is_dropped() -> None:
    """A Prometheus that took it would take nothing else any more."""
    host = new_host()
    now = time.time_ns()
    request = Request().gauge("m", 1, time_ns=now + 3600 * 10**9).gauge("n", 2, time_ns=now + 60 * 10**9)
    point = request.sum("late", 3)
    point.time_unix_nano = 2**64 - 1
    server = await written(request.batch(), host=host)
    assert [(name, value) for name, value, _ in samples(*server.bodies)] == [("n", 2)]
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason="future") == 2


async def test_a_batch_without_samples_is_no_request() -> None:
    request = Request()
    request.sum("s", 1, DELTA)
    request.scope.metrics.append(Metric(name="nothing"))
    assert (await written(request.batch(), send_metadata=True)).bodies == []


async def test_samples_of_a_series_are_sorted_and_said_once() -> None:
    host = new_host()
    late = Request().gauge("m", 3, time_ns=NOW + 2 * 10**9).gauge("m", 1, 2).gauge("m", 2, time_ns=NOW + 10**9)
    late.gauge("m", 7)
    server = await written(late.batch(), host=host)
    assert samples(*server.bodies) == [("m", 1, NOW_MS), ("m", 2, NOW_MS + 1000), ("m", 3, NOW_MS + 2000)]
    assert metric_value(host, "penstock_prometheus_dropped_points_total", reason="same_labels") == 1


async def test_target_info_is_as_new_as_its_newest_point_and_never_older_than_before() -> None:
    resource = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "1", "host.name": "h"}
    first = Request(resource).gauge("m", 1, 2).batch()
    older = Request(resource).gauge("n", 1).batch()
    server = await written(first, older)
    found = [each for each in samples(*server.bodies) if each[0].startswith("target_info")]
    assert found == [('target_info{host_name="h",instance="1",job="eu/shop"}', 1.0, NOW_MS + 1000)]
    assert 'n{instance="1",job="eu/shop"}' in [name for name, _, _ in samples(server.bodies[1])]


@pytest.mark.parametrize("resource", [{"host.name": "h"}, {"service.name": "only"}, {}])
async def test_no_target_info_of_nobody_or_without_news(resource: dict[str, Any]) -> None:
    (found,) = await written_samples(Request(resource).gauge("m", 1).batch())
    assert found.startswith("m")


async def test_special_values_pass() -> None:
    request = Request()
    for index, value in enumerate((math.inf, -math.inf, math.nan, 5e-324)):
        request.gauge(f"m{index}", value)
    found = await written_samples(request.batch())
    assert [found["m0"], found["m1"], found["m3"]] == [math.inf, -math.inf, 5e-324]
    assert math.isnan(found["m2"])
    assert not is_stale(found["m2"])


async def test_bytes_that_are_no_request_are_rejected() -> None:
    with pytest.raises(Rejected):
        await written(Batch(Content(Signal.METRICS, 1, raw=b"\x0a\x05abc")))
