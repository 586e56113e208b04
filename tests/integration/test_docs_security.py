"""The configurations of docs/security.md run, and let in whom they should."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest

from pipeline.config.loading import examine
from pipeline.config.service import MetricsTelemetry
from pipeline.errors import ConfigError
from pipeline.extensions.health_check import HealthCheck
from pipeline.receivers.otlp import OtlpReceiver
from pipeline.service import Service
from pipeline.testing import trace_request
from tests.servers.oidc_issuer import issuer
from tests.servers.processes import free_ports
from tests.support.certificates import Authority

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
SNIPPETS = dict(re.findall(r"<!-- run: (\w+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
OVER_GATEWAY = dict(re.findall(r"<!-- over gateway: (\w+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
GATEWAY = Path(__file__).parents[2] / "configs" / "gateway.yaml"
BASE = """
receivers: {otlp: {protocols: {grpc: {}}}}
exporters: {nop: }
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [nop]}
"""
PAGES = "service::pipelines::metrics={receivers: [otlp], exporters: [prometheus]}"
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RAW = trace_request({"a": 1}).SerializeToString()


async def call(port: int, credential: str = "", tls: grpc.ChannelCredentials | None = None) -> str:
    target = f"127.0.0.1:{port}"
    channel = grpc.aio.insecure_channel(target) if tls is None else grpc.aio.secure_channel(target, tls)
    metadata = (("authorization", credential),) if credential else ()
    async with channel:
        try:
            await channel.unary_unary(METHOD, None, None)(RAW, metadata=metadata, timeout=60)
        except grpc.aio.AioRpcError as error:
            return str(error.code().name)
    return "OK"


def service_of(name: str, folder: Path, ports: dict[str, int], issuer_url: str = "", sets: Any = ()) -> Service:
    """The snippet on top of a small configuration, with its ports and folders moved."""
    text = SNIPPETS[name].replace("/run/secrets", str(folder)).replace("/etc/penstock/tls", str(folder))
    text = text.replace("https://id.example.com/realms/telemetry", issuer_url)
    for theirs, ours in ports.items():
        text = text.replace(f"0.0.0.0:{theirs}", f"127.0.0.1:{ours}").replace(f"port: {theirs}", f"port: {ours}")
    examination = examine([f"yaml:{BASE}", f"yaml:{text.replace('host: 0.0.0.0', 'host: 127.0.0.1')}"], sets)
    assert not examination.warnings
    return Service(examination.settings())


def test_every_way_is_shown() -> None:
    assert set(SNIPPETS) == {"certificate", "bearer", "basic", "oidc", "pages", "times"}


@pytest.mark.parametrize("name", ["oidc", "basic"])
def test_another_way_in_over_the_gateway(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_TOKEN", "for-tests")
    (tmp_path / "penstock_users").write_text("ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", encoding="utf-8")
    snippet = SNIPPETS[name].replace("/run/secrets", str(tmp_path))
    files = [str(GATEWAY), f"yaml:{snippet}"]
    with pytest.raises(ConfigError, match='http::auth::authenticator: references extension "bearertokenauth"'):
        examine(files).settings()
    extension = {"oidc": "oidc", "basic": "basicauth"}[name]
    settings = examine([*files, f"yaml:{OVER_GATEWAY['oidc'].replace('oidc', extension)}"]).settings()
    assert {str(each) for each in settings.service.extensions} == {"health_check", extension}


def test_the_ports_are_those_of_the_defaults() -> None:
    rows = re.findall(r"^\| (\d+|none) \| ([a-z]+)[^|]* \|", PAGE, re.MULTILINE)
    otlp = OtlpReceiver.Config.model_validate({"protocols": {"grpc": {}, "http": {}}}).protocols
    assert otlp.grpc is not None
    assert otlp.http is not None
    (own,) = MetricsTelemetry().readers
    assert own.pull is not None
    page = own.pull.exporter.prometheus
    defaults = [otlp.grpc.endpoint, otlp.http.endpoint, f"{page.host}:{page.port}", HealthCheck.Config().endpoint]
    assert [f"{host}:{port}" for port, host in rows] == [*defaults, "must:none"]


async def test_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    server, client = authority.issue("server"), authority.issue("client")
    for file, kind in ((server["cert_file"], "server.pem"), (server["key_file"], "server.key")):
        (tmp_path / kind).write_bytes(read(file))
    (tmp_path / "clients.pem").write_bytes(read(authority.ca_file))
    (port,) = free_ports(1)
    service = service_of("certificate", tmp_path, {"4317": port})
    await service.start()
    trusted = read(authority.ca_file)
    ours = grpc.ssl_channel_credentials(trusted, read(client["key_file"]), read(client["cert_file"]))
    answers = [await call(port, tls=tls) for tls in (ours, grpc.ssl_channel_credentials(trusted), None)]
    await service.stop()
    assert answers == ["OK", "UNAVAILABLE", "UNAVAILABLE"]


def read(file: Path | str) -> bytes:
    return Path(file).read_bytes()


@pytest.mark.parametrize("name", ["bearer", "basic", "oidc"])
async def test_credentials(name: str, tmp_path: Path) -> None:
    (tmp_path / "penstock_tokens").write_text("old\nnew\n")
    # otto:secret, as `htpasswd -s` writes it.
    (tmp_path / "penstock_users").write_text("otto:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    (port,) = free_ports(1)
    async with issuer() as one:
        service = service_of(name, tmp_path, {"4317": port}, one.url)
        await service.start()
        right = {
            "bearer": "Bearer new",
            "basic": f"Basic {base64.b64encode(b'otto:secret').decode()}",
            "oidc": f"Bearer {one.token(groups=['dev'])}",
        }
        answers = [await call(port, credential) for credential in (right[name], right[name][:-1], "")]
        await service.stop()
    assert answers == ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED"]


async def test_pages(tmp_path: Path) -> None:
    (tmp_path / "scraper_token").write_text("right\n")
    receiver, prometheus, own, health = free_ports(4)
    ports = {"9464": prometheus, "8888": own, "13133": health}
    sets = [
        PAGES,
        "service::telemetry::metrics::level=normal",
        f"receivers::otlp::protocols::grpc::endpoint=127.0.0.1:{receiver}",
    ]
    service = service_of("pages", tmp_path, ports, sets=sets)
    await service.start()
    found = []
    for token in ("right", "wrong"):
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            for url in (f"127.0.0.1:{prometheus}/metrics", f"127.0.0.1:{own}/metrics", f"127.0.0.1:{health}/"):
                async with session.get(f"http://{url}") as answer:
                    found.append(answer.status)
    await service.stop()
    assert found == [200, 200, 200, 401, 401, 200]


async def test_times(tmp_path: Path) -> None:
    ports = dict(zip(("4317", "4318"), free_ports(2), strict=True))
    service = service_of("times", tmp_path, ports)
    await service.start()
    answer = await call(ports["4317"])
    await service.stop()
    assert answer == "OK"
