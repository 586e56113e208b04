"""Own metrics, GenAI metrics and span metrics in a real Prometheus, scraped and written: the same series and values."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.collectors import penstock
from tests.servers.otlp import post
from tests.servers.processes import ServerError, free_ports
from tests.servers.prometheus import prometheus
from tests.support.otlp_metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.prometheus import Prometheus

pytestmark = pytest.mark.server
GEN_AI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
}


def _traces() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    group.resource.attributes.add(key="service.instance.id").value.string_value = "i1"
    group.resource.attributes.add(key="host.name").value.string_value = "h1"
    scope = group.scope_spans.add()
    scope.scope.name = "lib"
    now = time.time_ns()
    for index in range(1, 21):
        span = scope.spans.add(
            trace_id=index.to_bytes(16, "big"),
            span_id=index.to_bytes(8, "big"),
            name="chat gpt-4o",
            kind=3,
            start_time_unix_nano=now - index * 10**8,
            end_time_unix_nano=now,
        )
        for key, text in GEN_AI.items():
            span.attributes.add(key=key).value.string_value = text
        for key, number in (("gen_ai.usage.input_tokens", 100 * index), ("gen_ai.usage.output_tokens", 10 * index)):
            span.attributes.add(key=key).value.int_value = number
    return request.SerializeToString()


@contextlib.contextmanager
def both_ways(folder: Path, **page_keys: Any) -> Iterator[tuple[Prometheus, int]]:
    """A Prometheus that scrapes Penstock and is written to by it, and Penstock's OTLP port."""
    otlp, page = free_ports(2)
    with prometheus(folder / "prometheus", targets=[f"127.0.0.1:{page}"]) as server:
        written = {"endpoint": f"{server.url}/api/v1/write", "external_labels": {"way": "written"}}
        scraped = {"endpoint": f"127.0.0.1:{page}"}
        quick = {"metrics_flush_interval": "1s"}
        reader = {"otlp": {"protocol": "http/protobuf", "endpoint": f"http://127.0.0.1:{otlp}"}}
        receivers = ["otlp", "gen_ai_metrics", "span_metrics"]
        config: dict[str, Any] = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
            "connectors": {"gen_ai_metrics": quick, "span_metrics": {**quick, "exemplars": {"enabled": True}}},
            "exporters": {
                "prometheus": {**scraped, **page_keys},
                "prometheus_remote_write": written,
            },
            "service": {
                "telemetry": {"metrics": {"readers": [{"periodic": {"interval": 1000, "exporter": reader}}]}},
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "exporters": ["gen_ai_metrics", "span_metrics"]},
                    "metrics": {"receivers": receivers, "exporters": ["prometheus", "prometheus_remote_write"]},
                },
            },
        }
        with penstock(config, folder / "penstock", ports=[otlp, page]):
            yield server, otlp


def _series(server: Prometheus) -> tuple[dict[str, float], dict[str, float]]:
    """What was scraped, under the job and instance it says itself; what was written."""
    scraped, written = {}, {}
    for result in server.query('{__name__=~".+"}'):
        labels: dict[str, str] = dict(result["metric"])
        if labels.pop("way", "") == "written":
            written[_name(labels)] = _value(result)
        else:
            own = {key: labels.pop(f"exported_{key}", "") for key in ("job", "instance")}
            scraped[_name({**labels, **own})] = _value(result)
    return scraped, written


def _name(labels: dict[str, str]) -> str:
    return str(sorted((key, text) for key, text in labels.items() if text))


def _value(result: dict[str, Any]) -> float:
    return float(result["value"][1])


# What Prometheus itself adds to a scrape, and what the exporter of one way counts of itself.
_OF_SCRAPES = ("'up'", "'scrape_", "'target_info'")


def _comparable(found: dict[str, float], *words: str) -> dict[str, float]:
    return {name: value for name, value in found.items() if any(word in name for word in words)}


def test_written_and_scraped_series_are_the_same(tmp_path: Path) -> None:
    with both_ways(tmp_path) as (server, otlp):
        post(otlp, "traces", _traces())
        stable = ("'gen_ai_", "'penstock_gen_ai_", "'traces_span_metrics_", "otelcol_receiver_accepted_spans")
        seen: list[tuple[dict[str, float], dict[str, float]]] = []

        def is_equal() -> bool:
            seen[:] = [_series(server)]
            scraped, written = seen[0]
            return (
                len(_comparable(written, *stable)) > 50
                and _comparable(scraped, *stable) == _comparable(written, *stable)
                and {name for name in scraped if not any(word in name for word in _OF_SCRAPES)}
                == {name for name in written if not any(word in name for word in _OF_SCRAPES)}
            )

        with contextlib.suppress(ServerError):
            server.server.wait_until(is_equal)
        scraped, written = seen[0]
        assert _comparable(scraped, *stable) == _comparable(written, *stable)
        own = {name for name in written if "'otelcol_" in name or "'penstock_" in name}
        assert len(own) > 40
        assert {name for name in scraped if not any(word in name for word in _OF_SCRAPES)} == {
            name for name in written if not any(word in name for word in _OF_SCRAPES)
        }
        assert _comparable(written, "'gen_ai_client_token_usage_count'")
        (info,) = server.query('target_info{way="written",host_name="h1"}')
        assert (info["metric"]["job"], info["metric"]["instance"]) == ("shop", "i1")


