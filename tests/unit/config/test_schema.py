"""The JSON Schema of the file."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.config.schema import schema
from tests.unit.config.fakes import FakeCatalog

GOOD = """\
receivers:
  otlp:
    protocols:
      grpc:
      http: {endpoint: "a:1", max_recv_msg_size_mib: "${env:SIZE}", idle: 5s, tls: {min_version: "1.2"}}
processors: {actions/2: {from: x, rules: [{type: share, percentage: 5}]}}
exporters:
  debug:
  otlp: {endpoint: a, wait: 1h30m, ref: storage, token: "${env:T}"}
  otlp_grpc/2: {endpoint: a, wait: never, compression: ""}
extensions:
service: {pipelines: {traces: {receivers: [otlp], exporters: [debug]}}, telemetry: {logs: {level: info}}}
"""


@pytest.fixture
def validator(catalog: FakeCatalog) -> jsonschema.Draft202012Validator:
    made = schema(catalog)
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def test_a_good_file_passes(validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(yaml.safe_load(GOOD))] == []


@pytest.mark.parametrize(
    "text",
    [
        "recievers: {}",
        "receivers: {oltp: {}}",
        "receivers: {otlp: {protocols: {grcp: }}}",
        "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: big}}}}",
        "receivers: {otlp: {protocols: {grpc: {idle: '10'}}}}",
        "receivers: {otlp: {protocols: {grpc: {tls: {min_version: '1.3'}}}}}",
        "exporters: {otlp: {}}",
        "exporters: {otlp: {endpoint: a, encoding: xml}}",
        "exporters: {otlp: {endpoint: a, profiles: 1}}",
        "service: {pipelines: []}",
    ],
)
def test_what_a_bad_file_has_wrong_is_seen(validator: jsonschema.Draft202012Validator, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text)))


def test_defaults_and_descriptions_are_there_for_editors(catalog: FakeCatalog) -> None:
    definitions: dict[str, Any] = schema(catalog)["$defs"]
    server = definitions["Server"]["properties"]
    assert server["endpoint"]["description"] == "Address to listen on."
    assert server["max_recv_msg_size_mib"]["description"] == "Largest message, MiB."
    assert server["idle"]["default"] == "0s"
    assert definitions["ServiceConfig"]["properties"]["drain_timeout"]["default"] == "30s"
