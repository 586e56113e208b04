"""The unit that ships: systemd's own opinion of it, and Penstock under its filters of system calls."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from pipeline.service_manager import STOP_GRACE_S
from pipeline.testing import trace_request
from tests.integration.systemd import sandbox
from tests.servers.collectors import ROOT, penstock_command
from tests.servers.ledger import series
from tests.servers.otlp import post
from tests.servers.processes import free_ports, running

UNIT: Final = ROOT / "deploy/systemd/penstock.service"
PROGRAM: Final = "/opt/penstock/bin/penstock"
# What is left: a network, of course, and whatever its administrator lets it reach.
MOST_EXPOSED: Final = 1.5

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)


def has_seccomp() -> bool:
    try:
        ctypes.CDLL(sandbox.LIBRARY)
    except OSError:
        return False
    return True


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text(encoding="utf-8").replace(PROGRAM, sys.executable), encoding="utf-8")
    done = analyze("verify", path)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_it_well_confined(tmp_path: Path) -> None:
    done = analyze("security", "--offline=yes", UNIT)
    found = re.search(r"Overall exposure level for penstock.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


def test_it_says_what_the_docs_say() -> None:
    lines = sandbox.settings(UNIT)
    (start,) = lines["ExecStart"]
    assert lines["ExecStartPre"] == [start.replace(PROGRAM, f"{PROGRAM} validate --quiet")]
    assert lines["Type"] == ["notify"]
    assert lines["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert lines["WatchdogSec"] == ["60s"]
    assert (lines["DynamicUser"], lines["StateDirectory"]) == (["yes"], ["penstock"])
    drain_s = 30
    assert float(lines["TimeoutStopSec"][0].removesuffix("s")) >= drain_s + STOP_GRACE_S


def test_the_example_of_its_environment_is_one() -> None:
    lines = (UNIT.parent / "penstock.env").read_text(encoding="utf-8").splitlines()
    values = [line for line in lines if line and not line.startswith("# ")]
    assert values
    # All are examples: the file changes nothing as it stands.
    assert all(re.fullmatch(r"#[A-Z_]+=.*", line) for line in values), values


def at(port: int) -> dict[str, str]:
    return {"endpoint": f"127.0.0.1:{port}"}


@needs_systemd
@pytest.mark.skipif(not has_seccomp(), reason=f"no {sandbox.LIBRARY}: apt-get install libseccomp2")
@pytest.mark.skipif(platform.system() != "Linux", reason="seccomp is Linux'")
def test_it_runs_everything_under_the_filters(tmp_path: Path) -> None:
    grpc, http, page, health, own = free_ports(5)
    pull = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": own}}}}
    overlay = {
        "receivers": {"otlp": {"protocols": {"grpc": at(grpc), "http": at(http)}}},
        "exporters": {"prometheus": at(page)},
        "extensions": {"health_check": at(health)},
        # Nobody is there to take what it holds at its end.
        "service": {"telemetry": {"metrics": {"readers": [pull]}}, "drain_timeout": "100ms"},
    }
    path = tmp_path / "ports.yaml"
    path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    configs = [ROOT / "configs/gateway.yaml", ROOT / "configs/overlays/adversarial.yaml", path]
    command: list[str | Path] = [sys.executable, Path(sandbox.__file__), UNIT, *penstock_command()]
    command += [part for each in configs for part in ("--config", each)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PENSTOCK_TOKEN": "for-tests"}
    with running(command, tmp_path / "log", ready=lambda server: "Everything is ready." in server.log(), env=env):
        body = trace_request({"gen_ai.prompt": "write to jane.doe@corp.example.com"}).SerializeToString()
        post(http, "traces", body, {"authorization": "Bearer for-tests"})
        assert series(own, "penstock_redaction_values_total") == 1
