"""`span_metrics` counts the same spans as the real Collector's: same names, labels, counts, sums, buckets, examples."""

from __future__ import annotations

import math
import random
import time
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pipeline.signals.values import from_key_values, set_any_value
from tests.servers.backend import otlp_backend
from tests.servers.collectors import ROOT, otelcol, penstock
from tests.servers.processes import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.servers.backend import Backend

pytestmark = pytest.mark.server

RECORDINGS: Final = sorted((ROOT / "tests" / "data" / "captures").glob("*/*.traces.binpb"))[::8]
DELTA: Final = "AGGREGATION_TEMPORALITY_DELTA"
CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "bare": {"namespace": ""},
    "seconds": {"namespace": "seconds", "histogram": {"unit": "s"}},
    "explicit": {"namespace": "explicit", "histogram": {"explicit": {"buckets": ["1ms", "100ms", "1.1s"]}}},
    "explicit-seconds": {
        "namespace": "explicit.s",
        "histogram": {"unit": "s", "explicit": {"buckets": ["100us", "3ms", "1.1s"]}},
    },
    "empty": {"namespace": "empty", "histogram": {"explicit": {}}},
    "exponential": {"namespace": "exponential", "histogram": {"exponential": {"max_size": 20}}},
    "exponential-default": {"namespace": "exponential.default", "histogram": {"exponential": {}, "unit": "s"}},
    "calls": {"namespace": "calls", "histogram": {"disable": True}},
    "dimensions": {
        "namespace": "dimensions",
        "dimensions": [{"name": "zone"}, {"name": "gen_ai.operation.name", "default": "none"}],
        "calls_dimensions": [{"name": "method", "default": "m-none"}, {"name": "mixed"}],
        "histogram": {"dimensions": [{"name": "code"}]},
    },
    "excluded": {"namespace": "excluded", "exclude_dimensions": ["span.name", "status.code"]},
    "excluded-all": {
        "namespace": "excluded.all",
        "exclude_dimensions": ["service.name", "span.name", "span.kind", "status.code"],
        "dimensions": [{"name": "zone"}],
    },
    "events": {
        "namespace": "events",
        "dimensions": [{"name": "zone"}],
        "events": {"enabled": True, "dimensions": [{"name": "exception.type", "default": "e-none"}]},
        "exemplars": {"enabled": True, "max_per_data_point": 100_000},
    },
    "few-exemplars": {"namespace": "few", "exemplars": {"enabled": True}},
    "delta": {"namespace": "delta", "aggregation_temporality": DELTA, "metric_timestamp_cache_size": 5},
    "limited": {"namespace": "limited", "aggregation_cardinality_limit": 5},
    "keyed": {"namespace": "keyed", "resource_metrics_key_attributes": ["service.name"]},
    "scopes": {"namespace": "scopes", "include_instrumentation_scope": ["lib", "bare"]},
}
TIMED: Final = sum(not config.get("histogram", {}).get("disable") for config in CONFIGS.values())
SHOWN: Final = ("default", "bare", "seconds", "dimensions", "delta")
"""Those that are on a page, too."""
SCOPES: Final = {
    "GET /": ("lib", "1.2"),
    "POST /": ("bare", ""),
    "work": ("other", "3"),
    "": ("", ""),
    "ünï": ("lib", "1.2"),
}


