"""A real Tempo behind `configs/tempo.yaml`: it cuts nothing, finds our attributes by type, keeps tenants apart."""

from __future__ import annotations

import base64
import json
import os
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from pipeline.signals import Signal
from pipeline.signals.intake import parse
from pipeline.testing import trace_request
from processors.demo.recordings import load
from processors.demo.renewal import Recorded, Renewal
from tests.servers.collectors import ROOT, penstock
from tests.servers.otlp import post
from tests.servers.processes import free_ports
from tests.servers.tempo import Tempo, tempo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.server

TENANT: Final = "team-a"
TOKEN: Final = "for-tests"
TRUNCATED: Final = "tempo_distributor_attributes_truncated_total"
RECEIVED: Final = "tempo_distributor_spans_received_total"
DISCARDED: Final = "tempo_discarded_spans_total"
TEMPO_CUTS_AT: Final = 2048
HEADERS: Final = {"authorization": f"Bearer {TOKEN}"}

# What the documentation says of our attributes, and what the recordings have of it.
NUMBERS: Final = {
    "gen_ai.response.time_to_first_chunk": 0.0,
    "penstock.latency.time_per_output_token": 0.0,
    "penstock.latency.output_tokens_per_second": 0.0,
    "penstock.cost.usd": 0.0,
    "penstock.cost.input_usd": 0.0,
    "penstock.cost.output_usd": 0.0,
    "penstock.cost.cache_read_usd": 0.0,
    "penstock.cost.cache_write_usd": 0.0,
    "penstock.adversarial.score": 0.0,
    "penstock.sampling.adjusted_count": 0.5,
    "gen_ai.usage.input_tokens": 0,
    "gen_ai.usage.output_tokens": 0,
    "gen_ai.usage.cache_read.input_tokens": 0,
    "penstock.gen_ai.usage.cache_creation_1h.input_tokens": 0,
    "penstock.redaction.count": 0,
    "penstock.limits.cut": 0,
}
TEXTS: Final = {
    "penstock.dialect": "openinference.*",
    "penstock.gen_ai.role": "leaf|aggregate|duplicate",
    "penstock.latency.source": "[a-z].*",
    "penstock.cost.quality": "exact|estimated|stated",
    "penstock.cost.price_id": ".+/.+@.+",
    "penstock.cost.unpriced": "[a-z].*",
    "penstock.adversarial.label": "pass|suspect|attack",
    "penstock.adversarial.category": "[a-z].*",
    "penstock.sampling.rule": "all",
}
# Those that no recording has, as their processors write them.
REST: Final[dict[str, tuple[Any, str]]] = {
    "penstock.latency.server.time_to_first_token": (0.25, "> 0.0"),
    "penstock.latency.server.queue_time": (0.125, "= 0.125"),
    "penstock.cost.other_usd": (0.5, ">= 0.5"),
    "gen_ai.usage.audio.input_tokens": (17, "= 17"),
    "gen_ai.usage.cache_creation.input_tokens": (18, "> 17"),
    "penstock.cost.amount": (0.75, "> 0.7"),
    "penstock.cost.currency": ("EUR", '= "EUR"'),
    "penstock.adversarial.action": ("drop_content", '= "drop_content"'),
    "penstock.adversarial.shadow": (True, "= true"),
    "penstock.sampling.dry_run": ("drop", '= "drop"'),
    "penstock.adversarial.truncated": (True, "= true"),
    "penstock.adversarial.error": (True, "= true"),
    "gen_ai.response.finish_reasons": (["stop", "length"], '= "length"'),
}


@dataclass
class Replayed:
    """All recordings went through the configuration as it ships, with adversarial and a sampler that keeps all."""

    tempo: Tempo
    spans: int
    content: Path


