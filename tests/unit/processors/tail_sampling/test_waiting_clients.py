"""Clients that wait for delivery in front of what holds traces are refused where the file asks for it."""

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
  PROCESSOR
exporters: {nop: {}}
service:
  pipelines:
    traces/in: {receivers: [RECEIVER], exporters: [span_metrics, forward/keep]}
    traces/keep: {receivers: [forward/keep], processors: [NAME], exporters: [nop]}
    metrics: {receivers: [span_metrics], exporters: [nop]}
"""


SAMPLING = "tail_sampling: {policies: [{name: all, type: always_sample}]}"


def written(folder: Path, *, acknowledge: str, receiver: str = "otlp", processor: str = SAMPLING) -> str:
    path = folder / "config.yaml"
    text = TEXT.replace("ACKNOWLEDGE", f"acknowledge: {acknowledge}").replace("RECEIVER", receiver)
    text = text.replace("PROCESSOR", processor).replace("NAME", processor.partition(":")[0])
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


def test_a_short_wait_is_no_reason(tmp_path: Path) -> None:
    assert load([written(tmp_path, acknowledge="delivered", processor="groupbytrace: {}")])
    with pytest.raises(ConfigError, match='"groupbytrace", which holds spans for 30 s; they would time out'):
        load([written(tmp_path, acknowledge="delivered", processor="groupbytrace: {wait_duration: 30s}")])
