"""The exporter `otlp_http` against real HTTP servers."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsPartialSuccess, ExportLogsServiceResponse
from pydantic import ValidationError

from pipeline.clock import SystemClock
from pipeline.component import Extension, Host
from pipeline.config import ComponentId, ConfigModel
from pipeline.errors import Code, DeliveryError, Refused, Rejected, StartError
from pipeline.exporters.otlp_http import OtlpHttpConfig, OtlpHttpExporter
from pipeline.registry import Kind
from pipeline.signals import Batch, Signal
from pipeline.signals.otlp_json import decode
from pipeline.testing import configured, logs, make_host, metrics, traces
from pipeline.transport import compression
from pipeline.transport.compression import decompress
from tests.unit.exporters.grpc_server import status_of
from tests.unit.exporters.http_server import HttpServer, answering, http_server

PROTOBUF = "application/x-protobuf"


class Token(Extension):
    """A client authenticator."""

    type = "token"
    Config = ConfigModel

    async def headers(self) -> Mapping[str, str]:
        return {"authorization": "Bearer t0k3n"}


@asynccontextmanager
async def exporter_to(url: str, host: Host | None = None, **keys: Any) -> AsyncIterator[OtlpHttpExporter]:
    made = configured(
        OtlpHttpExporter,
        host or make_host("otlp_http", kind=Kind.EXPORTER, clock=SystemClock()),
        **{"endpoint": url, **keys},
    )
    assert isinstance(made, OtlpHttpExporter)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def failure(server: HttpServer, **keys: Any) -> DeliveryError:
    async with exporter_to(server.url, **keys) as exporter:
        with pytest.raises(DeliveryError) as caught:
            await exporter.export(traces({}))
    return caught.value


@pytest.mark.parametrize(
    ("batch", "path"),
    [(traces({"a": 1}), "/v1/traces"), (logs("line"), "/v1/logs"), (metrics({"m": [1.0]}), "/v1/metrics")],
    ids=["traces", "logs", "metrics"],
)
async def test_the_very_bytes_arrive_at_the_path_of_the_signal(batch: Batch, path: str) -> None:
    async with http_server() as server, exporter_to(server.url + "/", compression="none") as exporter:
        await exporter.export(batch)

        assert server.paths == [path]
        assert server.bodies == [batch.serialize()]
        assert server.headers[0]["content-type"] == PROTOBUF
        assert "content-encoding" not in server.headers[0]


@pytest.mark.parametrize("coding", compression.CODINGS)
@pytest.mark.parametrize("size", [10, 200_000], ids=["small", "large"])
async def test_every_coding_arrives_intact(coding: str, size: int) -> None:
    batch = traces({"text": "x" * size})

    async with http_server() as server, exporter_to(server.url, compression=coding) as exporter:
        await exporter.export(batch)

        assert server.headers[0]["content-encoding"] == coding
        assert decompress(coding, server.bodies[0], 1 << 20) == batch.serialize()


async def test_gzip_is_the_default_and_its_level_can_be_chosen() -> None:
    batch = traces(*({"text": f"some text that is said {n} times"} for n in range(50)))
    sizes = []

    async with http_server() as server:
        for params in ({}, {"level": 9}):
            async with exporter_to(server.url, compression_params=params) as exporter:
                await exporter.export(batch)
            assert server.headers[-1]["content-encoding"] == "gzip"
            sizes.append(len(server.bodies[-1]))

    assert sizes[0] > sizes[1]


async def test_a_coding_whose_library_is_not_installed_is_an_error_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.exporters.http_backend.available", lambda _: False)

    with pytest.raises(StartError, match=r"penstock\[compression\]"):
        async with exporter_to("http://localhost:1", compression="lz4"):
            pass


async def test_json_is_the_same_request() -> None:
    batch = traces({"a": 1, "b": "text"})

    async with http_server() as server, exporter_to(server.url, encoding="json", compression="none") as exporter:
        await exporter.export(batch)

        assert server.headers[0]["content-type"] == "application/json"
        assert decode(Signal.TRACES, server.bodies[0]) == batch.message


async def test_each_signal_may_have_its_own_url() -> None:
    async with (
        http_server() as server,
        exporter_to("", traces_endpoint=f"{server.url}/t", logs_endpoint=f"{server.url}/l/") as exporter,
    ):
        await exporter.export(traces({}))
        await exporter.export(logs("x"))
        with pytest.raises(Rejected, match="set endpoint or metrics_endpoint"):
            await exporter.export(metrics({"m": [1.0]}))

        assert server.paths == ["/t", "/l/"]


async def test_headers_and_authenticator() -> None:
    host = make_host("otlp_http", kind=Kind.EXPORTER, clock=SystemClock())
    host.extensions = {ComponentId("token"): Token(ConfigModel(), make_host("token", kind=Kind.EXTENSION))}

    async with (
        http_server() as server,
        exporter_to(server.url, host, headers={"X-Tenant": "a"}, auth={"authenticator": "token"}) as exporter,
    ):
        await exporter.export(traces({}))

        assert server.headers[0]["x-tenant"] == "a"
        assert server.headers[0]["authorization"] == "Bearer t0k3n"


@pytest.mark.parametrize(("keys", "connections"), [({}, 1), ({"disable_keep_alives": True}, 3)])
async def test_connections_are_kept_unless_told_otherwise(keys: dict[str, Any], connections: int) -> None:
    async with http_server() as server, exporter_to(server.url, **keys) as exporter:
        for _ in range(3):
            await exporter.export(traces({}))

        assert len(server.connections) == connections


async def test_max_conns_per_host_bounds_what_is_under_way() -> None:
    most = under_way = 0

    async def answer(_body: bytes, _request: web.Request) -> web.Response:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return web.Response()

    async with http_server(answer) as server, exporter_to(server.url, max_conns_per_host=2) as exporter:
        await asyncio.gather(*(exporter.export(traces({})) for _ in range(6)))

    assert most == 2


@pytest.mark.parametrize(("keys", "sent_back"), [({}, None), ({"cookies": {}}, "node=7")])
async def test_cookies_are_sent_back_when_asked_for(keys: dict[str, Any], sent_back: str | None) -> None:
    answer = answering(200, headers={"set-cookie": "node=7"})

    async with http_server(answer) as server, exporter_to(server.url, **keys) as exporter:
        await exporter.export(traces({}))
        await exporter.export(traces({}))

        assert server.headers[1].get("cookie") == sent_back


async def test_a_proxy_is_asked_for_the_whole_url() -> None:
    async with http_server() as proxy, exporter_to("http://backend.example:4318", proxy_url=proxy.url) as exporter:
        await exporter.export(traces({}))

        assert proxy.headers[0]["host"] == "backend.example:4318"


async def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "other.example")
        async with exporter_to("http://backend.example:4318") as exporter:
            await exporter.export(traces({}))
        assert len(proxy.bodies) == 1


@pytest.mark.parametrize(
    ("status", "error", "code", "divisible"),
    [
        (429, Refused, Code.RESOURCE_EXHAUSTED, None),
        (502, Refused, Code.UNAVAILABLE, None),
        (503, Refused, Code.UNAVAILABLE, None),
        (504, Refused, Code.UNAVAILABLE, None),
        (400, Rejected, Code.INVALID_ARGUMENT, True),
        (413, Rejected, Code.UNKNOWN, True),
        (422, Rejected, Code.UNKNOWN, True),
        (500, Rejected, Code.UNKNOWN, True),
        (401, Rejected, Code.UNAUTHENTICATED, False),
        (403, Rejected, Code.PERMISSION_DENIED, False),
        (404, Rejected, Code.UNIMPLEMENTED, False),
        (415, Rejected, Code.UNKNOWN, False),
        (501, Rejected, Code.UNKNOWN, False),
    ],
)
async def test_a_status_is_an_error_of_its_class(
    status: int, error: type[DeliveryError], code: Code, *, divisible: bool | None
) -> None:
    async with http_server(answering(status)) as server:
        caught = await failure(server)

    assert type(caught) is error
    assert caught.code is code
    assert getattr(caught, "divisible", None) is divisible
    assert str(caught) == f"backend answered HTTP {status}"


@pytest.mark.parametrize(("status", "honoured"), [(429, 7.0), (503, 7.0), (502, None), (504, None)])
async def test_retry_after_is_honoured_on_429_and_503(status: int, honoured: float | None) -> None:
    async with http_server(answering(status, headers={"retry-after": "7"})) as server:
        assert getattr(await failure(server), "retry_after_s", "none") == honoured


@pytest.mark.parametrize("coding", ["protobuf", "json"])
async def test_a_status_in_the_body_is_told(coding: str) -> None:
    if coding == "protobuf":
        answer = answering(400, status_of(3, "bad span", retry_s=1.0), content_type=PROTOBUF)
    else:
        answer = answering(400, b'{"code":3,"message":"bad span"}', content_type="application/json")

    async with http_server(answer) as server:
        caught = await failure(server)

    assert caught.for_sender == "backend answered HTTP 400: bad span"
    assert str(caught) == "backend answered HTTP 400"
    assert caught.details == (status_of(3, "bad span", retry_s=1.0) if coding == "protobuf" else None)


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json", "text/html"])
async def test_a_body_that_is_no_status_is_no_trouble(content_type: str) -> None:
    async with http_server(answering(500, b"\xff<html>" * 50_000, content_type=content_type)) as server:
        assert str(await failure(server)) == "backend answered HTTP 500"


async def test_redirects_are_not_followed() -> None:
    async with http_server(answering(307, headers={"location": "http://localhost/elsewhere"})) as server:
        caught = await failure(server)

    assert type(caught) is Rejected
    assert "redirects are not followed" in str(caught)


@pytest.mark.parametrize("coding", ["protobuf", "json"])
async def test_partial_success_is_logged_and_not_an_error(coding: str, caplog: pytest.LogCaptureFixture) -> None:
    partial = ExportLogsPartialSuccess(rejected_log_records=2, error_message="too old")
    body = ExportLogsServiceResponse(partial_success=partial).SerializeToString()
    if coding == "protobuf":
        answer = answering(200, body, content_type=PROTOBUF)
    else:
        document = {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too old"}}
        answer = answering(200, orjson.dumps(document), content_type="application/json")

    async with http_server(answer) as server, exporter_to(server.url) as exporter:
        await exporter.export(logs("a", "b", "c"))

    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]  # set by Log
    assert record.message == "Partial success response"
    assert fields["dropped_log_records"] == 2
    assert "too old" not in str(fields), "a backend may repeat what it was sent"


@pytest.mark.parametrize("body", [b"", b"OK"], ids=["empty", "text"])
async def test_any_2xx_is_a_success(body: bytes) -> None:
    async with http_server(answering(202, body)) as server, exporter_to(server.url) as exporter:
        await exporter.export(traces({}))


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json"])
async def test_a_success_that_is_no_otlp_is_rejected(content_type: str) -> None:
    async with http_server(answering(200, b"\xff\xff", content_type=content_type)) as server:
        caught = await failure(server)

    assert str(caught) == "the backend's answer is no OTLP response"
    assert type(caught) is Rejected


async def test_a_kept_connection_that_the_backend_closed_is_no_error() -> None:
    async with http_server() as server, exporter_to(server.url) as exporter:
        await exporter.export(traces({}))
        for transport in server.connections:
            transport.close()  # type: ignore[attr-defined]  # asyncio transports
        await exporter.export(traces({}))

        assert len(server.bodies) == 2


async def test_no_backend_is_a_refusal() -> None:
    async with http_server() as server:
        gone = server.url

    async with exporter_to(gone) as exporter:
        with pytest.raises(Refused, match="network error: connection refused"):
            await exporter.export(traces({}))


class Certificates:
    """A certificate authority and a server's side of TLS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))

    def context(self, *, mutual: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert("backend.example", "127.0.0.1").configure_cert(context)
        if mutual:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, ca: trustme.CA | None = None) -> dict[str, str]:
        cert = (ca or self.ca).issue_cert("penstock.example")
        cert.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        cert.cert_chain_pems[0].write_to_path(str(self.folder / "cert.pem"))
        return {"cert_file": str(self.folder / "cert.pem"), "key_file": str(self.folder / "key.pem")}


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def text_of(file: str) -> str:
    return Path(file).read_text(encoding="ascii")


