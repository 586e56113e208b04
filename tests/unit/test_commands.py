"""Subcommands over configurations of real components."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pipeline import registry
from pipeline.cli import main

Capture = pytest.CaptureFixture[str]

GOOD = """\
receivers:
  otlpjsonfile: {include: ["${env:FOLDER}/*.json"]}
exporters:
  nop:
service:
  pipelines:
    traces: {receivers: [otlpjsonfile], exporters: [nop]}
"""


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FOLDER", str(tmp_path))
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return str(path)


def test_validate_prints_a_row_per_key_and_ok(good: str, capsys: Capture) -> None:
    assert main(["validate", "--config", good]) == 0
    captured = capsys.readouterr()
    *rows, last = captured.out.splitlines()
    assert last == "OK"
    assert len(rows) == 10
    place, path, verdict, why = rows[1].split("\t")
    assert (place, path, verdict) == (f"{good}:2:3", "receivers::otlpjsonfile", "honoured")
    assert why
    assert captured.err == ""


def test_validate_is_silent_when_asked(good: str, capsys: Capture) -> None:
    assert main(["validate", "--quiet", "--config", good]) == 0
    assert capsys.readouterr() == ("", "")


def test_validate_for_several_workers(good: str, capsys: Capture) -> None:
    assert main(["validate", "--quiet", "--config", good, "--workers", "1"]) == 0
    assert main(["validate", "--quiet", "--config", good, "--workers", "2"]) == 1
    assert "not with --workers 2: each worker would read all files" in capsys.readouterr().err


def test_validate_says_what_is_refused(good: str, capsys: Capture) -> None:
    arguments = ["validate", "--config", good, "--set", "exporters.nop.x=1", "--set", "service.telemetry.logs.level=x"]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert "OK" not in captured.out.splitlines()
    assert sum(row.split("\t")[2] == "refused" for row in captured.out.splitlines()) == 2
    assert captured.err.startswith("Error: 2 problems:\n")


def test_warnings_go_to_stderr(good: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOLDER")
    assert main(["validate", "-q", "--config", good]) == 0
    assert capsys.readouterr().err == (
        f"Warning: {good}:2:28: receivers::otlpjsonfile::include::0: "
        'environment variable "FOLDER" is not set; its value is empty\n'
    )


def test_components_as_yaml_and_json(capsys: Capture) -> None:
    assert main(["components"]) == 0
    as_yaml = yaml.safe_load(capsys.readouterr().out)
    assert main(["components", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == as_yaml
    assert list(as_yaml) == ["buildinfo", "receivers", "processors", "exporters", "connectors", "extensions"]
    for kind in registry.Kind:
        canonical = {registry.get(kind, name).type for name in registry.names(kind)}
        assert [entry["name"] for entry in as_yaml[kind.value]] == sorted(canonical)
        assert all(entry["summary"] for entry in as_yaml[kind.value])


def test_schema_is_one_document(capsys: Capture) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Penstock configuration"


def test_print_config(good: str, capsys: Capture, tmp_path: Path) -> None:
    assert main(["print-config", "--config", good]) == 0
    tree = yaml.safe_load(capsys.readouterr().out)
    assert tree["receivers"]["otlpjsonfile"]["include"] == [f"{tmp_path}/*.json"]
    assert tree["service"]["telemetry"]["metrics"]["level"] == "normal"
    assert main(["print-initial-config", "--config", good, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == tree


def test_print_config_stops_at_errors_unless_told_otherwise(good: str, capsys: Capture) -> None:
    arguments = ["print-config", "--config", good, "--set", "exporters.nop.x=1"]
    assert main(arguments) == 1
    assert capsys.readouterr().out == ""
    assert main([*arguments, "--validate=false"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["exporters"] == {}


def test_docs(tmp_path: Path, capsys: Capture) -> None:
    assert main(["docs", str(tmp_path / "pages")]) == 0
    assert str(tmp_path / "pages" / "exporter-nop.md") in capsys.readouterr().out
    assert (tmp_path / "pages" / "README.md").read_text().startswith("# Components")
