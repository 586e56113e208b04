"""The exporter `otlp_grpc` against real gRPC servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from pipeline.clock import SystemClock
from pipeline.component import Extension, Host
from pipeline.config import ComponentId, ConfigModel
from pipeline.errors import Code, DeliveryError, Refused, Rejected, StartError
from pipeline.exporters.otlp_grpc import OtlpGrpcExporter
from pipeline.registry import Kind
from pipeline.signals import Batch
from pipeline.testing import configured, logs, make_host, metrics, traces
from tests.unit.exporters.grpc_server import GrpcServer, grpc_server, refusing, status_of


class Token(Extension):
    """A client authenticator."""

    type = "token"
    Config = ConfigModel

    async def headers(self) -> Mapping[str, str]:
        return {"authorization": "Bearer t0k3n"}


class NoToken(Extension):
    """An extension that is no authenticator."""

    type = "other"
    Config = ConfigModel


@asynccontextmanager
async def exporter_to(endpoint: str, host: Host | None = None, **keys: Any) -> AsyncIterator[OtlpGrpcExporter]:
    made = configured(
        OtlpGrpcExporter,
        host or make_host("otlp_grpc", kind=Kind.EXPORTER, clock=SystemClock()),
        **{"endpoint": endpoint, "tls": {"insecure": True}, **keys},
    )
    assert isinstance(made, OtlpGrpcExporter)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


async def failure(server: GrpcServer, **keys: Any) -> DeliveryError:
    async with exporter_to(server.endpoint, **keys) as exporter:
        with pytest.raises(DeliveryError) as caught:
            await exporter.export(traces({}))
    return caught.value


@pytest.mark.parametrize(
    ("batch", "method"),
    [
        (traces({"a": 1}), "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        (logs("line"), "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
        (metrics({"m": [1.0]}), "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"),
    ],
    ids=["traces", "logs", "metrics"],
)
@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_the_very_bytes_arrive_under_the_method_of_the_signal(
    batch: Batch, method: str, compression: str
) -> None:
    async with grpc_server() as server, exporter_to(server.endpoint, compression=compression) as exporter:
        await exporter.export(batch)

        assert server.methods == [method]
        assert server.bodies == [batch.serialize()]


async def test_headers_user_agent_and_authority_are_sent() -> None:
    async with (
        grpc_server() as server,
        exporter_to(
            server.endpoint, headers={"X-Tenant": "a"}, user_agent="shop/1", authority="backend.example"
        ) as exporter,
    ):
        await exporter.export(traces({}))

        assert server.metadata[0]["x-tenant"] == "a"
        assert server.metadata[0]["user-agent"].startswith("shop/1 ")


async def test_headers_may_be_a_list() -> None:
    async with (
        grpc_server() as server,
        exporter_to(server.endpoint, headers=[{"name": "X-Tenant", "value": "b"}]) as exporter,
    ):
        await exporter.export(traces({}))

        assert server.metadata[0]["x-tenant"] == "b"


async def test_the_timeout_of_an_attempt_is_told_to_the_backend() -> None:
    async with grpc_server() as server, exporter_to(server.endpoint, timeout=300.0) as exporter:
        await exporter.export(traces({}))

        (left_s,) = server.time_left_s
        assert left_s is not None
        assert 200 < left_s < 301


async def test_an_authenticator_adds_its_headers() -> None:
    host = make_host("otlp_grpc", kind=Kind.EXPORTER, clock=SystemClock())
    host.extensions = {ComponentId("token"): Token(ConfigModel(), make_host("token", kind=Kind.EXTENSION))}

    async with (
        grpc_server() as server,
        exporter_to(server.endpoint, host, headers={"x": "y"}, auth={"authenticator": "token"}) as exporter,
    ):
        await exporter.export(traces({}))

        assert server.metadata[0]["authorization"] == "Bearer t0k3n"
        assert server.metadata[0]["x"] == "y"


@pytest.mark.parametrize(("name", "text"), [("absent", "not started"), ("other", "not a client authenticator")])
async def test_an_authenticator_that_cannot_work_is_an_error_at_start(name: str, text: str) -> None:
    host = make_host("otlp_grpc", kind=Kind.EXPORTER)
    host.extensions = {ComponentId("other"): NoToken(ConfigModel(), make_host("other", kind=Kind.EXTENSION))}

    with pytest.raises(StartError, match=text):
        async with exporter_to("127.0.0.1:1", host, auth={"authenticator": name}):
            pass


@pytest.mark.parametrize(
    ("code", "retry_s", "error", "divisible"),
    [
        (grpc.StatusCode.CANCELLED, None, Refused, None),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, Refused, None),
        (grpc.StatusCode.ABORTED, None, Refused, None),
        (grpc.StatusCode.OUT_OF_RANGE, None, Refused, None),
        (grpc.StatusCode.UNAVAILABLE, None, Refused, None),
        (grpc.StatusCode.UNAVAILABLE, 2.5, Refused, None),
        (grpc.StatusCode.DATA_LOSS, None, Refused, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.0, Refused, None),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None, Rejected, True),
        (grpc.StatusCode.INVALID_ARGUMENT, None, Rejected, True),
        (grpc.StatusCode.INTERNAL, None, Rejected, True),
        (grpc.StatusCode.UNKNOWN, None, Rejected, True),
        (grpc.StatusCode.FAILED_PRECONDITION, None, Rejected, True),
        (grpc.StatusCode.UNAUTHENTICATED, None, Rejected, False),
        (grpc.StatusCode.PERMISSION_DENIED, None, Rejected, False),
        (grpc.StatusCode.UNIMPLEMENTED, None, Rejected, False),
        (grpc.StatusCode.NOT_FOUND, None, Rejected, False),
        (grpc.StatusCode.ALREADY_EXISTS, None, Rejected, False),
    ],
)
async def test_a_status_is_an_error_of_its_class(
    code: grpc.StatusCode, retry_s: float | None, error: type[DeliveryError], *, divisible: bool | None
) -> None:
    async with grpc_server(refusing(code, retry_s=retry_s)) as server:
        caught = await failure(server)

    assert type(caught) is error
    assert caught.code == code.value[0]
    assert getattr(caught, "divisible", None) is divisible
    assert getattr(caught, "retry_after_s", None) == retry_s
    if retry_s is not None:
        assert caught.details == status_of(int(caught.code or 0), "because", retry_s=retry_s)
    if code is not grpc.StatusCode.CANCELLED:
        assert caught.for_sender == f"rpc error: code = {code.name}: because"
        assert str(caught) == f"rpc error: code = {code.name}"


async def test_a_backends_message_is_one_bounded_line() -> None:
    async with grpc_server(refusing(grpc.StatusCode.INTERNAL, "a\nb\x1b[31m" + "x" * 1000)) as server:
        message = (await failure(server)).for_sender

    assert len(message) < 400
    assert message.isprintable()


async def test_no_backend_is_a_refusal() -> None:
    async with grpc_server() as server:
        gone = server.endpoint

    async with exporter_to(gone) as exporter:
        with pytest.raises(Refused) as caught:
            await exporter.export(traces({}))

    assert caught.value.code is Code.UNAVAILABLE


async def test_wait_for_ready_waits_for_a_backend_that_comes_late() -> None:
    async with grpc_server() as server:
        port = server.port

    async with exporter_to(f"127.0.0.1:{port}", wait_for_ready=True, timeout=20.0) as exporter:
        sending = asyncio.create_task(exporter.export(traces({})))
        await asyncio.sleep(0.2)
        assert not sending.done()
        async with grpc_server(port=port) as server:
            await sending
            assert len(server.bodies) == 1


async def test_partial_success_is_logged_and_not_an_error(caplog: pytest.LogCaptureFixture) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=3, error_message="too old")

    async def answer(_body: bytes, _context: object) -> bytes:
        return ExportTraceServiceResponse(partial_success=partial).SerializeToString()

    async with grpc_server(answer) as server, exporter_to(server.endpoint) as exporter:
        await exporter.export(traces({}))

    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.message == "Partial success response"
    fields: dict[str, Any] = record.fields  # type: ignore[attr-defined]  # set by Log
    assert fields["dropped_spans"] == 3
    assert "too old" not in str(fields), "a backend may repeat what it was sent"


async def test_an_answer_that_is_no_otlp_is_rejected() -> None:
    async def answer(_body: bytes, _context: object) -> bytes:
        return b"\xff\xff"

    async with grpc_server(answer) as server:
        assert str(await failure(server)) == "the backend's answer is no OTLP response"


async def test_a_request_larger_than_grpcs_own_limit_is_sent() -> None:
    options = [("grpc.max_receive_message_length", -1)]
    batch = traces({"text": "x" * (6 << 20)})

    async with grpc_server(options=options) as server, exporter_to(server.endpoint, compression="none") as exporter:
        await exporter.export(batch)

        assert server.bodies == [batch.serialize()]


async def test_a_request_over_the_backends_limit_is_divisible() -> None:
    async with (
        grpc_server(options=[("grpc.max_receive_message_length", 1000)]) as server,
        exporter_to(server.endpoint) as exporter,
    ):
        with pytest.raises(Rejected) as caught:
            await exporter.export(traces({"text": "x" * 2000}))

    assert caught.value.code is Code.RESOURCE_EXHAUSTED
    assert caught.value.divisible


class Certificates:
    """A certificate authority, a server's and a client's certificate, in files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.ca_file))
        self.server = self.ca.issue_cert("backend.example", "127.0.0.1")
        self.client_file = folder / "client.pem"
        self.client_key_file = folder / "client.key"
        self.renew_client(self.ca)

    def renew_client(self, ca: trustme.CA) -> None:
        client = ca.issue_cert("penstock.example")
        client.private_key_pem.write_to_path(str(self.client_key_file))
        client.cert_chain_pems[0].write_to_path(str(self.client_file))

    def server_credentials(self, *, mutual: bool) -> grpc.ServerCredentials:
        pair = (self.server.private_key_pem.bytes(), self.server.cert_chain_pems[0].bytes())
        return grpc.ssl_server_credentials([pair], self.ca.cert_pem.bytes(), require_client_auth=mutual)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("form", ["file", "pem"])