def _fill(pairs: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        set_any_value(pairs.add(key=key).value, value)


def made_spans(count: int, seed: int) -> ExportTraceServiceRequest:
    """Spans of several services with and without what series are told apart by; values say which key they are of."""
    pick = random.Random(seed)
    request = ExportTraceServiceRequest()
    resources: list[dict[str, Any]] = [
        {"service.name": "shop", "zone": "z-resource", "service.instance.id": "1"},
        {"service.name": "shop", "service.instance.id": "2"},
        {"service.name": "till", "list": ["a", 1], "zone": "z-till"},
        {"service.name": ""},
        {"host.name": "without a service"},
    ]
    for _ in range(count // 20):
        group = request.resource_spans.add()
        _fill(group.resource.attributes, pick.choice(resources))
        for _ in range(4):
            name = pick.choice(list(SCOPES))
            scope = group.scope_spans.add()
            scope.scope.name, scope.scope.version = SCOPES[name]
            for _ in range(5):
                _add_span(scope.spans.add(name=name), pick)
    return request


def _add_span(span: Any, pick: random.Random) -> None:
    span.kind, span.status.code = pick.randrange(6), pick.randrange(3)
    span.trace_id, span.span_id = pick.choice([pick.randbytes(16), pick.randbytes(16), b""]), pick.randbytes(8)
    span.start_time_unix_nano = 1_700_000_000_000_000_000
    took_ns = pick.choice([0, -5, 10**6, 10**8, 2 * 10**6, int(10 ** pick.uniform(1, 11))])
    span.end_time_unix_nano = span.start_time_unix_nano + took_ns
    values: dict[str, list[Any]] = {
        "zone": ["z-eu", "z-us", ""],
        "method": ["m-GET", "m-POST"],
        "code": [200, 404],
        "mixed": ["text", 7, 2.5, True, ["l", 1], {"k": "v"}, b"\x00\x01"],
    }
    _fill(span.attributes, {key: pick.choice(choice) for key, choice in values.items() if pick.random() < 0.7})
    for _ in range(pick.choice([0, 0, 1, 3])):
        event = span.events.add(name="exception")
        attributes = {"exception.type": pick.choice(["e-Timeout", "e-Reset"]), "zone": "z-event"}
        _fill(event.attributes, {key: value for key, value in attributes.items() if pick.random() < 0.7})


def requests() -> dict[str, ExportTraceServiceRequest]:
    """What is sent, by the name of a test."""
    recorded = ExportTraceServiceRequest()
    for path in RECORDINGS:
        recorded.MergeFromString(path.read_bytes())
    return {"made": made_spans(2000, seed=1), "recorded": recorded}


def spans_of(request: ExportTraceServiceRequest) -> list[Span]:
    """Those that count: of a resource with a service."""
    return [
        span
        for group in request.resource_spans
        if "service.name" in from_key_values(group.resource.attributes)
        for scope in group.scope_spans
        for span in scope.spans
    ]


@dataclass
class Series:
    """What was said of one series: as one reader sums it up who has seen every point."""

    count: int = 0
    total: float = 0.0
    rest: tuple[object, ...] = ()
    exemplars: set[tuple[bytes, bytes, float]] = field(default_factory=set)
    most_exemplars: int = 0

    def is_like(self, other: Series) -> bool:
        """Sums are taken in another order."""
        return (
            (self.count, self.rest, self.exemplars) == (other.count, other.rest, other.exemplars)
            and math.isclose(self.total, other.total, rel_tol=1e-9, abs_tol=1e-12)
        )  # fmt: skip


Name = tuple[object, ...]


def read(bodies: list[bytes]) -> dict[Name, Series]:
    """The series by resource, scope, metric and labels."""
    found: dict[Name, Series] = {}
    for body in bodies:
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            resource = repr(sorted(from_key_values(group.resource.attributes).items()))
            for scope in group.scope_metrics:
                for metric in scope.metrics:
                    kind = str(metric.WhichOneof("data"))
                    data = getattr(metric, kind)
                    is_delta, is_monotonic = data.aggregation_temporality == 1, getattr(data, "is_monotonic", None)
                    about = (resource, scope.scope.name, metric.name, metric.unit, kind, is_delta, is_monotonic)
                    for point in data.data_points:
                        labels = repr(sorted(from_key_values(point.attributes).items()))
                        series = found.setdefault((*about, labels), Series())
                        _add_point(series, kind, point, is_delta=is_delta)
    return found


def _add_point(series: Series, kind: str, point: Any, *, is_delta: bool) -> None:
    assert point.start_time_unix_nano <= point.time_unix_nano
    rest: tuple[object, ...]
    if kind == "sum":
        count, total, rest = point.as_int, 0.0, (point.WhichOneof("value"),)
    elif kind == "histogram":
        count, total, rest = point.count, point.sum, (tuple(point.explicit_bounds), tuple(point.bucket_counts))
    else:
        buckets = (point.positive.offset, tuple(point.positive.bucket_counts), len(point.negative.bucket_counts))
        count, total, rest = point.count, point.sum, (point.scale, point.zero_count, point.min, point.max, *buckets)
    if is_delta:
        count, total = count + series.count, total + series.total
    series.count, series.total, series.rest = count, total, rest
    series.exemplars |= {(e.trace_id, e.span_id, e.as_double) for e in point.exemplars}
    series.most_exemplars = max(series.most_exemplars, len(point.exemplars))


def _config(otlp_port: int, page_port: int, backend: Backend) -> dict[str, Any]:
    connectors = {
        f"spanmetrics/{name}": {"metrics_flush_interval": "700ms", **config} for name, config in CONFIGS.items()
    }
    shown = [f"spanmetrics/{name}" for name in SHOWN]
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp_port}"}}}},
        "connectors": connectors,
        "exporters": {
            "otlphttp": {"endpoint": f"http://127.0.0.1:{backend.http_port}"},
            "prometheus": {"endpoint": f"127.0.0.1:{page_port}"},
        },
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "exporters": list(connectors)},
                "metrics": {"receivers": list(connectors), "exporters": ["otlphttp"]},
                "metrics/page": {"receivers": shown, "exporters": ["prometheus"]},
            }
        },
    }


