from __future__ import annotations

from pathlib import Path

from pipeline.cli import main
from pipeline.receivers.nop import NopReceiver
from pipeline.signals import Signal

EXAMPLE = """
receivers: {nop: }
exporters: {nop: }
connectors: {span_metrics: }
service:
  pipelines:
    traces: {receivers: [nop], exporters: [span_metrics]}
    metrics: {receivers: [span_metrics], exporters: [nop]}
"""


def test_a_pipeline_may_begin_with_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    assert main(["validate", "--config", str(path)]) == 0
    assert NopReceiver.signals == frozenset(Signal)
