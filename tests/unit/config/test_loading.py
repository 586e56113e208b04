"""Whole configurations: what loading gives, and everything it finds wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import ComponentId, PipelineId
from pipeline.errors import ConfigError
from tests.unit.config.fakes import MINIMAL, ClientConfig, Debug, Examiner, Loader, OtlpReceiver, Problems

WHOLE = """\
receivers:
  otlp:
    protocols:
      grpc:
      http: {endpoint: "localhost:${env:PORT}"}
processors:
  actions:
    mapped: {a: 1}
exporters:
  debug:
  otlp_grpc/tempo:
    endpoint: tempo:4317
    token: ${env:TOKEN}
  otlp_grpc/unused: {endpoint: x}
connectors:
  forward/keep:
extensions:
  storage:
service:
  drain_timeout: 5s
  tenant_from: [resource.team]
  extensions: [storage, storage]
  pipelines:
    traces/in: {receivers: [otlp, otlp], processors: [actions], exporters: [forward/keep]}
    traces/keep: {receivers: [forward/keep], exporters: [otlp_grpc/tempo, debug]}
    logs: {receivers: [otlp], exporters: [debug]}
"""


def test_a_whole_configuration(load_text: Loader) -> None:
    settings = load_text(WHOLE, sets=("exporters.otlp_grpc/tempo.ratio=0.5",), PORT="4999", TOKEN="007")
    receiver = settings.receivers[ComponentId("otlp")]
    assert receiver.cls is OtlpReceiver
    assert receiver.config.model_dump()["protocols"]["http"]["endpoint"] == "localhost:4999"
    assert str(receiver.position) == "c0.yaml:2:3"
    tempo = settings.exporters[ComponentId("otlp_grpc", "tempo")].config
    assert isinstance(tempo, ClientConfig)
    assert (tempo.token.get_secret_value(), tempo.ratio) == ("007", 0.5)
    assert settings.exporters[ComponentId("debug")].cls is Debug
    assert set(settings.connectors) == {ComponentId("forward", "keep")}
    assert list(settings.service.pipelines) == [
        PipelineId("traces", "in"), PipelineId("traces", "keep"), PipelineId("logs"),
    ]  # fmt: skip
    entry = settings.service.pipelines[PipelineId("traces", "in")]
    assert (entry.receivers, entry.processors) == ((ComponentId("otlp"),), (ComponentId("actions"),))
    assert settings.service.extensions == (ComponentId("storage"),)
    assert (settings.service.drain_timeout_s, settings.service.tenant_from) == (5.0, ("resource.team",))
    assert settings.warnings == ()


def test_defaults_of_the_service(load_text: Loader) -> None:
    service = load_text(MINIMAL).service
    assert service.drain_timeout_s == 30.0
    assert service.tenant_from == ("auth.subject", "metadata.x-scope-orgid", "resource.tenant.id")
    reader = service.telemetry.metrics.readers[0].pull
    assert reader is not None
    assert reader.exporter.prometheus.without_units


def test_old_names_work_with_a_warning(load_text: Loader) -> None:
    text = MINIMAL.replace("debug: ", "otlp: {endpoint: x}").replace("debug", "otlp")
    settings = load_text(text)
    assert settings.exporters[ComponentId("otlp")].cls.type == "otlp_grpc"
    assert [str(warning) for warning in settings.warnings] == [
        'c0.yaml:2:13: exporters::otlp: "otlp" alias is deprecated; use "otlp_grpc" instead'
    ]


def test_unset_variable_is_a_warning(load_text: Loader) -> None:
    settings = load_text(MINIMAL, "receivers: {otlp: {protocols: {grpc: {endpoint: '${env:NOPE}:1'}}}}")
    assert 'environment variable "NOPE" is not set' in str(settings.warnings[0])


def test_sections_without_a_value_are_empty(load_text: Loader) -> None:
    assert load_text(MINIMAL, "processors:\nextensions:\nconnectors: {}").processors == {}


def test_ids_are_trimmed(load_text: Loader) -> None:
    settings = load_text(MINIMAL.replace("debug: ", '" debug / x ": ').replace("[debug]", '[" debug/x"]'))
    assert settings.service.pipelines[PipelineId("traces")].exporters == (ComponentId("debug", "x"),)


def test_places_are_those_of_included_files(load_text: Loader, tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("otlp:\n  protocols:\n    grcp:\n")
    with pytest.raises(ConfigError) as caught:
        load_text(MINIMAL, "receivers: ${file:part.yaml}")
    assert str(caught.value.problems[0]).startswith("part.yaml:3:5: receivers::otlp::protocols::grcp: unknown key")


def test_all_problems_of_all_sections_come_at_once_in_order(problems_of: Problems) -> None:
    found = problems_of(
        """\
