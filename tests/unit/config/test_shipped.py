"""Configurations that come with Penstock: whoever opens a port to others asks who they are, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.receivers.otlp.config import OtlpConfig

FOLDER = Path(__file__).parents[3] / "configs"


def _open() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("*.yaml") if "0.0.0.0:431" in path.read_text(encoding="utf-8"))


def test_there_are_some() -> None:
    assert {"gateway.yaml", "gateway-kafka.yaml", "tempo.yaml"} <= {*_open()}


@pytest.mark.parametrize("name", _open())
def test_open_ports_are_guarded(name: str) -> None:
    settings = load([str(FOLDER / name)], environ={"PENSTOCK_TOKEN": "x"})
    (config,) = [one.config for one in settings.receivers.values() if isinstance(one.config, OtlpConfig)]
    grpc, http = config.protocols.grpc, config.protocols.http
    assert grpc is not None
    assert http is not None
    assert grpc.auth is not None
    assert http.auth is not None
    assert grpc.keepalive is not None
    assert grpc.keepalive.server_parameters is not None
    assert grpc.keepalive.server_parameters.max_connection_idle
    assert http.read_header_timeout
    assert http.read_timeout
    assert http.idle_timeout
