"""`penstock demo`: the first thing a user sees."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from processors.demo.collector import Ports
from processors.demo.recordings import CHECKOUT_FOLDER
from tests.servers.collectors import ROOT, penstock_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = re.compile(r"^\d\d:\d\d:\d\d \w+ +gpt-\S+ +in +\d+ out +\d+ .* \$0\.\d{6} ", re.MULTILINE)


@pytest.fixture(autouse=True)
def usual_ports_taken() -> Iterator[None]:
    """Somebody else listens on the usual ports, so that tests side by side never compete for them."""
    with contextlib.ExitStack() as stack:
        for port in (4317, 4318, 9464, 8888, 13133):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                sock.listen()
        yield


@pytest.fixture
def two_dialects(tmp_path: Path) -> Path:
    """Recordings of two instrumentations: one with text in attributes, one with text in log records."""
    for dialect in ("otel-genai-openai", "otel-openai-v2"):
        (tmp_path / dialect).symlink_to(CHECKOUT_FOLDER / dialect)
    return tmp_path


def test_ports_that_are_taken_are_replaced() -> None:
    moved = Ports.free().moved()
    assert set(moved) == {4317, 4318, 9464, 8888, 13133}
    assert len(set(moved.values())) == 5


def test_once(two_dialects: Path) -> None:
    command = [*penstock_command(), "demo", "--once", "--recordings", str(two_dialects)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Port 4317 is taken: using " in done.stdout
    rows = ROW.findall(done.stdout)
    assert len(rows) > 15
    before, after = re.findall(r"^  (?:before|after): +(.*)$", done.stdout, re.MULTILINE)
    assert "john.testman@example.org" in before
    assert "<EMAIL>" in after
    assert "john.testman@example.org" not in done.stdout.replace(before, "")
    assert re.search(r"\d+ calls in \d+ spans and \d+ log records: .* values masked \(.*EMAIL \d+", done.stdout)


def test_live_traffic_appears_as_rows(two_dialects: Path) -> None:
    command = [*penstock_command(), "demo", "--recordings", str(two_dialects)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            listening = next(line for line in demo.stdout if line.startswith("Listening for OTLP"))
            port = re.search(r"localhost:(\d+) \(HTTP\)", listening)
            assert port is not None
            env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://localhost:{port[1]}"}
            chat = [sys.executable, "-m", "examples.chat"]
            subprocess.run(chat, cwd=ROOT, env=env, check=True, timeout=60, capture_output=True)
            rows = [next(demo.stdout), next(demo.stdout)]
        finally:
            demo.send_signal(signal.SIGINT)
            code = demo.wait(30)
    assert code == 0
    for row in rows:
        assert ROW.match(row), row
        assert "CREDIT_CARDx1" in row
        assert "EMAILx" in row
    assert "TTFT      -" in rows[0]
    assert "TTFT      -" not in rows[1]


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    command = [*penstock_command(), "demo", "--recordings", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "no recordings" in done.stderr
    assert "penstock replay" in done.stderr
