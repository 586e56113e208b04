"""TLS to brokers, against a real TLS server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from pipeline.errors import StartError
from pipeline.kafka.settings import KafkaClient
from pipeline.kafka.tls import KafkaTls, broker_context
from pipeline.testing import make_host


@asynccontextmanager
async def server(
    authority: trustme.CA,
    *names: str,
    least: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> AsyncIterator[int]:
    """A TLS server with a certificate for `names`; says which certificate the client has shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.minimum_version, context.maximum_version = least, highest

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peercert")
        writer.write(b"known\n" if peer else b"unknown\n")
        writer.close()
        await writer.wait_closed()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1]


async def talk(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return line


def context_of(clock: list[float] | None = None, **tls: Any) -> ssl.SSLContext:
    now = clock or [0.0]
    return broker_context(KafkaTls(**tls), make_host("kafka"), lambda: now[0])


def write(authority: trustme.CA, folder: Path) -> dict[str, str]:
    files = {name: str(folder / name) for name in ("ca_file", "cert_file", "key_file")}
    client = authority.issue_cert("client.example")
    authority.cert_pem.write_to_path(files["ca_file"])
    client.cert_chain_pems[0].write_to_path(files["cert_file"])
    client.private_key_pem.write_to_path(files["key_file"])
    return files


def text(path: str) -> str:
    return Path(path).read_text(encoding="ascii")


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


async def test_a_trusted_broker(authority: trustme.CA, tmp_path: Path) -> None:
    files = write(authority, tmp_path)
    async with server(authority, "127.0.0.1") as port:
        assert await talk(port, context_of(ca_file=files["ca_file"])) == b"unknown\n"
        assert await talk(port, context_of(ca_pem=authority.cert_pem.bytes().decode())) == b"unknown\n"
        assert await talk(port, context_of(None, **files)) == b"known\n"


def test_the_loop_of_the_service(authority: trustme.CA, tmp_path: Path) -> None:
    files = write(authority, tmp_path)

    async def main() -> bytes:
        async with server(authority, "kafka.example") as port:
            return await talk(port, context_of(None, **files, server_name_override="kafka.example"))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == b"known\n"


async def test_a_broker_that_nobody_trusts(authority: trustme.CA) -> None:
    async with server(authority, "127.0.0.1") as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await talk(port, context_of())
        assert await talk(port, context_of(insecure_skip_verify=True)) == b"unknown\n"


async def test_the_name_that_the_certificate_must_hold(authority: trustme.CA, tmp_path: Path) -> None:
    ca_file = write(authority, tmp_path)["ca_file"]
    async with server(authority, "kafka.example") as port:
        assert await talk(port, context_of(ca_file=ca_file, server_name_override="kafka.example")) == b"unknown\n"
        for name in ("", "other.example"):
            with pytest.raises(ssl.SSLCertVerificationError):
                await talk(port, context_of(ca_file=ca_file, server_name_override=name))


async def test_pem_text(authority: trustme.CA, tmp_path: Path) -> None:
    pems = {name.replace("file", "pem"): text(path) for name, path in write(authority, tmp_path).items()}
    async with server(authority, "127.0.0.1") as port:
        assert await talk(port, context_of(None, **pems)) == b"known\n"


async def test_the_systems_certificates_beside_ours(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.pem"
    authority.cert_pem.write_to_path(str(system))
    monkeypatch.setenv("SSL_CERT_FILE", str(system))
    ca_file = write(trustme.CA(), tmp_path)["ca_file"]
    async with server(authority, "127.0.0.1") as port:
        assert await talk(port, context_of(ca_file=ca_file, include_system_ca_certs_pool=True)) == b"unknown\n"
        with pytest.raises(ssl.SSLCertVerificationError):
            await talk(port, context_of(ca_file=ca_file))


@pytest.mark.parametrize(
    ("keys", "works"),
    [({"max_version": "1.2"}, False), ({"max_version": "1.3"}, True), ({"min_version": "1.3"}, True)],
)
async def test_versions_are_kept_to(authority: trustme.CA, keys: dict[str, str], works: bool) -> None:
    trusted = {"ca_pem": authority.cert_pem.bytes().decode(), **keys}
    async with server(authority, "127.0.0.1", least=ssl.TLSVersion.TLSv1_3) as port:
        if works:
            assert await talk(port, context_of(None, **trusted)) == b"unknown\n"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await talk(port, context_of(None, **trusted))


async def test_the_oldest_version(authority: trustme.CA) -> None:
    ca_pem = authority.cert_pem.bytes().decode()
    async with server(authority, "127.0.0.1", highest=ssl.TLSVersion.TLSv1_2) as port:
        assert await talk(port, context_of(ca_pem=ca_pem)) == b"unknown\n"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await talk(port, context_of(ca_pem=ca_pem, min_version="1.3"))


async def test_files_are_read_again(authority: trustme.CA, tmp_path: Path) -> None:
    clock = [0.0]
    ca_file = write(trustme.CA(), tmp_path)["ca_file"]
    context = context_of(clock, ca_file=ca_file, reload_interval=60.0)
    async with server(authority, "127.0.0.1") as port:
        write(authority, tmp_path)
        with pytest.raises(ssl.SSLCertVerificationError):
            await talk(port, context)
        clock[0] = 60.0
        assert await talk(port, context) == b"unknown\n"


async def test_files_that_are_gone_leave_the_old_ones(authority: trustme.CA, tmp_path: Path) -> None:
    clock = [0.0]
    context = context_of(clock, **write(authority, tmp_path), reload_interval=60.0)
    (tmp_path / "cert_file").unlink()
    clock[0] = 60.0
    async with server(authority, "127.0.0.1") as port:
        assert await talk(port, context) == b"known\n"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="kafka: tls: cannot read ca_file"):
        context_of(ca_file=str(tmp_path / "none.pem"))


@pytest.mark.parametrize(
    ("config", "is_secure"),
    [
        ({}, False),
        ({"tls": {}}, True),
        ({"tls": {"insecure": True}}, False),
        ({"tls": {"insecure": True, "ca_file": "x"}}, True),
        ({"auth": {"tls": {}}}, True),
        ({"auth": {"tls": {}}, "tls": {"insecure": True}}, False),
    ],
)
def test_which_block_counts(config: dict[str, Any], is_secure: bool) -> None:
    assert (KafkaClient.model_validate(config).transport_security is not None) is is_secure