def https(server: HttpServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.port}"


async def test_tls_trusts_the_ca_it_is_given(certificates: Certificates) -> None:
    async with http_server(context=certificates.context()) as server:
        for tls in (
            {"ca_file": str(certificates.ca_file)},
            {"ca_pem": certificates.ca_file.read_text(), "include_system_ca_certs_pool": True},
            {"insecure_skip_verify": True},
            {"ca_file": str(certificates.ca_file), "min_version": "1.3", "max_version": "1.3"},
        ):
            async with exporter_to(https(server), tls=tls) as exporter:
                await exporter.export(traces({}))
        assert len(server.bodies) == 4


async def test_a_backend_that_cannot_be_trusted_gets_nothing(certificates: Certificates) -> None:
    async with http_server(context=certificates.context()) as server:
        for tls in ({}, {"ca_file": str(certificates.ca_file), "server_name_override": "other.example"}):
            async with exporter_to(https(server), tls=tls) as exporter:
                with pytest.raises(Refused, match="network error: the certificate is not accepted: "):
                    await exporter.export(traces({}))
        assert server.bodies == []


async def test_tls_versions_are_kept_to(certificates: Certificates) -> None:
    context = certificates.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = {"ca_file": str(certificates.ca_file), "min_version": "1.3"}

    async with http_server(context=context) as server, exporter_to(https(server), tls=tls) as exporter:
        with pytest.raises(Refused):
            await exporter.export(traces({}))


