"""Problems between the parts of a configuration."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigError
from tests.unit.config.fakes import Loader, Problems

HEAD = """\
receivers: {otlp: {protocols: {grpc: }}, traces_only: }
processors: {actions: , actions/2: }
exporters: {debug: }
connectors: {forward: , forward/2: , count: }
extensions: {storage: }
"""


def found(load_text: Loader, pipelines: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(f"{head}service:\n  pipelines:\n{pipelines}")
    return [str(problem).removeprefix("c0.yaml:").split(": ", 1)[1] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("pipelines", "expected"),
    [
        ("    traces: {exporters: [debug]}", ["service::pipelines::traces: must have at least one receiver"]),
        ("    traces: {receivers: [otlp]}", ["service::pipelines::traces: must have at least one exporter"]),
        (
            "    traces:",
            [
                "service::pipelines::traces: must have at least one receiver",
                "service::pipelines::traces: must have at least one exporter",
            ],
        ),
        (
            "    traces: {receivers: [oltp], exporters: [debug]}",
            [
                (
                    'service::pipelines::traces::receivers::0: references receiver "oltp" which is not configured; '
                    'did you mean "otlp"?'
                )
            ],
        ),
        (
            "    traces: {receivers: [otlp], processors: [batch], exporters: [zzz]}",
            [
                (
                    'service::pipelines::traces::processors::0: references processor "batch" which is not configured; '
                    "configured are actions, actions/2"
                ),
                (
                    'service::pipelines::traces::exporters::0: references exporter "zzz" which is not configured; '
                    "configured are count, debug, forward, forward/2"
                ),
            ],
        ),
        (
            "    traces: {receivers: [otlp], processors: [actions, actions/2, actions], exporters: [debug]}",
            ['service::pipelines::traces::processors::2: references processor "actions" multiple times'],
        ),
        (
            "    foo: {receivers: [otlp], exporters: [debug]}",
            ['service::pipelines::foo: unknown pipeline signal: "foo"; expected one of traces, metrics, logs'],
        ),
        (
            "    profiles: {receivers: [otlp], exporters: [debug]}",
            ["service::pipelines::profiles: pipelines of profiles are not supported; use one of traces, metrics, logs"],
        ),
        (
            "    logs: {receivers: [traces_only], exporters: [debug]}",
            [
                (
                    'service::pipelines::logs::receivers::0: receiver "traces_only" does not support logs: '
                    "telemetry type is not supported; it takes traces"
                )
            ],
        ),
        (
            "    traces: {receivers: [otlp], exporters: [forward]}",
            [
                (
                    'service::pipelines::traces::exporters::0: connector "forward" used as exporter in [traces] '
                    "pipeline but not used in any supported receiver pipeline; "
                    "it connects logs to logs, metrics to metrics, "
                    "traces to traces"
                )
            ],
        ),
        (
            "    traces: {receivers: [count], exporters: [debug]}",
            [
                (
                    'service::pipelines::traces::receivers::0: connector "count" used as receiver in [traces] pipeline '
                    "but not used in any supported exporter pipeline; it connects traces to metrics"
                )
            ],
        ),
        (
            (
                "    traces: {receivers: [otlp], exporters: [forward]}\n"
                "    logs: {receivers: [forward], exporters: [debug]}"
            ),
            [
                (
                    'service::pipelines::traces::exporters::0: connector "forward" used as exporter in [traces] '
                    "pipeline but not used in any supported receiver pipeline; "
                    "it connects logs to logs, metrics to metrics, "
                    "traces to traces"
                ),
                (
                    'service::pipelines::logs::receivers::0: connector "forward" used as receiver in [logs] pipeline '
                    "but not used in any supported exporter pipeline; it connects logs to logs, metrics to metrics, "
                    "traces to traces"
                ),
            ],
        ),
        (
            "    traces: {receivers: [forward], exporters: [forward]}",
            [
                (
                    "service::pipelines::traces::exporters::0: cycle detected: "
                    'pipeline "traces" -> connector "forward" -> pipeline "traces"'
                )
            ],
        ),
        (
            (
                "    traces/a: {receivers: [otlp, forward/2], exporters: [forward]}\n"
                "    traces/b: {receivers: [forward], exporters: [forward/2, debug]}"
            ),
            [
                (
                    "service::pipelines::traces/a::exporters::0: cycle detected: "
                    'pipeline "traces/a" -> connector "forward" -> pipeline "traces/b" -> connector "forward/2" -> '
                    'pipeline "traces/a"'
                )
            ],
        ),
        ("    {}", ["service::pipelines: service must have at least one pipeline"]),
        (
            "    {traces: {receivers: [otlp], exporters: [debug]}, ' traces': {receivers: [otlp], exporters: [debug]}}",
            ['service::pipelines:: traces: duplicate name "traces" after unmarshaling'],
        ),
    ],
)
def test_pipelines(load_text: Loader, pipelines: str, expected: list[str]) -> None:
    assert found(load_text, pipelines) == expected


@pytest.mark.parametrize(
    "pipelines",
    [
        (
            "    traces: {receivers: [otlp], exporters: [count, debug]}\n"
            "    metrics: {receivers: [count], exporters: [debug]}"
        ),
        (
            "    traces/a: {receivers: [otlp], exporters: [forward]}\n"
            "    traces/b: {receivers: [otlp], exporters: [forward]}\n"
            "    traces/c: {receivers: [forward], exporters: [debug, forward/2]}\n"
            "    traces/d: {receivers: [forward/2, forward], exporters: [debug]}"
        ),
        "    traces: {receivers: [traces_only], exporters: [debug]}",
    ],
)
def test_good_pipelines(load_text: Loader, pipelines: str) -> None:
    assert load_text(f"{HEAD}service:\n  pipelines:\n{pipelines}").service.pipelines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("receivers: ", "no receiver configuration specified in config"),
        ("exporters:", "no exporter configuration specified in config"),
        ("service: ", "service must have at least one pipeline"),
        ("service: {pipelines: }", "service must have at least one pipeline"),
        ("service: {extensions: [storag]}", 'references extension "storag" which is not configured'),
        ("connectors: {forward: }\nreceivers: {forward: }", 'ambiguous ID: Found both "forward" receiver'),
    ],
)
def test_sections(problems_of: Problems, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems_of(text)), problems_of(text)