def _metrics() -> bytes:
    metrics = Metrics()
    metrics.resource(service__name="shop", service__instance__id="i1")
    point = metrics.histogram("h")
    point.exemplars.add(time_unix_nano=metrics.now, as_double=0.5, trace_id=b"\1" * 16, span_id=b"\2" * 8)
    metrics.exponential("e")
    metrics.sum("c.sec", "s")
    metrics.gauge("labels", attributes={"a.b": "1"})
    return metrics.request.SerializeToString()


def test_exemplars_and_native_histograms(tmp_path: Path) -> None:
    """A scrape has exemplars in OpenMetrics, and powers of two where remote write has native histograms."""
    with both_ways(tmp_path, enable_open_metrics=True) as (server, otlp):
        post(otlp, "metrics", _metrics())
        server.server.wait_until(lambda: len(server.query("h_seconds_count")) == 2)
        server.server.wait_until(lambda: len(server.exemplars("h_seconds_bucket")) == 2)
        for series in server.exemplars("h_seconds_bucket"):
            (exemplar,) = series["exemplars"]
            assert exemplar["labels"] == {"trace_id": "01" * 16, "span_id": "02" * 8}
            assert float(exemplar["value"]) == 0.5
        (native,) = server.query('e_seconds{way="written"}')
        assert (native["histogram"][1]["count"], native["histogram"][1]["sum"]) == ("10", "12.5")
        written, scraped = (
            _value(server.query(f"histogram_quantile(0.9, {series})")[0])
            for series in ('e_seconds{way="written"}', 'last_over_time(e_seconds_bucket{job="test"}[5m])')
        )
        assert written == pytest.approx(scraped, rel=0.5)


STRATEGIES = {
    "UnderscoreEscapingWithSuffixes": "c_sec_seconds_total",
    "UnderscoreEscapingWithoutSuffixes": "c_sec",
    "NoUTF8EscapingWithSuffixes": "c.sec_seconds_total",
    "NoTranslation": "c.sec",
}


def test_translation_strategies_in_a_real_prometheus(tmp_path: Path) -> None:
    """Scraped by a Prometheus that does not ask for UTF-8, the page has underscores whatever the strategy."""
    otlp, *pages = free_ports(1 + len(STRATEGIES))
    exporters: dict[str, Any] = {}
    with prometheus(tmp_path / "prometheus", targets=[f"127.0.0.1:{page}" for page in pages]) as server:
        for strategy, page in zip(STRATEGIES, pages, strict=True):
            for kind, keys in (
                ("prometheus", {"endpoint": f"127.0.0.1:{page}", "const_labels": {"way": f"scraped {strategy}"}}),
                (
                    "prometheus_remote_write",
                    {"endpoint": f"{server.url}/api/v1/write", "external_labels": {"way": f"written {strategy}"}},
                ),
            ):
                resource = {"resource_to_telemetry_conversion": {"enabled": True}}
                exporters[f"{kind}/{strategy}"] = {**keys, **resource, "translation_strategy": strategy}
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
            "exporters": exporters,
            "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": list(exporters)}}},
        }
        with penstock(config, tmp_path / "penstock", ports=[otlp, *pages]):
            post(otlp, "metrics", _metrics())
            # A scrape that is missed ends its series for a moment.
            wanted, named, labels = (
                f"last_over_time({selector}[5m])"
                for selector in ('{__name__=~"c.sec.*|labels"}', '{__name__=~"c.sec.*"}', "labels")
            )
            server.server.wait_until(lambda: len(server.query(wanted)) == 4 * len(STRATEGIES))
            found = {r["metric"]["way"]: r["metric"]["__name__"] for r in server.query(named)}
            of_resource = {
                r["metric"]["way"]
                for r in server.query("labels")
                if "shop" in (r["metric"].get("service_name"), r["metric"].get("service.name"))
            }
            with_dots = {r["metric"]["way"] for r in server.query(labels) if "a.b" in r["metric"]}
    written = {f"written {strategy}": name for strategy, name in STRATEGIES.items()}
    scraped = {f"scraped {strategy}": name.replace(".", "_") for strategy, name in STRATEGIES.items()}
    assert found == written | scraped
    assert of_resource == set(found)
    assert with_dots == {"written NoUTF8EscapingWithSuffixes", "written NoTranslation"}