async def test_tls_trusts_the_ca_it_is_given(certificates: Certificates, form: str) -> None:
    tls = {"ca_file": str(certificates.ca_file)} if form == "file" else {"ca_pem": certificates.ca_file.read_text()}

    async with (
        grpc_server(credentials=certificates.server_credentials(mutual=False)) as server,
        exporter_to(server.endpoint, tls=tls) as exporter,
    ):
        await exporter.export(traces({}))
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "tls",
    [{}, {"include_system_ca_certs_pool": True}, {"ca_file": "FILE", "server_name_override": "other.example"}],
    ids=["system CAs only", "system CAs asked for", "wrong name"],
)
async def test_a_backend_that_cannot_be_trusted_gets_nothing(certificates: Certificates, tls: dict[str, Any]) -> None:
    tls = {key: str(certificates.ca_file) if value == "FILE" else value for key, value in tls.items()}

    async with (
        grpc_server(credentials=certificates.server_credentials(mutual=False)) as server,
        exporter_to(server.endpoint, tls=tls) as exporter,
    ):
        with pytest.raises(Refused):
            await exporter.export(traces({}))
        assert server.bodies == []


async def test_server_name_override_and_the_system_pool_beside_our_ca(certificates: Certificates) -> None:
    tls = {
        "ca_file": str(certificates.ca_file),
        "include_system_ca_certs_pool": True,
        "server_name_override": "backend.example",
    }

    async with (
        grpc_server(credentials=certificates.server_credentials(mutual=False)) as server,
        exporter_to(f"https://localhost:{server.port}", tls=tls) as exporter,
    ):
        await exporter.export(traces({}))
        assert len(server.bodies) == 1


