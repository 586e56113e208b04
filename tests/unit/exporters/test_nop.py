from __future__ import annotations

from pipeline.exporters.nop import NopExporter
from pipeline.signals import Signal
from pipeline.testing import configured, traces


async def test_takes_everything() -> None:
    exporter = configured(NopExporter)
    batch = traces({"a": 1})
    await exporter.export(batch)
    assert exporter.signals == frozenset(Signal)
    assert batch.count == 1
