"""Clients that wait for delivery in front of tail sampling are refused where the file asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.errors import ConfigError

TEXT = """
receivers:
  otlp: {protocols: {grpc: {endpoint: "localhost:0"}}, ACKNOWLEDGE}
  kafka: {}
connectors: {forward/keep: {}, span_metrics: {}}
processors:
  tail_sampling: {policies: [{name: all, type: always_sample}]}
exporters: {nop: {}}
service:
  pipelines:
    traces/in: {receivers: [RECEIVER], exporters: [span_metrics, forward/keep]}
    traces/keep: {receivers: [forward/keep], processors: [tail_sampling], exporters: [nop]}
    metrics: {receivers: [span_metrics], exporters: [nop]}
"""


def written(folder: Path, *, acknowledge: str, receiver: str = "otlp") -> str:
    path = folder / "config.yaml"
    text = TEXT.replace("ACKNOWLEDGE", f"acknowledge: {acknowledge}").replace("RECEIVER", receiver)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_they_would_time_out(tmp_path: Path) -> None:
    path = written(tmp_path, acknowledge="delivered")
    with pytest.raises(ConfigError) as caught:
        load([path])
    (problem,) = caught.value.problems
    assert str(problem).startswith(
        f'{path}:3:56: receivers::otlp::acknowledge: clients of "otlp" would wait for "tail_sampling", '
        "which holds spans until their trace is decided; they would time out"
    )
    assert "Put Kafka in front" in problem.message


@pytest.mark.parametrize(("acknowledge", "receiver"), [("accepted", "otlp"), ("delivered", "kafka")])
def test_others_do_not(acknowledge: str, receiver: str, tmp_path: Path) -> None:
    assert load([written(tmp_path, acknowledge=acknowledge, receiver=receiver)])
