"""The effective configuration."""

from __future__ import annotations

import json

import yaml

from pipeline.config.effective import effective, render
from tests.unit.config.fakes import MINIMAL, Examiner

TEXT = """\
exporters:
  otlp_grpc: {endpoint: "a:1", token: "${env:T}", headers: {h: hunter2}, wait: 90000000000, profiles: }
processors:
  actions: {from: x, rules: [{type: share, percentage: 5}]}
"""


def test_defaults_are_filled_in_and_refused_keys_left_out(examine_text: Examiner) -> None:
    tree = effective(examine_text(MINIMAL, TEXT, T="hunter2"))
    assert tree["exporters"]["otlp_grpc"] == {
        "endpoint": "a:1", "headers": {"h": "[REDACTED]"}, "token": "[REDACTED]", "names": [], "ratio": 1.0,
        "encoding": "proto", "compression": "gzip", "value": None, "patterns": [], "ref": None,
        "queue": {"size": 1000, "min_size": 0}, "wait": "1m30s", "number_or_text": 0,
    }  # fmt: skip
    assert tree["processors"]["actions"] == {"rules": [{"type": "share", "percentage": 5.0}], "mapped": {}, "from": "x"}
    grpc = tree["receivers"]["otlp"]["protocols"]["grpc"]
    assert (grpc["endpoint"], grpc["idle"], grpc["tls"]) == ("localhost:4317", "0s", None)
    assert tree["service"]["drain_timeout"] == "30s"
    assert tree["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]["port"] == 8888
    assert "address" not in tree["service"]["telemetry"]["metrics"]
    assert (tree["connectors"], tree["extensions"]) == ({}, {})


def test_secrets_show_only_when_asked_for(examine_text: Examiner) -> None:
    examination = examine_text(MINIMAL, TEXT, T="hunter3")
    for form in ("yaml", "json"):
        assert "hunter" not in render(effective(examination), form)
        assert "hunter3" in render(effective(examination, unredacted=True), form)


def test_both_forms_say_the_same_with_keys_sorted(examine_text: Examiner) -> None:
    tree = effective(examine_text(MINIMAL))
    as_yaml, as_json = render(tree, "yaml"), render(tree, "json")
    assert yaml.safe_load(as_yaml) == json.loads(as_json) == tree
    assert list(json.loads(as_json)) == ["connectors", "exporters", "extensions", "processors", "receivers", "service"]


def test_what_is_printed_loads_again_to_the_same(examine_text: Examiner) -> None:
    tree = effective(examine_text(MINIMAL, TEXT), unredacted=True)
    assert effective(examine_text(render(tree, "yaml")), unredacted=True) == tree
