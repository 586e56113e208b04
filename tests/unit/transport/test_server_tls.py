"""TLS of both servers with certificates of a test authority, over real sockets."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.config.server import ServerTls
from pipeline.errors import StartError
from pipeline.signals import Signal
from pipeline.testing import CollectingSink, trace_request
from pipeline.transport.client_tls import ClientTls
from pipeline.transport.client_tls import ssl_context as client_context
from pipeline.transport.server_tls import ssl_context
from tests.support.certificates import Authority
from tests.unit.receivers.otlp.running import PROTOBUF, Running, grpc_call, running

RAW = trace_request({"a": 1}).SerializeToString()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _content(file: str) -> bytes:
    return Path(file).read_bytes()


async def _http(server: Running, context: ssl.SSLContext) -> int:
    url = f"https://{server.receiver.http_endpoint}/v1/traces"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=RAW, headers={"Content-Type": PROTOBUF}, ssl=context) as answer,
    ):
        return answer.status


async def _shakes_hands(endpoint: str, context: ssl.SSLContext) -> bool:
    host, port = endpoint.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    except (ssl.SSLError, ConnectionError):
        return False
    writer.close()
    return True


async def _grpc(server: Running, authority: Authority, identity: dict[str, Any] | None = None) -> int:
    key = cert = None
    if identity is not None:
        key, cert = _content(identity["key_file"]), _content(identity["cert_file"])
    credentials = grpc.ssl_channel_credentials(authority.ca_file.read_bytes(), key, cert)
    async with grpc.aio.secure_channel(server.receiver.grpc_endpoint, credentials) as channel:
        return (await grpc_call(channel, RAW)).status


async def test_tls(authority: Authority) -> None:
    tls = authority.issue("server")
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        assert await _http(server, authority.client_context()) == 200
        assert await _grpc(server, authority) == 0
        assert (await server.grpc(RAW)).status == grpc.StatusCode.UNAVAILABLE.value[0]
        with pytest.raises(aiohttp.ClientError):
            await server.http(RAW)


async def test_pem_text(authority: Authority) -> None:
    files = authority.issue("server")
    tls = {
        "cert_pem": _content(files["cert_file"]).decode(),
        "key_pem": _content(files["key_file"]).decode(),
    }
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        assert await _http(server, authority.client_context()) == 200
        assert await _grpc(server, authority) == 0


async def test_mutual_tls(authority: Authority) -> None:
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    identity = authority.issue("client")
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        assert await _http(server, authority.client_context(identity)) == 200
        assert await _grpc(server, authority, identity) == 0
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await _http(server, authority.client_context())
        assert await _grpc(server, authority) == grpc.StatusCode.UNAVAILABLE.value[0]


async def test_mutual_tls_refuses_a_certificate_of_another_authority(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("client")
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await _http(server, authority.client_context(stranger))
        assert await _grpc(server, authority, stranger) == grpc.StatusCode.UNAVAILABLE.value[0]


async def test_mutual_tls_refuses_a_certificate_for_servers(authority: Authority, tmp_path: Path) -> None:
    """Any host that has a certificate of the same authority would be a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    signer = load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host")]))
        .issuer_name(x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes()).subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    tls = {**authority.issue("server"), "client_ca_file": str(authority.ca_file)}
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        for usage, is_let_in in ((ExtendedKeyUsageOID.CLIENT_AUTH, True), (ExtendedKeyUsageOID.SERVER_AUTH, False)):
            cert = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).sign(signer, SHA256())
            file = tmp_path / "host.pem"
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            file.write_bytes(cert.public_bytes(Encoding.PEM) + private)
            identity = {"cert_file": str(file), "key_file": str(file)}
            if is_let_in:
                assert await _http(server, authority.client_context(identity)) == 200
                continue
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await _http(server, authority.client_context(identity))


async def _served(server: Running, authority: Authority) -> bytes:
    host, port = server.receiver.http_endpoint.split(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=authority.client_context())
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(certificate)


async def test_reload_interval(authority: Authority) -> None:
    tls: dict[str, Any] = {**authority.issue("server"), "reload_interval": 0.05}
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        before = await _served(server, authority)
        assert await _grpc(server, authority) == 0
        authority.issue("server")
        await asyncio.sleep(0.1)
        assert await _served(server, authority) != before
        assert await _grpc(server, authority) == 0
        os.truncate(tls["cert_file"], 20)
        await asyncio.sleep(0.1)
        assert await _http(server, authority.client_context()) == 200