def configuration(backend: Tempo, folder: Path) -> tuple[dict[str, Any], int, int]:
    """`configs/tempo.yaml` with ports of its own: the configuration, the ports of OTLP/HTTP and of the health check."""
    config = yaml.safe_load((ROOT / "configs" / "tempo.yaml").read_text(encoding="utf-8"))
    grpc, http, health, metrics = free_ports(4)
    protocols = config["receivers"]["otlp"]["protocols"]
    protocols["grpc"]["endpoint"], protocols["http"]["endpoint"] = f"127.0.0.1:{grpc}", f"127.0.0.1:{http}"
    config["extensions"]["health_check"]["endpoint"] = f"127.0.0.1:{health}"
    config["exporters"]["prometheus"]["endpoint"] = f"127.0.0.1:{metrics}"
    config["exporters"]["otlp_grpc/tempo"]["endpoint"] = f"127.0.0.1:{backend.grpc_port}"
    config["exporters"]["file/content"]["path"] = str(folder / "content" / "content.json")
    return config, http, health


def by_tenant(backend: Tempo, *names: str) -> tuple[dict[str, Any], dict[str, int]]:
    """For each tenant a port of OTLP/HTTP and a pipeline that writes as this tenant, and nothing else."""
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    url = f"http://127.0.0.1:{backend.http_port}"
    config: dict[str, Any] = {
        "receivers": {
            f"otlp/{name}": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}} for name, port in ports.items()
        },
        "exporters": {f"otlp_http/{name}": {"endpoint": url, "headers": {"X-Scope-OrgID": name}} for name in names},
        "service": {
            "pipelines": {
                f"traces/{name}": {"receivers": [f"otlp/{name}"], "exporters": [f"otlp_http/{name}"]} for name in names
            }
        },
    }
    return config, ports


