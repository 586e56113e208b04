"""What a service manager is told, over a real socket; `tests/integration/systemd` has the whole process."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.service_manager import ServiceManager
from pipeline.telemetry import Log
from pipeline.testing import make_host


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


@pytest.fixture
def log() -> Log:
    return make_host("nop").log


def texts(sock: socket.socket) -> list[str]:
    """The messages there are."""
    found = []
    while True:
        try:
            found.append(sock.recv(4096).decode())
        except BlockingIOError:
            return found


async def pings(sock: socket.socket, count: int) -> set[str]:
    """At least `count` messages."""
    found: list[str] = []
    while len(found) < count:
        await asyncio.sleep(0)
        found += texts(sock)
    return set(found)


def started(
    monkeypatch: pytest.MonkeyPatch, log: Log, sock: socket.socket, limit: str = "300000", process: str = ""
) -> ServiceManager:
    """As a manager starts a service."""
    monkeypatch.setenv("NOTIFY_SOCKET", sock.getsockname())
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.setenv("WATCHDOG_PID", process or str(os.getpid()))
    return ServiceManager.of_environment(log)


def test_what_the_service_starts_does_not_find_the_manager(
    monkeypatch: pytest.MonkeyPatch, log: Log, heard: socket.socket
) -> None:
    started(monkeypatch, log, heard).ready("Running.")
    assert texts(heard) == ["READY=1\nSTATUS=Running."]
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
    ServiceManager.of_environment(log).ready("Running.")
    assert texts(heard) == []


async def test_pings_come_while_the_loop_turns_and_not_while_it_hangs(
    monkeypatch: pytest.MonkeyPatch, log: Log, heard: socket.socket
) -> None:
    manager = started(monkeypatch, log, heard)
    async with manager.watched():
        assert await pings(heard, 3) == {"WATCHDOG=1"}
        time.sleep(0.5)  # noqa: ASYNC251 - the hang is what this is about
        assert texts(heard) == []
        assert await pings(heard, 1) == {"WATCHDOG=1"}
    await asyncio.sleep(0.3)
    assert texts(heard) == []


@pytest.mark.parametrize(("limit", "process"), [("0", ""), ("", ""), ("soon", ""), ("300000", "1")])
async def test_no_watchdog_or_that_of_another_process(
    monkeypatch: pytest.MonkeyPatch, log: Log, heard: socket.socket, limit: str, process: str
) -> None:
    async with started(monkeypatch, log, heard, limit, process).watched():
        await asyncio.sleep(0.3)
    assert texts(heard) == []


def test_ready_again_when_the_last_of_two_reloads_has_ended(
    monkeypatch: pytest.MonkeyPatch, log: Log, heard: socket.socket
) -> None:
    manager = started(monkeypatch, log, heard)
    manager.reloading()
    manager.reloading()
    assert [text.split("\n")[0] for text in texts(heard)] == ["RELOADING=1", "RELOADING=1"]
    manager.reloaded("first")
    assert texts(heard) == []
    manager.reloaded("second")
    assert texts(heard) == ["READY=1\nSTATUS=second"]


def test_not_ready_again_while_it_stops(monkeypatch: pytest.MonkeyPatch, log: Log, heard: socket.socket) -> None:
    manager = started(monkeypatch, log, heard)
    manager.reloading()
    manager.stopping(10.0)
    assert "EXTEND_TIMEOUT_USEC=40000000" in texts(heard)[-1].split("\n")
    manager.reloaded("too late")
    assert texts(heard) == []


@pytest.mark.parametrize("address", ["/nowhere/notify", "vsock:2:1234"])
def test_a_manager_that_cannot_be_reached_is_logged(log: Log, caplog: pytest.LogCaptureFixture, address: str) -> None:
    ServiceManager(address, 0.0, log).ready("Running.")
    (record,) = caplog.records
    assert record.message == "The service manager cannot be told."
    assert vars(record)["fields"]["error"] == "No such file or directory"
