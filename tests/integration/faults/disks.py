"""Disks at fault: full, or with a damaged queue file on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.integration.faults.backend import backend
from tests.integration.faults.bench import Bench, Ports, Result, configuration, otlp_in, otlp_out
from tests.integration.faults.ledger import Ledger
from tests.integration.faults.load import MOST_SPANS, Load, load
from tests.integration.faults.system import System, until
from tests.servers.ledger import Client, series
from tests.servers.processes import ServerError

DISK_MIB = 16
DAMAGE_COUNTERS = ("penstock_queue_corrupt_files_total", "penstock_queue_corrupt_items_total")
EDGES = 2
"""Requests that a damaged stretch of a file may cut in two."""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of `DISK_MIB` in memory; skips the test where mounting one is not allowed."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def disk_full(bench: Bench) -> Result:
    """The backend refuses until the disk of the queue is full, then takes again: refused is what was not stored."""
    ports = Ports.free()
    with small_disk(bench.folder / "disk") as disk:
        config = configuration(ports, otlp_in(ports), otlp_out(ports, queue={"storage": "file_storage"}), storage=disk)
        listens = [ports.intake, ports.health]
        with (
            backend(ports.backend, delay_s=0.002) as arrived,
            System(bench.collector, config, bench.folder, ports=listens) as system,
        ):
            with load(ports.intake, seed=bench.seed, text_bytes=4000, spans_per_s=4000) as clients:
                ledger = Ledger(clients.sources, arrived)
                with arrived.refusing():
                    until(lambda: clients.refused >= 20)
                    time.sleep(bench.away_s)
                problems = _goes_on(clients, ledger)
            ledger.wait()
            system.terminate()
            return Result(1, ledger.account(), [f"{clients.refused} requests refused"], problems)


def _goes_on(clients: Load, ledger: Ledger) -> list[str]:
    """Whether requests are taken again."""
    if not clients.refused:
        return ["the disk never was full"]
    before = len(ledger.acknowledged)
    until(lambda: len(ledger.acknowledged) > before + 1000)
    return [] if len(ledger.acknowledged) > before else ["nothing is taken after the disk was full"]


def flipped(path: Path) -> None:
    """Flip all bits of 200 bytes in the middle of a file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        raw = file.read(200)
        file.seek(-len(raw), os.SEEK_CUR)
        file.write(bytes(byte ^ 0xFF for byte in raw))


def flipped_head(path: Path) -> None:
    """Flip the bits of the first 64 bytes: nothing knows what kind of file it is."""
    with path.open("r+b") as file:
        raw = file.read(64)
        file.seek(0)
        file.write(bytes(byte ^ 0xFF for byte in raw))


def truncated(path: Path) -> None:
    """Cut off the last two fifths of a file."""
    os.truncate(path, path.stat().st_size * 3 // 5)


def damaged_file(bench: Bench, *, damage: Callable[[Path], None], share: float = 0) -> Result:
    """The queue's file is damaged between a stop and a start: the start succeeds, what was not hit arrives.

    Args:
        bench: what is tested.
        damage: done to the largest file of the queue.
        share: of the file, which the damage takes away; beyond it, what stands at its edges may be lost.
    """
    ports = Ports.free()
    storage = bench.folder / "storage"
    config = configuration(ports, otlp_in(ports), otlp_out(ports, queue={"storage": "file_storage"}), storage=storage)
    config["service"] |= bench.ours(drain_timeout="1s")
    system = System(bench.collector, config, bench.folder, ports=[ports.intake, ports.health, ports.page])
    with backend(ports.backend, delay_s=0.002) as arrived, system:
        with arrived.refusing():
            ledger = Ledger(_fill(bench, ports), arrived)
            system.terminate()
        damage(max(storage.glob("*"), key=lambda path: path.stat().st_size))
        try:
            system.start()
        except ServerError:
            return Result(1, ledger.account(), problems=["does not start"])
        with load(ports.intake, seed=bench.seed) as clients:
            ledger.sources = [*ledger.sources, *clients.sources]
            time.sleep(bench.interval_s)
        ledger.wait(quiet_s=4)
        files, spans = (int(series(ports.page, name)) for name in DAMAGE_COUNTERS)
        system.terminate()
    account = ledger.account()
    destroyed = int(share * account.acknowledged) + EDGES * MOST_SPANS
    problems = ["a loss that is not counted"] if bench.is_ours and account.lost and not files else []
    notes = [f"{account.lost} spans went with the damage; {files} files, {spans} spans counted"]
    return Result(1, account, notes, problems, destroyed=destroyed)


def _fill(bench: Bench, ports: Ports) -> Sequence[Client]:
    with load(ports.intake, seed=bench.seed) as clients:
        until(lambda: sum(len(client.acknowledged) for client in clients.sources) >= bench.spans / 4)
    return clients.sources
