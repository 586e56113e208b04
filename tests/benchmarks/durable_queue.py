"""What the durable queue adds to the one in memory: put, commit, take and remove, driven at the delivery stage."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from typing import Final

import uvloop

from pipeline.component import Exporter
from pipeline.config.ids import ComponentId
from pipeline.delivery import DeliveryConfig, DeliveryStage, SendingQueue
from pipeline.extensions.file_storage import FileStorage
from pipeline.heap import keep_freed_memory, settle
from pipeline.registry import Kind
from pipeline.signals import Batch, Content, Signal
from pipeline.testing import configured, make_host
from tests.benchmarks.payloads import TEXT, requests

MOST_US: Final = 6.0
"""What it may add to a span of 3.6 KB."""
_SPANS: Final = 100
_REQUESTS: Final = 600
_SENDERS: Final = 8
_ROUNDS: Final = 5


class Nowhere(Exporter):
    """Takes everything at once."""

    type = "nowhere"
    Config = DeliveryConfig

    async def export(self, batch: Batch) -> None:
        """Nothing is left to do."""


def measure() -> float:
    """CPU microseconds that a span costs more than in memory; median of fresh processes."""
    return statistics.median(_fresh() for _ in range(_ROUNDS))


def _fresh() -> float:
    done = subprocess.run([sys.executable, "-m", __name__], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


async def _here(folder: str) -> float:
    raws = list(requests(TEXT, spans=_SPANS, count=20))
    in_memory, durable = await _stage(None), await _stage(folder)
    settle()
    for stage in (in_memory, durable):
        await _drive(stage, raws, _REQUESTS // 4)
    spent = [await _drive(stage, raws, _REQUESTS) for stage in (in_memory, durable)]
    for stage in (in_memory, durable):
        await stage.drain(10)
    return spent[1] - spent[0]


async def _stage(folder: str | None) -> DeliveryStage:
    name = None if folder is None else ComponentId("file_storage")
    host = make_host("nowhere", kind=Kind.EXPORTER)
    if name is not None:
        host.extensions = {name: configured(FileStorage, directory=folder)}
    config = DeliveryConfig(sending_queue=SendingQueue(storage=name))
    stage = DeliveryStage(Nowhere(config, host), config, host, Signal.TRACES)
    await stage.start()
    return stage


async def _drive(stage: DeliveryStage, raws: list[bytes], count: int) -> float:
    """CPU microseconds a span of the whole process, the thread that writes among it."""
    work = islice(cycle(raws), count)

    async def send() -> None:
        for raw in work:
            batch = Batch(Content(Signal.TRACES, _SPANS, raw=raw))
            await stage.consume(batch)
            await batch.delivery.wait()

    began = time.process_time()
    await asyncio.gather(*(send() for _ in range(_SENDERS)))
    return (time.process_time() - began) * 1e6 / (count * _SPANS)


if __name__ == "__main__":
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(uvloop.run(_here(made))))