recievers: {}
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: "12"}}}
  otlp/: {}
processors:
  batsh:
exporters:
  debug: {verbosity: 1}
  logging:
service:
  extensions: [nope]
  telemetry: {logs: {level: loud}}
  pipelines:
    traces: {processors: [actions]}
"""
    )
    assert [problem.split(" ")[0] for problem in found] == [
        "1:1:", "3:52:", "4:3:", "6:3:", "8:11:", "9:3:", "11:16:", "12:29:", "14:27:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recievers: {}", '1:1: recievers: unknown key "recievers"; did you mean "receivers"?'),
        ("x-anchors: {}", "1:1: x-anchors: unknown key"),
        ("receivers: [otlp]", "1:1: receivers: expected a mapping of component ids"),
        ("receivers: {oltp: }", '1:13: receivers::oltp: unknown type: "oltp" for id: "oltp"; did you mean "otlp"?'),
        (
            "processors: {zzz: }",
            '1:14: processors::zzz: unknown type: "zzz" for id: "zzz"; valid values: actions',
        ),
        ("receivers: {OTLP: }", 'did you mean "otlp"?'),
        ("exporters: {broken: }", 'exporter "broken" of package x cannot be loaded'),
        ("exporters: {logging: }", "the logging exporter has been deprecated, use the debug exporter instead"),
        ("exporters: {debug/x/: , x/: }", "the part after / should not be empty"),
        ("exporters: {debug/1: , ' debug/1 ': }", 'duplicate name "debug/1" after unmarshaling'),
        ("receivers: {otlp: {protocols: }}", "must specify at least one protocol"),
        ("exporters: {otlp_grpc/unused: {}}", '1:13: exporters::otlp_grpc/unused: "endpoint" is required'),
        ("service: []", "1:1: service: expected a mapping, got a list"),
        ("service: {pipeline: {}}", 'unknown key "pipeline"; did you mean "pipelines"?'),
        ("service: {drain_timeout: -1s}", "service::drain_timeout: must be greater than or equal to 0"),
        ("service: {extensions: storage}", '1:23: service::extensions: expected a list, got text "storage"'),
        ("exporters: {debug: '${env:NOPE:-${s3:x}}'}", 'scheme "s3" is not supported'),
    ],
)
def test_problem(problems_of: Problems, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems_of(text)), problems_of(text)


def test_a_value_that_cannot_be_expanded_has_its_path_and_no_second_problem(problems_of: Problems) -> None:
    text = "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: '${s3:x}'}}}}"
    (problem,) = problems_of(text)
    assert problem.startswith("1:62: receivers::otlp::protocols::grpc::max_recv_msg_size_mib: scheme ")


def test_components_not_in_use_are_checked_too(problems_of: Problems) -> None:
    assert problems_of("processors: {actions/unused: {from: 3}}") == [
        "1:37: processors::actions/unused::from: expected text, got the number 3; put it in quotes"
    ]


def test_an_examination_has_what_could_be_decoded(examine_text: Examiner) -> None:
    examination = examine_text(MINIMAL, "exporters: {otlp_grpc: {}}")
    assert list(examination.components["receivers"]) == [ComponentId("otlp")]
    assert len(examination.problems) == 1
    with pytest.raises(ConfigError):
        examination.settings()
