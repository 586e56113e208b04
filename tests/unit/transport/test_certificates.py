"""What is told of certificates: their expiry, and how reading them again went."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import trustme

from pipeline.component import Host
from pipeline.config.server import ServerTls
from pipeline.testing import FakeClock, make_host
from pipeline.transport.certificates import CertificateNews, expiry_s
from pipeline.transport.client_reload import ClientCertificates
from pipeline.transport.client_tls import ClientTls
from pipeline.transport.client_tls import ssl_context as client_context
from pipeline.transport.server_tls import ssl_context

EXPIRY = "penstock_certificate_expiry_timestamp_seconds"
RELOADS = "penstock_certificate_reloads_total"
NEXT_YEAR = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


def write(folder: Path, name: str = "server", expires: datetime = NEXT_YEAR) -> dict[str, str]:
    """Write a certificate and its key; returns the configuration's keys."""
    certificate = trustme.CA().issue_cert("localhost", not_after=expires)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    return {"cert_file": str(cert), "key_file": str(key)}


def value(host: Host, name: str, **labels: str) -> float | None:
    found: float | None = host.meter.registry.collector.get_sample_value(name, {**host.meter.labels, **labels})
    return found


@pytest.mark.parametrize(
    "when", [datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC), NEXT_YEAR]
)
def test_expiry(tmp_path: Path, when: datetime) -> None:
    files = write(tmp_path, expires=when)
    assert expiry_s(Path(files["cert_file"]).read_bytes()) == when.timestamp()


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"])
def test_no_certificate(pem: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        expiry_s(pem)


def test_a_server_shows_the_certificate_in_force(tmp_path: Path) -> None:
    host = make_host("otlp")
    labels = {"component": "otlp", "role": "server", "endpoint": "localhost:4317"}
    tls = ServerTls.model_validate(write(tmp_path) | {"reload_interval": 1e-9})
    ssl_context(tls, news=CertificateNews.of(host, "server", endpoint="localhost:4317"))
    assert value(host, EXPIRY, **labels) == NEXT_YEAR.timestamp()
    later = NEXT_YEAR.replace(year=2032)
    write(tmp_path, expires=later)
    assert value(host, EXPIRY, **labels) == later.timestamp()
    assert value(host, RELOADS, outcome="success", **labels) == 1
    os.truncate(tls.cert_file, 20)
    assert value(host, EXPIRY, **labels) == later.timestamp()
    assert value(host, EXPIRY, **labels) == later.timestamp()
    assert value(host, RELOADS, outcome="failure", **labels) == 1
    write(tmp_path)
    assert value(host, EXPIRY, **labels) == NEXT_YEAR.timestamp()
    assert value(host, RELOADS, outcome="success", **labels) == 2


def test_a_component_that_has_ended_shows_nothing(tmp_path: Path) -> None:
    host = make_host("otlp")
    registry = host.meter.registry
    ssl_context(ServerTls.model_validate(write(tmp_path)), news=CertificateNews.of(host, "server"))
    assert EXPIRY in {metric.name for metric in registry.collect()}
    del host
    import gc

    gc.collect()
    assert EXPIRY not in {metric.name for metric in registry.collect()}


def _is(host: Host, reloads: float, **labels: str) -> bool:
    return value(host, RELOADS, **labels) == reloads


async def _advance_until(clock: FakeClock, done: Callable[[], bool]) -> None:
    while not done():
        await clock.advance(1.0)


async def test_a_client_takes_over_new_files_and_keeps_what_works(tmp_path: Path) -> None:
    clock = FakeClock()
    host = make_host("otlp_http", clock=clock)
    labels = {"component": "otlp_http", "role": "client"}
    tls = ClientTls.model_validate(write(tmp_path) | {"reload_interval": 1.0})
    contexts = []
    certificates = ClientCertificates(tls, host)
    host.tasks.spawn(lambda: certificates.watch(lambda: contexts.append(client_context(tls))), "reload")
    assert value(host, EXPIRY, **labels) == NEXT_YEAR.timestamp()
    for break_file in (lambda: Path(tls.cert_file).unlink(), lambda: Path(tls.cert_file).write_text("nonsense")):
        failures = value(host, RELOADS, outcome="failure", **labels) or 0
        break_file()
        await _advance_until(clock, partial(_is, host, failures + 1, outcome="failure", **labels))
        assert not contexts
        assert value(host, EXPIRY, **labels) == NEXT_YEAR.timestamp()
    later = NEXT_YEAR.replace(year=2032)
    write(tmp_path, expires=later)
    await _advance_until(clock, lambda: bool(contexts))
    assert value(host, EXPIRY, **labels) == later.timestamp()
    assert value(host, RELOADS, outcome="success", **labels) == 1
    await host.tasks.stop()


def test_a_client_without_a_certificate_shows_none() -> None:
    host = make_host("otlp_http")
    ClientCertificates(ClientTls(), host)
    assert EXPIRY not in {metric.name for metric in host.meter.registry.collect()}
