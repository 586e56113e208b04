"""A worker as its parent sees it, with scripts that play the worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.worker import Worker
from pipeline.workers.process import State, WorkerProcess

PLAY = """
import json, os, signal, socket, struct, sys, time
end = socket.socket(fileno=int(os.environ["PENSTOCK_WORKER_CONTROL"]))
def take():
    (size,) = struct.unpack(">I", end.recv(4, socket.MSG_WAITALL))
    return json.loads(end.recv(size, socket.MSG_WAITALL))
def send(**message):
    body = json.dumps(message).encode()
    end.sendall(struct.pack(">I", len(body)) + body)
hello = take()
assert len(bytes.fromhex(hello["secret"])) == 32
"""
READY = 'send(kind="ready", addresses=["127.0.0.1:1"])\n'
SERVE = """
while True:
    kind = take()["kind"]
    if kind == "stop":
        sys.exit(0)
    if kind == "reload":
        send(kind="reloaded", done=False, addresses=[])
    else:
        send(kind="metrics", metrics=[["a", "counter", "d", [["a_total", {}, 5.0]]]])
"""


class Played:
    """A worker whose process runs a script."""

    def __init__(self, script: str, command: str = sys.executable) -> None:
        self.ports: set[str] = set()
        self.restarts = MetricsRegistry().counter("restarts", "d", {})
        log = Log(logging.getLogger("penstock.test"))
        self.worker = WorkerProcess(Worker(1, 2), [command, "-c", PLAY + script], self.ports, log, self.restarts)

    @property
    def restarted(self) -> float:
        (family,) = self.restarts.collect()
        return next(sample.value for sample in family.samples if sample.name.endswith("_total"))


async def _until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def playing(script: str) -> AsyncIterator[Played]:
    played = Played(script)
    task = asyncio.create_task(played.worker.run())
    try:
        await asyncio.wait_for(played.worker.ready.wait(), 60)
        yield played
    finally:
        played.worker.kill()
        await asyncio.wait_for(task, 60)


@pytest.mark.parametrize(
    ("script", "code"),
    [("sys.exit(7)", 7), ("os.kill(os.getpid(), signal.SIGKILL)", 137), ("", 0)],
    ids=["an error", "a signal", "at once"],
)
async def test_one_that_ends_before_it_is_ready_is_not_tried_again(script: str, code: int) -> None:
    played = Played(script)
    assert await asyncio.wait_for(played.worker.run(), 60) == code
    assert played.worker.state is State.ENDED
    assert played.restarted == 0


async def test_one_that_cannot_be_started_at_all() -> None:
    played = Played("", command="/nowhere/python")
    assert await asyncio.wait_for(played.worker.run(), 60) == 1


async def test_one_that_was_ready_is_started_again() -> None:
    async with playing(READY + "sys.exit(3)") as played:
        await _until(lambda: played.restarted >= 2)
        assert played.ports == {"127.0.0.1:1"}


async def test_one_that_is_told_to_leave_between_two_lives_has_ended_well() -> None:
    played = Played(READY + "sys.exit(3)")
    task = asyncio.create_task(played.worker.run())
    await _until(lambda: played.worker.state is State.WAITING)
    played.worker.leave()
    assert await asyncio.wait_for(task, 60) == 0
    assert played.worker.state is State.ENDED


async def test_it_answers_and_leaves_when_told() -> None:
    async with playing(READY + SERVE) as played:
        await played.worker.refresh()
        assert played.worker.tally.parts()[1] == [["a", "counter", "d", [["a_total", {}, 5.0]]]]
        assert not await played.worker.reload()
        played.worker.leave()
    assert played.restarted == 0


async def test_one_that_does_not_answer_is_silent_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.process._ANSWER_S", 0.1)
    async with playing(READY + "time.sleep(1)" + SERVE) as played:
        worker = played.worker
        await worker.refresh()
        await _until(lambda: worker.state is State.SILENT)
        # It will reload when it wakes up.
        assert await worker.reload()
        await _until(lambda: played.worker.state is State.RUNNING)
        assert worker.tally.parts()[1]


async def test_one_that_ends_answers_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.process._ANSWER_S", 20)
    async with playing(READY + "take(); take(); sys.exit(1)") as played:
        worker = played.worker
        asked = asyncio.create_task(worker.refresh())
        assert not await asyncio.wait_for(worker.reload(), 60)
        await asyncio.wait_for(asked, 60)


async def test_a_reload_without_an_end_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.workers.process._RELOAD_S", 0.1)
    async with playing(READY + "time.sleep(60)") as played:
        assert await played.worker.reload()