async def test_server_name_override(certificates: Certificates) -> None:
    tls = {"ca_file": str(certificates.ca_file), "server_name_override": "backend.example"}

    async with http_server(context=certificates.context()) as server:
        async with exporter_to(https(server, "localhost"), tls=tls) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1


async def test_mutual_tls_needs_our_certificate_and_reads_it_again(certificates: Certificates) -> None:
    ours = certificates.client(trustme.CA())
    tls = {"ca_file": str(certificates.ca_file), "reload_interval": 0.05, **ours}

    async with (
        http_server(context=certificates.context(mutual=True)) as server,
        exporter_to(https(server), tls=tls) as exporter,
    ):
        with pytest.raises(Refused):
            await exporter.export(traces({}))
        certificates.client()
        async with asyncio.timeout(60):
            while not server.bodies:
                await _try(exporter)


async def _try(exporter: OtlpHttpExporter) -> None:
    try:
        await exporter.export(traces({}))
    except Refused:
        await asyncio.sleep(0.05)


async def test_mutual_tls_with_pem_text(certificates: Certificates) -> None:
    pem = {key.replace("_file", "_pem"): text_of(file) for key, file in certificates.client().items()}
    tls = {"ca_file": str(certificates.ca_file), **pem}

    async with http_server(context=certificates.context(mutual=True)) as server:
        async with exporter_to(https(server), tls=tls) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1