def environment(tenant: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PENSTOCK_TOKEN": TOKEN, "PENSTOCK_TENANT": tenant}


def recorded(*dialects: str) -> Iterator[bytes]:
    """The traces of the recordings, of all or of some dialects, as if they had just happened."""
    for recording in load():
        if dialects and recording.dialect not in dialects:
            continue
        messages = [export.message() for export in recording.exports() if export.signal == "traces"]
        requests = [Recorded(Signal.TRACES, message.SerializeToString(), 0) for message in messages]
        renewal = Renewal(requests)
        # Requests concatenate: one for a recording is enough.
        yield b"".join([renewal.renewed(request, time.time_ns()) for request in requests])


def now_request(**attributes: Any) -> bytes:
    """One span of this moment, whose trace nobody else has."""
    request = trace_request({key.replace("__", "."): value for key, value in attributes.items()})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
    span.start_time_unix_nano, span.end_time_unix_nano = time.time_ns() - 10**9, time.time_ns()
    return request.SerializeToString()


def wait_until(is_so: Any, what: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tempo]:
    with tempo(tmp_path_factory.mktemp("tempo"), multitenancy_enabled=True) as running:
        yield running


@pytest.fixture(scope="module")
def replayed(backend: Tempo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("penstock")
    config, http, health = configuration(backend, folder)
    config["processors"]["adversarial"] = {"action": "annotate"}
    config["processors"]["tail_sampling"] = {
        "deadline": {"settle": "500ms", "idle": "1s", "max_age": "30s"},
        "policies": [{"name": "all", "type": "always_sample"}],
        "weights": True,
    }
    pipelines = config["service"]["pipelines"]
    pipelines["traces/in"]["processors"].insert(-1, "adversarial")
    pipelines["traces/keep"]["processors"] = ["tail_sampling"]
    with penstock(config, folder, ports=[http, health], env=environment(TENANT)) as server:
        spans = 0
        for body in recorded():
            post(http, "traces", body, HEADERS)
            spans += parse(Signal.TRACES, body).count
        wait_until(lambda: backend.metric(RECEIVED, tenant=TENANT) >= spans, server.log()[-2000:])
        rest = {key.replace(".", "__"): value for key, (value, _) in REST.items()}
        post(http, "traces", now_request(rest=True, **rest), HEADERS)
        # What arrives last can be found last.
        backend.found("{ span.rest = true }", TENANT)
        yield Replayed(backend, spans + 1, folder / "content" / "content.json")


def test_tempo_gets_every_span_and_cuts_nothing(replayed: Replayed) -> None:
    assert replayed.tempo.metric(RECEIVED, tenant=TENANT) == replayed.spans
    assert replayed.tempo.metric(TRUNCATED, tenant=TENANT) == 0
    assert replayed.tempo.metric(DISCARDED, tenant=TENANT) == 0


def test_without_limits_tempo_cuts(backend: Tempo, tmp_path: Path) -> None:
    config, ports = by_tenant(backend, "uncut")
    with penstock(config, tmp_path, ports=list(ports.values())):
        spans = 0
        for body in recorded("openinference-langchain", "strands"):
            post(ports["uncut"], "traces", body)
            spans += parse(Signal.TRACES, body).count
        wait_until(lambda: backend.metric(RECEIVED, tenant="uncut") >= spans, "spans are missing")
    assert backend.metric(TRUNCATED, tenant="uncut") > 0


def test_what_is_cut_is_marked_and_whole_in_the_files(replayed: Replayed) -> None:
    query = "{ span.penstock.limits.cut > 0 && span.gen_ai.input.messages != nil }"
    found = replayed.tempo.found(query, TENANT)
    whole = attributes_by_span(file_spans(replayed.content))
    checked = 0
    for summary in found:
        stored = replayed.tempo.trace(summary["traceID"], TENANT)["trace"]
        for span_id, attributes in attributes_by_span(tempo_spans(stored)).items():
            shown, full = attributes.get("gen_ai.input.messages", ""), whole[span_id].get("gen_ai.input.messages", "")
            assert len(shown.encode()) <= TEMPO_CUTS_AT
            if shown != full and len(full.encode()) > TEMPO_CUTS_AT:
                checked += 1
                assert json.loads(shown)[0]["role"] == json.loads(full)[0]["role"]
                assert re.search(r"\[cut \d+ bytes\]", shown)
    assert checked > 0


def tempo_spans(stored: Mapping[str, Any]) -> Iterator[Any]:
    for group in stored["resourceSpans"]:
        for scope in group["scopeSpans"]:
            yield from scope["spans"]


def file_spans(path: Path) -> Iterator[Any]:
    for line in path.read_text(encoding="utf-8").splitlines():
        for group in json.loads(line).get("resourceSpans", ()):
            for scope in group["scopeSpans"]:
                yield from scope["spans"]


def attributes_by_span(spans: Iterator[Any]) -> dict[str, dict[str, str]]:
    """Texts among the attributes, by span id in hexadecimal; Tempo's API writes ids in base64."""
    return {
        _hex(span["spanId"]): {
            pair["key"]: pair["value"]["stringValue"]
            for pair in span.get("attributes", ())
            if "stringValue" in pair["value"]
        }
        for span in spans
    }


def _hex(span_id: str) -> str:
    return span_id if len(span_id) == 16 else base64.b64decode(span_id).hex()


@pytest.mark.parametrize(("attribute", "above"), NUMBERS.items())
def test_numbers_are_numbers(replayed: Replayed, attribute: str, above: float) -> None:
    """Each is of one kind: found as it, and by no query for the other or for text."""
    tempo, name = replayed.tempo, f"span.{attribute}"
    assert tempo.search(f"{{ {name} >= {above} }}", TENANT)
    other = int(above) if isinstance(above, float) else float(above)
    assert tempo.search(f"{{ {name} >= {other} }}", TENANT) == []
    assert tempo.search(f'{{ {name} =~ ".*" }}', TENANT) == []


@pytest.mark.parametrize(("attribute", "expression"), TEXTS.items())
def test_texts_are_texts(replayed: Replayed, attribute: str, expression: str) -> None:
    assert replayed.tempo.search(f'{{ span.{attribute} =~ "{expression}" }}', TENANT)


@pytest.mark.parametrize("attribute", REST)
def test_what_no_recording_has(replayed: Replayed, attribute: str) -> None:
    _, condition = REST[attribute]
    assert replayed.tempo.search(f"{{ span.{attribute} {condition} && span.rest = true }}", TENANT)


@pytest.mark.parametrize(
    "query",
    [
        "{ status = error }",
        '{ kind = client && span.penstock.gen_ai.role = "leaf" }',
        "{ kind = server }",
        "{ span.gen_ai.request.stream = true }",
        '{ resource.service.name = "recording" && span.gen_ai.operation.name = "execute_tool" }',
        '{ event:name = "exception" && event.exception.type =~ ".+" }',
    ],
)
def test_intrinsics_booleans_resources_and_events(replayed: Replayed, query: str) -> None:
    assert replayed.tempo.search(query, TENANT)


def documented() -> list[str]:
    """The TraceQL of docs/tempo.md."""
    text = (ROOT / "docs" / "tempo.md").read_text(encoding="utf-8")
    return [block.strip() for block in re.findall(r"```traceql\n(.*?)```", text, re.DOTALL)]


def test_the_page_has_queries() -> None:
    assert len(documented()) >= 8


def test_every_query_of_the_page_finds_something(replayed: Replayed) -> None:
    assert [query for query in documented() if not replayed.tempo.search(query, TENANT)] == []


def test_a_large_trace_is_whole_where_its_size_is_limited(backend: Tempo, tmp_path: Path) -> None:
    """Tempo throws away spans of a trace over 5 MB, although it has answered that it took them."""
    config, ports = by_tenant(backend, "whole", "limited")
    config["processors"] = {"limits": {"max_trace_bytes": 4_500_000}}
    config["service"]["pipelines"]["traces/limited"]["processors"] = ["limits"]
    with penstock(config, tmp_path, ports=list(ports.values())):
        for name, port in ports.items():
            for body in large_trace():
                post(port, "traces", body)
            wait_until(lambda name=name: backend.metric(RECEIVED, tenant=name) >= 2000, "spans are missing")
    wait_until(lambda: backend.metric(DISCARDED, tenant="whole", reason="trace_too_large") > 0, "it took all")
    assert backend.metric(DISCARDED, tenant="limited") == 0
    (found,) = backend.found('{ span.gen_ai.request.model = "gpt-4o" } | count() = 2000', "limited")
    assert found["spanSets"][0]["matched"] == 2000


def large_trace() -> Iterator[bytes]:
    """8 MB of one trace in ten requests."""
    trace_id = os.urandom(16)
    text: dict[str, Any] = {"gen_ai.input.messages": "word " * 400, "gen_ai.output.messages": "word " * 400}
    for _ in range(10):
        request = trace_request(*[{**text, "gen_ai.request.model": "gpt-4o"}] * 200)
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.trace_id, span.span_id = trace_id, os.urandom(8)
            span.start_time_unix_nano, span.end_time_unix_nano = time.time_ns() - 10**9, time.time_ns()
        yield request.SerializeToString()


def test_tenants_do_not_see_each_other(backend: Tempo, tmp_path: Path) -> None:
    """One is written over gRPC, the other over HTTP; without a tenant Tempo refuses, and that is counted."""
    config, ports = by_tenant(backend, "red", "blue", "none")
    config["exporters"]["otlp_http/none"].pop("headers")
    config["exporters"]["otlp_http/none"] |= {
        "sending_queue": {"enabled": False},
        "retry_on_failure": {"enabled": False},
    }
    config["exporters"]["otlp_grpc/red"] = {
        "endpoint": f"127.0.0.1:{backend.grpc_port}", "tls": {"insecure": True}, "headers": {"X-Scope-OrgID": "red"}
    }  # fmt: skip
    config["service"]["pipelines"]["traces/red"]["exporters"] = ["otlp_grpc/red"]
    with penstock(config, tmp_path, ports=list(ports.values())):
        for name in ("red", "blue"):
            post(ports[name], "traces", now_request(owner=name))
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(ports["none"], "traces", now_request(owner="none"))
        refused.value.close()
    for name, other in (("red", "blue"), ("blue", "red")):
        assert len(backend.found("{ span.owner != nil }", name)) == 1
        assert backend.search(f'{{ span.owner = "{other}" }}', name) == []
    with pytest.raises(ValueError, match="no org id"):
        backend.search("{ span.owner != nil }")
