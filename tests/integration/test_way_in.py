"""Every port of a running service, with and without what it asks for: certificates, tokens, passwords."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load
from pipeline.service import Service
from tests.servers.oidc_issuer import Issuer, issuer, key
from tests.servers.processes import free_ports
from tests.support.certificates import Authority
from tests.support.doors import RAW, TRANSPORT_REFUSED, Doors, read

PORTS = ("otlp grpc", "otlp http", "prometheus", "health", "own metrics")
# otto:secret, as htpasswd -s writes it.
USERS = "otto:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="


def write(file: Path | str, content: bytes) -> None:
    Path(file).write_bytes(content)


@dataclass
class Running(Doors):
    """The ports of a service of this process."""

    service: Service

    async def metric(self, name: str, **labels: str) -> dict[str, float]:
        """The values of one own metric, by port."""
        by_port = {f"127.0.0.1:{number}": port for port, number in self.ports.items()}
        return {
            by_port[sample.labels["endpoint"]]: sample.value
            for metric in self.service.telemetry.registry.collect()
            for sample in metric.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        }


@asynccontextmanager
async def running(authority: Authority, extension: Mapping[str, Any] | None, tls: Any = None) -> AsyncIterator[Running]:
    """A service whose five ports all ask for the same."""
    ports = dict(zip(PORTS, free_ports(5), strict=True))
    server: dict[str, Any] = {} if tls is None else {"tls": tls}
    if extension is not None:
        server["auth"] = {"authenticator": next(iter(extension))}
    at = {port: {"endpoint": f"127.0.0.1:{number}", **server} for port, number in ports.items()}
    page = {"host": "127.0.0.1", "port": ports["own metrics"], **server}
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": at["otlp grpc"], "http": at["otlp http"]}}},
        "exporters": {"nop": None, "prometheus": at["prometheus"]},
        "extensions": {"health_check": at["health"], **(extension or {})},
        "service": {
            # The page stands in front of who guards it: the order does not matter.
            "extensions": ["health_check", *(extension or {})],
            "pipelines": {
                "traces": {"receivers": ["otlp"], "exporters": ["nop"]},
                "metrics": {"receivers": ["otlp"], "exporters": ["prometheus"]},
            },
            "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": page}}}]}},
        },
    }
    service = Service(load([f"yaml:{yaml.safe_dump(config)}"]))
    await service.start()
    try:
        yield Running(ports, authority, tls is not None, service)
    finally:
        await service.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


async def check(service: Running, wrong: Mapping[str, str], right: str) -> None:
    """Without a credential, with each wrong one, and with the right one, at every port."""
    found: dict[tuple[str, str], str] = {}
    for port in PORTS:
        found[port, "none"] = await service.knock(port)
        for what, value in wrong.items():
            found[port, what] = await service.knock(port, {"Authorization": value})
        found[port, "right"] = await service.knock(port, {"Authorization": right})
    assert found == {key: "let in" if key[1] == "right" else "refused" for key in found}
    assert len(found) == len(PORTS) * (len(wrong) + 2)


@pytest.mark.parametrize("with_tls", [False, True])
async def test_passwords(authority: Authority, with_tls: bool) -> None:
    wrong = {
        "password": basic("otto", "geheim"),
        "user": basic("emil", "secret"),
        "scheme": "Bearer secret",
        "cut": "Basic b3R0",
        "empty": basic("otto", ""),
    }
    tls = authority.issue("server") if with_tls else None
    async with running(authority, {"basicauth": {"htpasswd": {"inline": USERS}}}, tls) as service:
        await check(service, wrong, basic("otto", "secret"))


@pytest.mark.parametrize("with_tls", [False, True])
async def test_tokens(authority: Authority, with_tls: bool) -> None:
    wrong = {
        "token": "Bearer other",
        "scheme": "Basic right",
        "cut": "Bearer righ",
        "bare": "right",
        "no": "Bearer ",
    }
    tls = authority.issue("server") if with_tls else None
    async with running(authority, {"bearertokenauth": {"token": "right"}}, tls) as service:
        await check(service, wrong, "Bearer right")


async def test_tokens_of_an_issuer(authority: Authority) -> None:
    async with issuer() as one:
        wrong: dict[str, Callable[[Issuer], str]] = {
            "audience": lambda one: one.token(aud="others"),
            "issuer": lambda one: one.token(iss="https://issuer.example.com"),
            "expired": lambda one: one.token(exp=1_600_000_000),
            "key": lambda one: key("stranger").sign(one.claims(), kid="first"),
            "cut": lambda one: one.token()[:-22],
        }
        async with running(authority, {"oidc": {"providers": [one.provider()]}}, authority.issue("server")) as service:
            await check(service, {what: f"Bearer {make(one)}" for what, make in wrong.items()}, f"Bearer {one.token()}")


async def test_while_it_cannot_be_found_out_nobody_is_let_in(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.extensions.oidc.keyring._FLOOR_S", 0.0)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(issuer())
        known, unknown = one.token(), key("second").sign(one.claims())
        service = await stack.enter_async_context(running(authority, {"oidc": {"providers": [one.provider()]}}))
        one.status = 500
        found = {port: await service.knock(port, {"Authorization": f"Bearer {unknown}"}) for port in PORTS}
        assert found == dict.fromkeys(PORTS, "told to come back") | {"otlp grpc": TRANSPORT_REFUSED}
        assert {await service.knock(port, {"Authorization": f"Bearer {known}"}) for port in PORTS} == {"let in"}


async def test_certificates(authority: Authority, tmp_path: Path) -> None:
    identities = {
        "none": None,
        "of another authority": Authority(tmp_path / "other").issue("client"),
        "expired": authority.issue("expired", ends_in=timedelta(days=-1)),
        "right": authority.issue("client"),
    }
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    async with running(authority, None, tls) as service:
        found = {
            (port, what): await service.knock(port, identity=identity)
            for port in PORTS
            for what, identity in identities.items()
        }
    assert found == {key: "let in" if key[1] == "right" else TRANSPORT_REFUSED for key in found}


async def test_both_a_certificate_and_a_token(authority: Authority) -> None:
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    identity, token = authority.issue("client"), {"Authorization": "Bearer right"}
    async with running(authority, {"bearertokenauth": {"token": "right"}}, tls) as service:
        for port in PORTS:
            assert await service.knock(port, token) == TRANSPORT_REFUSED
            assert await service.knock(port, {}, identity) == "refused"
            assert await service.knock(port, token, identity) == "let in"


async def test_plain_text_to_a_port_with_tls(authority: Authority) -> None:
    async with running(authority, None, authority.issue("server")) as service:
        service.is_tls = False
        assert {port: await service.knock(port) for port in PORTS} == dict.fromkeys(PORTS, TRANSPORT_REFUSED)


def _open_tls(service: Running, port: str, identity: dict[str, str] | None = None) -> Any:
    context = service.authority.client_context(identity)
    return asyncio.open_connection("127.0.0.1", service.ports[port], ssl=context)


async def _shown(service: Running, port: str) -> bytes:
    """The certificate that a new connection is shown."""
    _, writer = await _open_tls(service, port)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


async def _until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - what is waited for is on the other end of a socket
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _open_request(service: Running, port: str) -> AsyncIterator[Callable[[], Any]]:
    """A connection with a request half sent; gives a function that sends the rest and returns the first line."""
    reader, writer = await _open_tls(service, port)
    path = {"otlp http": "/v1/traces", "health": "/"}.get(port, "/metrics")
    method = "POST" if port == "otlp http" else "GET"
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(RAW)}\r\n".encode())
    await writer.drain()

    async def finish() -> bytes:
        writer.write(b"Content-Type: application/x-protobuf\r\n\r\n" + RAW)
        line: bytes = await asyncio.wait_for(reader.readline(), 60)
        return line

    yield finish
    writer.close()


async def test_a_new_certificate_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    tls = {**authority.issue("server"), "reload_interval": "10ms"}
    http_ports = [port for port in PORTS if port != "otlp grpc"]
    async with running(authority, None, tls) as service:
        before = {port: await _shown(service, port) for port in http_ports}
        expiry = await service.metric("penstock_certificate_expiry_timestamp_seconds")
        assert sorted(expiry) == sorted(PORTS)
        opened = [_open_request(service, port) for port in http_ports]
        finishers = [await one.__aenter__() for one in opened]
        authority.issue("server", ends_in=timedelta(days=50))
        for port in http_ports:
            await _until(partial(_is_other, service, port, before[port]))
            assert await service.knock(port) == "let in"
        assert await service.knock("otlp grpc") == "let in"
        for finish in finishers:
            assert await finish() == b"HTTP/1.1 200 OK\r\n"
        for one in opened:
            await one.__aexit__(None, None, None)
        for port, seconds in (await service.metric("penstock_certificate_expiry_timestamp_seconds")).items():
            assert seconds - expiry[port] == pytest.approx(20 * 86400, abs=300)
        write(tls["cert_file"], b"broken")
        await _until(partial(_has_failed, service))
        assert {port: await service.knock(port) for port in PORTS} == dict.fromkeys(PORTS, "let in")
        assert (await service.metric("penstock_certificate_reloads_total", outcome="success")).keys() == set(PORTS)


async def _is_other(service: Running, port: str, certificate: bytes) -> bool:
    return await _shown(service, port) != certificate


async def _has_failed(service: Running) -> bool:
    return (await service.metric("penstock_certificate_reloads_total", outcome="failure")).keys() == set(PORTS)


async def test_a_new_client_ca_lets_in_its_own_and_nobody_else(authority: Authority, tmp_path: Path) -> None:
    clients = tmp_path / "clients.pem"
    ours, others = authority.issue("client"), Authority(tmp_path / "other")
    theirs = others.issue("client")
    write(clients, read(authority.ca_file))
    tls = {**authority.issue("server"), "client_ca_file": str(clients), "client_ca_file_reload": True}
    async with running(authority, None, tls) as service:
        for port in PORTS:
            assert await service.knock(port, identity=ours) == "let in"
            assert await service.knock(port, identity=theirs) == TRANSPORT_REFUSED
        write(clients, read(others.ca_file))
        for port in PORTS:
            assert await service.knock(port, identity=theirs) == "let in"
            assert await service.knock(port, identity=ours) == TRANSPORT_REFUSED
        write(clients, b"broken")
        for port in PORTS:
            assert await service.knock(port, identity=theirs) == "let in"
            assert await service.knock(port, identity=ours) == TRANSPORT_REFUSED


async def _is_closed(service: Running, port: str, sent: bytes) -> bool:
    """Whether the server ends a connection that says no more than this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.ports[port])
    writer.write(sent)
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return True


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"])
async def test_a_page_does_not_wait_for_ever(
    authority: Authority, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = ("prometheus", "health", "own metrics")
    async with running(authority, None) as service:
        with monkeypatch.context() as impatient:
            impatient.setattr("pipeline.transport.http_connection._PageTimeouts.read_header_timeout", 0.2)
            assert [await _is_closed(service, port, sent) for port in pages] == [True] * 3
        assert [await service.knock(port) for port in pages] == ["let in"] * 3


async def test_a_stranger_is_answered_before_the_body_has_come(authority: Authority) -> None:
    async with running(authority, {"bearertokenauth": {"token": "right"}}) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.ports["otlp http"])
        head = "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n"
        writer.write(f"{head}Content-Length: 20000000\r\n\r\n".encode())
        assert await asyncio.wait_for(reader.readline(), 60) == b"HTTP/1.1 401 Unauthorized\r\n"
        writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_session_does_not_outlive_its_authority(tmp_path: Path, version: ssl.TLSVersion) -> None:
    authority, others, clients = Authority(tmp_path / "ours"), Authority(tmp_path / "others"), tmp_path / "clients.pem"
    write(clients, read(authority.ca_file))
    context = authority.client_context(authority.issue("client"))
    context.maximum_version = version
    tls = {**authority.issue("server"), "client_ca_file": str(clients), "client_ca_file_reload": True}

    def ask(port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bytes]:
        with (
            socket.create_connection(("127.0.0.1", port), 60) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return connection.session, connection.recv(12)

    async with running(authority, None, tls) as service:
        session, answer = await asyncio.to_thread(ask, service.ports["health"], None)
        assert answer == b"HTTP/1.1 200"
        write(clients, read(others.ca_file))
        try:
            _, answer = await asyncio.to_thread(ask, service.ports["health"], session)
        except OSError:
            answer = b""
        assert answer == b""