def _http(url: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/x-protobuf"} if body else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode(errors="replace"))


def _counts(series: dict[Name, Series], kind: str) -> dict[str, int]:
    """Spans that were counted, by metric of a kind: `calls` or `duration`. They may come in requests of their own."""
    found: dict[str, int] = {}
    for name, one in series.items():
        metric = str(name[2])
        if metric.endswith(kind):
            found[metric] = found.get(metric, 0) + one.count
    return found


@dataclass
class Said:
    """What one of both made of the spans."""

    series: dict[Name, Series]
    page: list[str]


def _run(server: Any, request: ExportTraceServiceRequest, folder: Path) -> Said:
    otlp_port, page_port = free_ports(2)
    expected = len(spans_of(request))
    with (
        otlp_backend() as backend,
        server(_config(otlp_port, page_port, backend), folder, ports=[otlp_port, page_port]),
    ):
        _http(f"http://127.0.0.1:{otlp_port}/v1/traces", request.SerializeToString())

        def is_whole(bodies: list[bytes]) -> bool:
            series = read(bodies)
            calls, durations = _counts(series, "calls"), _counts(series, "duration")
            has_all = len(calls) == len(CONFIGS) and len(durations) == TIMED
            return has_all and {*calls.values(), *durations.values()} == {expected}

        series = read(backend.wait("metrics", is_whole, timeout_s=30))
        deadline = time.monotonic() + 20
        while True:
            page = _http(f"http://127.0.0.1:{page_port}/metrics").splitlines()
            shown = sum(
                float(line.rpartition(" ")[2]) for line in page if line.startswith("traces_span_metrics_calls_total{")
            )
            if shown == expected or time.monotonic() > deadline:
                return Said(series, sorted(line for line in page if not line.startswith(("#", "target_info{"))))
            time.sleep(0.2)


@pytest.fixture(scope="module", params=["made", "recorded"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, Said]:
    """The Collector's word and ours."""
    sent = requests()[request.param]
    assert len(spans_of(sent)) > 100
    folder = tmp_path_factory.mktemp("span_metrics")
    return _run(otelcol, sent, folder / "collector"), _run(penstock, sent, folder / "penstock")


@pytest.mark.parametrize("name", CONFIGS)
def test_same_series_as_the_real_collector(both: tuple[Said, Said], name: str) -> None:
    prefix = CONFIGS[name].get("namespace", "traces.span.metrics")
    metrics = {f"{prefix}.{kind}" if prefix else kind for kind in ("calls", "duration", "events")}
    theirs, ours = ({key: one for key, one in said.series.items() if key[2] in metrics} for said in both)
    assert set(ours) == set(theirs)
    if name == "few-exemplars":
        assert all(one.most_exemplars <= 5 for one in ours.values())
        for one in (*ours.values(), *theirs.values()):
            one.exemplars = set()
    different = {key: (one, theirs[key]) for key, one in ours.items() if not one.is_like(theirs[key])}
    assert different == {}


def test_same_page(both: tuple[Said, Said]) -> None:
    theirs, ours = both
    assert [line.rpartition(" ")[0] for line in ours.page] == [line.rpartition(" ")[0] for line in theirs.page]
    for one, other in zip(ours.page, theirs.page, strict=True):
        assert float(one.rpartition(" ")[2]) == pytest.approx(float(other.rpartition(" ")[2]), rel=1e-9), one


def test_what_was_counted_goes_out_at_the_end(tmp_path: Path) -> None:
    sent = made_spans(500, seed=2)
    (otlp_port,) = free_ports(1)
    with otlp_backend() as backend:
        config = {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp_port}"}}}},
            "connectors": {"span_metrics": {}},
            "exporters": {"otlp_http": {"endpoint": f"http://127.0.0.1:{backend.http_port}"}},
            "service": {
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "exporters": ["span_metrics"]},
                    "metrics": {"receivers": ["span_metrics"], "exporters": ["otlp_http"]},
                }
            },
        }
        with penstock(config, tmp_path, ports=[otlp_port]):
            _http(f"http://127.0.0.1:{otlp_port}/v1/traces", sent.SerializeToString())
        (body,) = backend.bodies["metrics"]
    assert _counts(read([body]), "calls") == {"traces.span.metrics.calls": len(spans_of(sent))}
