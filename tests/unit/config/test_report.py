"""One row per key."""

from __future__ import annotations

from pipeline.config.report import rows
from tests.unit.config.fakes import Examiner


def table(examine_text: Examiner, text: str) -> list[tuple[str, str, str]]:
    found = rows(examine_text(text))
    return [("::".join(map(str, row.path)), row.verdict, row.why) for row in found]


def test_every_key_has_a_row(examine_text: Examiner) -> None:
    text = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: "a:1", max_recv_msg_size_mib: 3}}}
processors:
  actions: {rules: [{type: share, percentage: 5}]}
exporters: {debug: }
service:
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
"""
    assert table(examine_text, text) == [
        ("receivers", "honoured", "what takes data in"),
        ("receivers::otlp", "honoured", "Takes data in."),
        ("receivers::otlp::protocols", "honoured", ""),
        ("receivers::otlp::protocols::grpc", "honoured", ""),
        ("receivers::otlp::protocols::grpc::endpoint", "honoured", "Address to listen on."),
        ("receivers::otlp::protocols::grpc::max_recv_msg_size_mib", "honoured", "Largest message, MiB."),
        ("processors", "honoured", "what works on it"),
        ("processors::actions", "honoured", "Acts. (checked; not in use)"),
        ("processors::actions::rules", "honoured", ""),
        ("processors::actions::rules::0::type", "honoured", ""),
        ("processors::actions::rules::0::percentage", "honoured", ""),
        ("exporters", "honoured", "what sends it out"),
        ("exporters::debug", "honoured", "Prints."),
        ("service", "honoured", "what runs"),
        ("service::pipelines", "honoured", "Pipelines by id: `traces`, `metrics`, `logs`, `/name`."),
        ("service::pipelines::traces", "honoured", "Pipelines by id: `traces`, `metrics`, `logs`, `/name`."),
        ("service::pipelines::traces::receivers", "honoured", "Ids of receivers, or of connectors that feed it."),
        ("service::pipelines::traces::exporters", "honoured", "Ids of exporters, or of connectors that it feeds."),
    ]


def test_refused_keys_say_why_and_what_is_below_an_unknown_key_is_left_out(examine_text: Examiner) -> None:
    text = """\
exporters:
  otlp_grpc: {endpoint: a, profiles: 1, nothing: {x: 1}, queue: {size: a}, names: [1]}
  zzz: {a: 1}
unknown: {a: 1}
service: {pipelines: {traces: {exporters: [nope]}}}
"""
    refused = {path: why for path, verdict, why in table(examine_text, text) if verdict == "refused"}
    assert refused == {
        "exporters::otlp_grpc::profiles": "not supported: no profiles in this release; remove the key",
        "exporters::otlp_grpc::nothing": 'unknown key "nothing"; keys here are '
        "compression, encoding, endpoint, headers, names, number_or_text, patterns, profiles, queue, ratio, ref, "
        "token, ...",
        "exporters::otlp_grpc::queue::size": 'expected a whole number, got text "a"',
        "exporters::otlp_grpc::names": "expected text, got the number 1; put it in quotes",
        "exporters::zzz": 'unknown type: "zzz" for id: "zzz"; valid values: debug, otlp, otlp_grpc',
        "unknown": 'unknown key "unknown"; sections are '
        "connectors, exporters, extensions, processors, receivers, service",
        "service::pipelines::traces": "must have at least one receiver",
        "service::pipelines::traces::exporters": 'references exporter "nope" which is not configured; '
        "configured are otlp_grpc, zzz",
    }
    paths = [path for path, _, _ in table(examine_text, text)]
    assert "unknown::a" not in paths
    assert "exporters::zzz::a" not in paths


def test_a_row_as_text_has_its_place(examine_text: Examiner) -> None:
    (row, *_) = rows(examine_text("\nexporters: {debug: }"))
    assert str(row) == "c0.yaml:2:1\texporters\thonoured\twhat sends it out"
