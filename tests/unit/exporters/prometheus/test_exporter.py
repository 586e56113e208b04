"""The exporter: what is put on the page, what is not, and how it is served."""

from __future__ import annotations

import gzip
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from pipeline.component import Extension, Host
from pipeline.config import ConfigModel
from pipeline.config.ids import ComponentId
from pipeline.errors import StartError, Unauthenticated
from pipeline.exporters.prometheus import PrometheusExporter
from pipeline.registry import Kind
from pipeline.signals import Auth, Batch, Context, Signal
from pipeline.signals.intake import parse
from pipeline.signals.values import set_any_value
from pipeline.telemetry.exposition import Format, render
from pipeline.testing import FakeClock, configured, make_host, metric_value

NOW = 1_700_000_000_000_000_000
CUMULATIVE, DELTA = 2, 1


def _metrics(resource: dict[str, Any] | None = None) -> tuple[ExportMetricsServiceRequest, Any]:
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    for key, value in (resource or {}).items():
        set_any_value(group.resource.attributes.add(key=key).value, value)
    return request, group.scope_metrics.add()


def _gauge(
    scope: Any,
    name: str,
    value: float,
    time_ns: int = NOW,
    flags: int = 0,
    *,
    attributes: dict[str, Any] | None = None,
) -> Any:
    metric = scope.metrics.add(name=name)
    point = metric.gauge.data_points.add(time_unix_nano=time_ns, as_double=value, flags=flags)
    for key, item in (attributes or {}).items():
        set_any_value(point.attributes.add(key=key).value, item)
    return metric


def _sum(scope: Any, name: str, value: int, temporality: int, *, monotonic: bool = True, time_ns: int = NOW) -> Metric:
    metric: Metric = scope.metrics.add(name=name)
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]  # an int is what the enum is
    metric.sum.is_monotonic = monotonic
    metric.sum.data_points.add(time_unix_nano=time_ns, start_time_unix_nano=time_ns - 1, as_int=value)
    return metric


def _batch(request: ExportMetricsServiceRequest) -> Batch:
    return parse(Signal.METRICS, request.SerializeToString())


def _exporter(host: Host | None = None, **config: Any) -> PrometheusExporter:
    config = {"endpoint": "127.0.0.1:0", "without_scope_info": True} | config
    return configured(PrometheusExporter, host or make_host("prometheus", kind=Kind.EXPORTER), **config)  # type: ignore[no-any-return]


def _page(exporter: PrometheusExporter, form: Format = Format()) -> list[str]:  # noqa: B008 - frozen
    lines = render(exporter._families(), form).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


async def test_cumulative_sums_are_shown_as_they_are_and_deltas_added_up() -> None:
    exporter = _exporter()
    for step, value in enumerate((3, 5)):
        request, scope = _metrics()
        _sum(scope, "whole", value, CUMULATIVE, time_ns=NOW + step)
        _sum(scope, "part", value, DELTA, time_ns=NOW + step)
        await exporter.export(_batch(request))
    assert _page(exporter) == ["part_total 8", "whole_total 5"]


@pytest.mark.parametrize(("temporality", "monotonic"), [(0, True), (DELTA, False)])
async def test_sums_without_meaning_in_prometheus_are_dropped_and_counted(temporality: int, monotonic: bool) -> None:
    exporter = _exporter()
    request, scope = _metrics()
    scope.metrics.add(name="nothing")
    _sum(scope, "s", 1, temporality, monotonic=monotonic)
    await exporter.export(_batch(request))
    assert _page(exporter) == []
    assert metric_value(exporter.host, "penstock_prometheus_dropped_points_total", reason="temporality") == 1