async def test_mutual_tls_needs_our_certificate(certificates: Certificates) -> None:
    ours = {"cert_file": str(certificates.client_file), "key_file": str(certificates.client_key_file)}
    tls = {"ca_file": str(certificates.ca_file)}

    async with grpc_server(credentials=certificates.server_credentials(mutual=True)) as server:
        async with exporter_to(server.endpoint, tls=tls) as exporter:
            with pytest.raises(Refused):
                await exporter.export(traces({}))
        async with exporter_to(server.endpoint, tls=tls | ours) as exporter:
            await exporter.export(traces({}))
        assert len(server.bodies) == 1


async def test_certificates_are_read_again_after_reload_interval(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.renew_client(trustme.CA())
    tls = {
        "ca_file": str(certificates.ca_file),
        "cert_file": str(certificates.client_file),
        "key_file": str(certificates.client_key_file),
        "reload_interval": 0.05,
    }

    async with (
        grpc_server(credentials=certificates.server_credentials(mutual=True)) as server,
        exporter_to(server.endpoint, tls=tls) as exporter,
    ):
        with pytest.raises(Refused):
            await exporter.export(traces({}))
        certificates.renew_client(certificates.ca)
        async with asyncio.timeout(60):
            while not server.bodies:
                await _try(exporter)


async def _try(exporter: OtlpGrpcExporter) -> None:
    try:
        await exporter.export(traces({}))
    except Refused:
        await asyncio.sleep(0.05)


async def test_a_file_that_is_not_there_is_an_error_at_start() -> None:
    with pytest.raises(StartError, match=r"cannot read ca_file /nowhere/ca\.pem"):
        async with exporter_to("localhost:1", tls={"ca_file": "/nowhere/ca.pem"}):
            pass
