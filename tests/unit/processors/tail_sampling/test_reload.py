"""A service is reloaded while traces wait."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import ComponentId, load
from pipeline.config.settings import Settings
from pipeline.errors import PenstockError
from pipeline.service import Service
from pipeline.signals import Batch, Signal
from tests.unit.processors.tail_sampling.test_processor import spans

ERRORS = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}"
BUCKET = "{name: few, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 100}}"
LARGE = "{name: large, type: span_count, span_count: {min_spans: 3}}"


def settings(folder: Path, *policies: str, more: str = "", wait: str = "60s") -> Settings:
    return load(
        [
            f"""yaml:
receivers: {{nop: }}
processors: {{tail_sampling: {{decision_wait: {wait}, policies: [{", ".join(policies)}]}}}}
exporters: {{file: {{path: {folder / "out.json"}}}}}
extensions: {{health_check: {{endpoint: "127.0.0.1:{more or 0}"}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  extensions: [{"health_check" if more else ""}]
  pipelines: {{traces: {{receivers: [nop], processors: [tail_sampling], exporters: [file]}}}}
"""
        ]
    )


async def send(service: Service, batch: Batch) -> None:
    await service.graph.stages_of(ComponentId.parse("nop"))[Signal.TRACES].consume(batch)


def kept(folder: Path) -> dict[int, int]:
    found: dict[int, int] = {}
    whole, _, _being_written = (folder / "out.json").read_text(encoding="utf-8").rpartition("\n")
    for line in whole.splitlines():
        request: dict[str, Any] = json.loads(line)
        for group in request["resourceSpans"]:
            for span in group["scopeSpans"][0]["spans"]:
                number = int(span["traceId"], 16)
                found[number] = found.get(number, 0) + 1
    return found


async def test_traces_that_wait_are_decided_by_the_new_rules(tmp_path: Path) -> None:
    service = Service(settings(tmp_path, ERRORS))
    await service.start()
    await send(service, spans(1, 1, 2))
    await send(service, spans(3, 3, error=True))
    for policies in ([ERRORS], [LARGE, ERRORS], [LARGE]):
        await service.change_to(settings(tmp_path, *policies))
        await send(service, spans(1, 4))
    await service.stop()
    assert kept(tmp_path) == {1: 5, 4: 3}


async def test_a_reload_that_fails_leaves_them_where_they_were(tmp_path: Path) -> None:
    service = Service(settings(tmp_path, ERRORS))
    await service.start()
    await send(service, spans(1, error=True))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PenstockError):
        await service.change_to(settings(tmp_path, LARGE, more=str(taken.getsockname()[1])))
    await send(service, spans(1, 2))
    assert not (tmp_path / "out.json").read_text(encoding="utf-8")
    await service.stop()
    assert kept(tmp_path) == {1: 2}


async def test_what_a_policy_knows_goes_on(tmp_path: Path) -> None:
    """A bucket that was emptied is not full again behind a reload."""
    service = Service(settings(tmp_path, BUCKET, wait="0s"))
    await service.start()
    await send(service, spans(*[1] * 100))
    async with asyncio.timeout(60):
        while not kept(tmp_path):  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.05)
    await service.change_to(settings(tmp_path, ERRORS, BUCKET))
    await send(service, spans(*[2] * 100))
    await service.stop()
    assert kept(tmp_path) == {1: 100}