async def test_older_points_do_not_replace_newer_ones() -> None:
    exporter = _exporter()
    request, scope = _metrics()
    _gauge(scope, "g", 2, NOW)
    _gauge(scope, "g", 1, NOW - 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == ["g 2"]
    assert metric_value(exporter.host, "penstock_prometheus_dropped_points_total", reason="out_of_order") == 1


async def test_a_series_of_another_resource_with_the_same_labels_does_not_replace_one_of_the_same_time() -> None:
    """Two environments of one service, which stand on `target_info` alone."""
    request = ExportMetricsServiceRequest()
    for environment, value in (("prod", 5), ("staging", 3)):
        part, scope = _metrics({"service.name": "shop", "deployment.environment.name": environment})
        _sum(scope, "calls", value, CUMULATIVE)
        request.MergeFrom(part)
    exporter = _exporter()
    await exporter.export(_batch(request))
    await exporter.export(_batch(request))
    assert [line for line in _page(exporter) if "calls" in line] == ['calls_total{job="shop"} 5']
    assert metric_value(exporter.host, "penstock_prometheus_dropped_points_total", reason="same_labels") == 2
    apart = _exporter(resource_to_telemetry_conversion={"enabled": True})
    await apart.export(_batch(request))
    assert [line.split()[-1] for line in _page(apart) if line.startswith("calls")] == ["5", "3"]


async def test_a_process_that_began_anew_goes_on_with_its_series() -> None:
    exporter = _exporter()
    for step, pid in enumerate((1, 2)):
        request, scope = _metrics({"service.name": "shop", "process.pid": pid})
        _sum(scope, "calls", 5 - step, CUMULATIVE, time_ns=NOW + step)
        await exporter.export(_batch(request))
    assert 'calls_total{job="shop"} 4' in _page(exporter)


async def test_another_type_under_the_same_name_is_dropped() -> None:
    exporter = _exporter()
    request, scope = _metrics()
    _sum(scope, "x", 1, CUMULATIVE)
    _gauge(scope, "x_total", 2)
    await exporter.export(_batch(request))
    assert _page(exporter) == ["x_total 1"]
    assert metric_value(exporter.host, "penstock_prometheus_dropped_points_total", reason="type_conflict") == 1


async def test_what_is_dropped_is_logged_once_for_each_name_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    exporter = _exporter()
    for _ in range(3):
        request, scope = _metrics()
        _sum(scope, "a", 1, 0)
        _sum(scope, "b", 1, 0)
        await exporter.export(_batch(request))
    assert len([record for record in caplog.records if "does not fit" in record.message]) == 2


async def test_the_first_help_text_stays() -> None:
    exporter = _exporter()
    for text in ("first", "second"):
        request, scope = _metrics()
        _gauge(scope, "g", 1, attributes={"which": text}).description = text
        await exporter.export(_batch(request))
    (family,) = exporter._families()
    assert family.help == "first"
    assert len(_page(exporter)) == 2


async def test_series_expire_and_free_their_name() -> None:
    clock = FakeClock()
    exporter = _exporter(make_host("prometheus", kind=Kind.EXPORTER, clock=clock), metric_expiration=60.0)
    request, scope = _metrics({"service.name": "shop", "host.name": "h"})
    _gauge(scope, "old", 1)
    await exporter.export(_batch(request))
    await clock.advance(50)
    request, scope = _metrics()
    _gauge(scope, "young", 1)
    await exporter.export(_batch(request))
    assert len(_page(exporter)) == 3
    await clock.advance(20)
    assert _page(exporter) == ["young 1"]
    request, scope = _metrics()
    _sum(scope, "old", 4, CUMULATIVE, monotonic=False)
    await exporter.export(_batch(request))
    assert "old 4" in _page(exporter)


async def test_a_series_that_ended_leaves_at_once() -> None:
    exporter = _exporter()
    for flags in (0, 1):
        request, scope = _metrics()
        _gauge(scope, "g", 1, NOW, flags)
        await exporter.export(_batch(request))
    assert _page(exporter) == []


RESOURCE = {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "i1", "host.name": "h"}


async def test_job_instance_and_target_info() -> None:
    exporter = _exporter(namespace="ns")
    request, scope = _metrics(RESOURCE)
    _gauge(scope, "g", 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == [
        'ns_g{instance="i1",job="eu/shop"} 1',
        'ns_target_info{host_name="h",instance="i1",job="eu/shop"} 1',
    ]


@pytest.mark.parametrize("resource", [{"service.name": "shop"}, {"host.name": "h"}])
async def test_target_info_needs_somebody_and_something(resource: dict[str, str]) -> None:
    exporter = _exporter()
    request, scope = _metrics(resource)
    _gauge(scope, "g", 1)
    await exporter.export(_batch(request))
    assert not any(line.startswith("target_info") for line in _page(exporter))


async def test_resource_attributes_and_const_labels_become_labels() -> None:
    exporter = _exporter(resource_to_telemetry_conversion={"enabled": True}, const_labels={"zone": "a"})
    request, scope = _metrics({"host.name": "h"})
    _gauge(scope, "g", 1, attributes={"zone": "b", "k": True})
    await exporter.export(_batch(request))
    assert _page(exporter) == ['g{host_name="h",k="true",zone="a"} 1']


async def test_scope_labels() -> None:
    exporter = _exporter(without_scope_info=False)
    request, scope = _metrics()
    scope.scope.name, scope.scope.version, scope.schema_url = "sc", "v1", "http://s"
    set_any_value(scope.scope.attributes.add(key="a.b").value, 1)
    _gauge(scope, "g", 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == [
        'g{otel_scope_a_b="1",otel_scope_name="sc",otel_scope_schema_url="http://s",otel_scope_version="v1"} 1'
    ]


async def test_keys_that_become_one_label_are_joined_in_key_order() -> None:
    exporter = _exporter()
    request, scope = _metrics()
    _gauge(scope, "g", 1, attributes={"k_a": "2", "k.a": "1"})
    await exporter.export(_batch(request))
    assert _page(exporter) == ['g{k_a="1;2"} 1']


async def test_a_key_that_leaves_no_label_drops_its_point_only() -> None:
    exporter = _exporter()
    request, scope = _metrics()
    _gauge(scope, "bad", 1, attributes={"日": "x"})
    _gauge(scope, "good", 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == ["good 1"]
    assert metric_value(exporter.host, "penstock_prometheus_dropped_points_total", reason="invalid_label") == 1


async def test_a_resource_key_that_leaves_no_label_drops_its_points() -> None:
    exporter = _exporter(resource_to_telemetry_conversion={"enabled": True})
    request, scope = _metrics({"日": "x"})
    _gauge(scope, "bad", 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == []


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({}, "c_d_seconds_total 1"),
        ({"add_metric_suffixes": False}, "c_d 1"),
        ({"translation_strategy": "UnderscoreEscapingWithoutSuffixes"}, "c_d 1"),
        (
            {"translation_strategy": "NoUTF8EscapingWithSuffixes", "add_metric_suffixes": False},
            '{"c.d_seconds_total"} 1',
        ),
        ({"translation_strategy": "NoTranslation"}, '{"c.d"} 1'),
    ],
)
async def test_translation_strategies(keys: dict[str, Any], line: str) -> None:
    exporter = _exporter(**keys)
    request, scope = _metrics()
    _sum(scope, "c.d", 1, CUMULATIVE).unit = "s"
    await exporter.export(_batch(request))
    assert _page(exporter, Format(utf8_names=True)) == [line]


async def test_send_timestamps() -> None:
    exporter = _exporter(send_timestamps=True)
    request, scope = _metrics()
    _gauge(scope, "g", 1)
    await exporter.export(_batch(request))
    assert _page(exporter) == [f"g 1 {NOW // 1_000_000}"]


@pytest.mark.parametrize("enabled", [True, False])
async def test_exemplars_only_with_openmetrics(enabled: bool) -> None:
    exporter = _exporter(enable_open_metrics=enabled)
    request, scope = _metrics()
    point = _sum(scope, "c", 1, CUMULATIVE).sum.data_points[0]
    exemplar = point.exemplars.add(time_unix_nano=NOW, as_int=1, trace_id=b"\1" * 16, span_id=b"\2" * 8)
    set_any_value(exemplar.filtered_attributes.add(key="user").value, "u")
    await exporter.export(_batch(request))
    text = await _scrape(exporter, Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.1")
    assert text.endswith("# EOF\n") is enabled
    assert (f'# {{trace_id="{"01" * 16}",span_id="{"02" * 8}",user="u"}} 1.0 1.7e+09' in text) is enabled


async def _scrape(exporter: PrometheusExporter, **headers: str) -> str:
    await exporter.start()
    try:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{exporter.port}/metrics"
            async with session.get(url, headers=headers) as answer:
                assert answer.status == 200
                return await answer.text()
    finally:
        await exporter.stop()


async def test_page_is_served_compressed_with_fixed_headers() -> None:
    exporter = _exporter(response_headers={"X-Served-By": "penstock"})
    request, scope = _metrics()
    for index in range(100):
        _gauge(scope, f"gauge{index}", index)
    await exporter.export(_batch(request))
    await exporter.start()
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(f"http://127.0.0.1:{exporter.port}/metrics") as answer,
    ):
        assert answer.headers["X-Served-By"] == "penstock"
        families = list(text_string_to_metric_families(gzip.decompress(await answer.read()).decode()))
    await exporter.stop()
    assert {family.samples[0].value for family in families} == set(range(100))


async def test_port_in_use_is_a_start_error() -> None:
    first = _exporter()
    await first.start()
    second = _exporter(endpoint=f"127.0.0.1:{first.port}")
    with pytest.raises(StartError, match=r'failed to start "prometheus" exporter: listen tcp .*address already in use'):
        await second.start()
    await second.stop()
    await first.stop()


async def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = {"cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(files["key_file"]))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(files["cert_file"]))
    exporter = _exporter(tls={key: str(path) for key, path in files.items()})
    await exporter.start()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://127.0.0.1:{exporter.port}/metrics", ssl=context) as answer,
    ):
        assert answer.status == 200
    await exporter.stop()


class _Gate(Extension):
    """Lets in who shows the right word."""

    type = "gate"
    Config = ConfigModel

    async def authenticate(self, context: Context) -> Auth:
        if context.metadata.get("authorization") != ("Bearer right",):
            raise Unauthenticated("wrong word")
        return Auth("scraper")


async def test_auth_by_an_extension() -> None:
    gate = _Gate(None, make_host("gate"))
    host = make_host("prometheus", kind=Kind.EXPORTER, extensions={ComponentId.parse("gate"): gate})
    exporter = _exporter(host, auth={"authenticator": ComponentId.parse("gate")})
    await exporter.start()
    statuses = []
    async with aiohttp.ClientSession() as session:
        for word in ("wrong", "right"):
            headers = {"Authorization": f"Bearer {word}"}
            async with session.get(f"http://127.0.0.1:{exporter.port}/metrics", headers=headers) as answer:
                statuses.append(answer.status)
    await exporter.stop()
    assert statuses == [401, 200]


def test_auth_needs_a_server_authenticator() -> None:
    class Other(Extension):
        type = "other"
        Config = ConfigModel

    host = make_host("prometheus", extensions={ComponentId.parse("other"): Other(None, make_host("other"))})
    with pytest.raises(StartError, match="is not a server authenticator"):
        _exporter(host, auth={"authenticator": ComponentId.parse("other")})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cors", {"allowed_origins": ["*"]}),
        ("transport", "unix"),
        ("max_request_body_size", 5),
        ("include_metadata", True),
        ("compression_algorithms", ["gzip"]),
        ("read_timeout", 1.0),
        ("read_header_timeout", 1.0),
        ("write_timeout", 1.0),
        ("idle_timeout", 1.0),
        ("keep_alives_enabled", False),
        ("middlewares", [{"id": "x"}]),
        ("endpoint", " "),
        ("endpoint", "localhost"),
        ("metric_expiration", 0.0),
        ("translation_strategy", "Other"),
    ],
)
def test_keys_that_cannot_be_honoured_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=key):
        PrometheusExporter.Config(**{"endpoint": "localhost:8889", key: value})