def test_defaults_are_the_collectors() -> None:
    config = OtlpHttpConfig(endpoint="http://localhost:4318")

    assert (config.timeout, config.compression, config.encoding) == (30, "gzip", "proto")
    assert (config.idle_conn_timeout, config.max_idle_conns, config.max_conns_per_host) == (90, 100, 0)
    assert (config.read_buffer_size, config.write_buffer_size) == (0, 524288)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({}, "at least one endpoint must be specified"),
        ({"endpoint": "localhost:4318"}, 'invalid URL "localhost:4318"'),
        ({"traces_endpoint": "ftp://x"}, "invalid URL"),
        ({"proxy_url": "x", "endpoint": "http://x"}, "invalid URL"),
        ({"compression": "brotli"}, "Input should be"),
        ({"compression": "gzip", "compression_params": {"level": 10}}, "unsupported level 10"),
        ({"compression": "snappy", "compression_params": {"level": 1}}, "unsupported level 1"),
        ({"write_buffer_size": 1}, "not supported"),
        ({"max_idle_conns": 5}, "not supported"),
        ({"max_idle_conns_per_host": 5}, "not supported"),
        ({"http2_read_idle_timeout": 1.0}, "not supported"),
        ({"http2_ping_timeout": 1.0}, "not supported"),
        ({"force_attempt_http2": True}, "not supported"),
        ({"middlewares": [{"id": "x"}]}, "not supported"),
        ({"profiles_endpoint": "http://x"}, "not supported"),
        ({"tls": {"cipher_suites": ["TLS_RSA_WITH_AES_128_CBC_SHA"]}}, "not supported"),
        ({"tls": {"curve_preferences": ["X25519"]}}, "not supported"),
        ({"tls": {"min_version": "1.3", "max_version": "1.2"}}, "min_version must not be above max_version"),
        ({"tls": {"ca_file": "x", "ca_pem": "y"}}, "give ca_file or ca_pem, not both"),
        ({"tls": {"cert_file": "x"}}, "a certificate and its key must both be given"),
        ({"tls": {"tpm": {"enabled": True}}}, "not supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused(keys: dict[str, Any], text: str) -> None:
    if keys and "endpoint" not in str(keys):
        keys = {"endpoint": "http://localhost:4318", **keys}

    with pytest.raises(ValidationError, match=text):
        OtlpHttpConfig(**keys)