async def test_client_ca_file_reload(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    clients = tmp_path / "clients.pem"
    clients.write_bytes(authority.ca_file.read_bytes())
    tls = {**authority.issue("server"), "client_ca_file": str(clients), "client_ca_file_reload": True}
    identity = other.issue("client")
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        assert await _grpc(server, authority, identity) == grpc.StatusCode.UNAVAILABLE.value[0]
        clients.write_bytes(other.ca_file.read_bytes())
        os.utime(clients, ns=(0, clients.stat().st_mtime_ns + 1_000_000_000))
        assert await _http(server, authority.client_context(identity)) == 200
        assert await _grpc(server, authority, identity) == 0


@pytest.mark.parametrize(
    ("versions", "speaks", "works"),
    [
        ({}, ssl.TLSVersion.TLSv1_2, True),
        ({"min_version": "1.3"}, ssl.TLSVersion.TLSv1_2, False),
        ({"min_version": "1.3"}, ssl.TLSVersion.TLSv1_3, True),
        ({"max_version": "1.2"}, ssl.TLSVersion.TLSv1_3, False),
    ],
)
async def test_versions(authority: Authority, versions: dict[str, str], speaks: ssl.TLSVersion, works: bool) -> None:
    context = authority.client_context()
    context.minimum_version = context.maximum_version = speaks
    tls = {**authority.issue("server"), **versions}
    async with running((Signal.TRACES, CollectingSink()), grpc={"tls": tls}, http={"tls": tls}) as server:
        if works:
            assert await _http(server, context) == 200
        else:
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await _http(server, context)
        context.set_alpn_protocols(["h2"])
        assert await _shakes_hands(server.receiver.grpc_endpoint, context) is works


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "needs both a certificate and a key"),
        ({"cert_file": "a"}, "needs both a certificate and a key"),
        ({"cert_file": "a", "cert_pem": "b", "key_file": "c"}, "give cert_file or cert_pem, not both"),
        ({"cert_file": "a", "key_file": "b", "min_version": "1.3", "max_version": "1.2"}, "must not be above"),
        ({"cert_file": "a", "key_file": "b", "ca_file": "c"}, "client_ca_file"),
        ({"cert_file": "a", "key_file": "b", "ca_pem": "c"}, "client_ca_file"),
        ({"cert_file": "a", "key_file": "b", "include_system_ca_certs_pool": True}, "client_ca_file"),
        ({"cert_file": "a", "key_file": "b", "cipher_suites": ["x"]}, "OpenSSL's choice"),
        ({"cert_file": "a", "key_file": "b", "curve_preferences": ["x"]}, "OpenSSL's choice"),
        ({"cert_file": "a", "key_file": "b", "tpm": {}}, "TPM"),
    ],
)
def test_config(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ServerTls.model_validate(config)


@pytest.mark.parametrize("content", [None, "nonsense"])
def test_files_that_cannot_be_used(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "cert.pem"
    if content is not None:
        file.write_text(content)
    config = {"cert_file": str(file), "key_file": str(file)}
    message = "cannot read" if content is None else "cannot be used"
    with pytest.raises(StartError, match=message):
        ssl_context(ServerTls.model_validate(config))


def test_an_error_names_the_files_of_two_pairs_and_the_reason(authority: Authority) -> None:
    server, client = authority.issue("server"), authority.issue("client")
    mixed = {"cert_file": str(server["cert_file"]), "key_file": str(client["key_file"])}
    reason = rf" \({re.escape(mixed['cert_file'])}, {re.escape(mixed['key_file'])}\): TLS: key values mismatch$"
    with pytest.raises(StartError, match=reason):
        ssl_context(ServerTls(**mixed), protocol="h2")
    with pytest.raises(StartError, match=reason):
        client_context(ClientTls(**mixed))
    texts = {"cert_pem": _content(server["cert_file"]).decode(), "key_pem": _content(client["key_file"]).decode()}
    with pytest.raises(StartError, match=r"cannot be used: TLS: key values mismatch$"):
        client_context(ClientTls(**texts))
