"""The demo's changes to the quickstart fit the quickstart."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest
import yaml

from pipeline.errors import StartError
from processors.demo.collector import QUICKSTART, Ports, overlay, quickstart

if TYPE_CHECKING:
    from pathlib import Path


def test_only_known_pipelines_and_components_are_changed() -> None:
    quickstart = yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))
    changed = overlay(Ports(), 1)
    assert set(changed["service"]["pipelines"]) <= set(quickstart["service"]["pipelines"])
    for section in ("receivers", "extensions"):
        assert set(changed[section]) <= set(quickstart[section])


def test_the_quickstart_listens_on_the_ports_the_demo_names() -> None:
    text = QUICKSTART.read_text(encoding="utf-8")
    ports = Ports()
    for port in (ports.grpc, ports.http, ports.llm_metrics):
        assert f"localhost:{port}" in text


def test_moved_ports_stand_where_the_components_listen() -> None:
    changed = str(overlay(Ports(1, 2, 3, 4, 5), 6))
    for place in ("localhost:1", "localhost:2", "localhost:3", "'port': 4", "localhost:5", "127.0.0.1:6"):
        assert place in changed


def test_a_port_that_somebody_else_took_in_the_meantime_is_an_error(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(5)]
        ports = Ports(*(sock.getsockname()[1] for sock in sockets))
        with pytest.raises(StartError, match="did not start"), quickstart(ports, 1, tmp_path):
            pass
