"""What several workers cannot run is found before they start."""

from __future__ import annotations

import pytest
import yaml

from pipeline.config import load
from pipeline.errors import ConfigError
from pipeline.receivers.nop import NopReceiver
from pipeline.workers.sharing import check_sharing

BASE = """
receivers: {nop: {}, nop/other: {}, otlp: {protocols: {http: {endpoint: "localhost:1"}}}}
connectors: {span_metrics: {}, forward: {}}
exporters:
  {nop: {}, file: {path: out.json}, prometheus: {endpoint: "localhost:2"},
   otlp_http: {endpoint: "http://localhost:3", dead_letter: file}}
service:
"""


def problems(pipelines: str, workers: int = 2, base: str = BASE) -> list[str]:
    text = base + "  pipelines: " + pipelines
    try:
        check_sharing(load([f"yaml:{text}"]), workers)
    except ConfigError as error:
        return ["::".join(map(str, problem.path)) for problem in error.problems]
    return []


IN_FRONT = "receivers: [nop], exporters: [span_metrics]"
FIRST = "receivers: [nop], exporters: [forward]"
SECOND = "receivers: [forward], exporters: [span_metrics]"
COUNTED = "receivers: [span_metrics], exporters: [nop]"


@pytest.mark.parametrize(
    ("pipelines", "found"),
    [
        ("{traces: {receivers: [otlp], exporters: [nop]}}", []),
        ("{traces: {receivers: [nop], exporters: [file, nop]}}", ["exporters::file"]),
        ("{traces: {receivers: [nop], exporters: [otlp_http]}}", ["exporters::file"]),
        ("{metrics: {receivers: [nop], exporters: [prometheus]}}", ["exporters::prometheus"]),
        (f"{{traces: {{{IN_FRONT}}}, metrics: {{{COUNTED}}}}}", ["connectors::span_metrics"]),
        (f"{{traces/a: {{{FIRST}}}, traces/b: {{{SECOND}}}, metrics: {{{COUNTED}}}}}", ["connectors::span_metrics"]),
    ],
)
def test_components_that_cannot_be_shared(pipelines: str, found: list[str]) -> None:
    assert problems(pipelines) == found
    assert problems(pipelines, workers=1) == []


@pytest.mark.parametrize(("keys", "found"), [("", []), ("max_trace_bytes: 1000000", ["processors::limits"])])
def test_what_must_be_seen_may_depend_on_the_configuration(keys: str, found: list[str]) -> None:
    base = BASE.replace("service:", f"processors: {{limits: {{{keys}}}}}\nservice:")
    assert problems("{traces: {receivers: [nop], processors: [limits], exporters: [nop]}}", base=base) == found


def test_what_no_pipeline_uses_is_no_problem() -> None:
    assert problems("{traces: {receivers: [nop], exporters: [nop]}}") == []


def test_a_keyed_receiver_divides_the_work_rightly(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = "exporters: [span_metrics]}, metrics: {receivers: [span_metrics], exporters: [nop]}}"
    monkeypatch.setattr(NopReceiver, "keyed", True)
    assert problems("{traces: {receivers: [nop, nop/other], " + fed) == []
    assert problems("{traces: {receivers: [nop, otlp], " + fed) == ["connectors::span_metrics"]


def test_a_problem_says_where_and_what_to_do() -> None:
    text = BASE + "  pipelines: {traces: {receivers: [nop], exporters: [file]}}"
    with pytest.raises(ConfigError) as caught:
        check_sharing(load([f"yaml:{text}"]), 3)
    (problem,) = caught.value.problems
    assert problem.line == 5
    assert problem.message.startswith("not with --workers 3: workers would write into out.json at the same time")
    assert problem.message.endswith("or run one worker")


def test_a_unix_socket_is_not_shared() -> None:
    config = yaml.safe_load(BASE + "  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}")
    config["receivers"]["otlp"] = {"protocols": {"grpc": {"endpoint": "/run/a.sock", "transport": "unix"}}}
    with pytest.raises(ConfigError, match="workers cannot share a Unix socket; use tcp"):
        check_sharing(load(["yaml:" + yaml.safe_dump(config)]), 2)
