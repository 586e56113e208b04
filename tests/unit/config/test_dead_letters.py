"""Exporters that are named by exporters."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import ComponentId, ExporterRef
from pipeline.config.references import with_named_exporters
from pipeline.config.report import rows
from tests.unit.config.fakes import (
    MINIMAL,
    ClientConfig,
    Examiner,
    FakeCatalog,
    Loader,
    OtlpExporter,
    Problems,
    TracesOnly,
)

HEAD = """receivers: {otlp: {protocols: {grpc: }}}
service:
  pipelines: {traces: {receivers: [otlp], exporters: [otlp_grpc]}, logs: {exporters: [debug], receivers: [otlp]}}
exporters:
  traces_only:
"""
PLACE = "6:41: exporters::otlp_grpc::dead_letter: "


class Config(ClientConfig):
    dead_letter: ExporterRef | None = None


class Exporter(OtlpExporter):
    Config = Config


class Catalog(FakeCatalog):
    def get(self, kind: str, type_name: str) -> type[Any]:
        ours: dict[str, type[Any]] = {"otlp_grpc": Exporter, "traces_only": TracesOnly}
        return ours[type_name] if kind == "exporters" and type_name in ours else super().get(kind, type_name)


@pytest.fixture
def catalog() -> FakeCatalog:
    return Catalog()


def exporter(name: str, dead_letter: str) -> str:
    return f"  {name}: {{endpoint: a, dead_letter: {dead_letter}}}\n"


DEAD = "  otlp_grpc/dead: {endpoint: b}\n"
LEADING = HEAD + exporter("otlp_grpc", "otlp_grpc/dead")


def test_an_exporter_may_name_one_that_no_pipeline_uses(load_text: Loader) -> None:
    settings = load_text(MINIMAL, LEADING + DEAD)
    named = with_named_exporters([ComponentId("otlp_grpc")], settings.exporters)
    assert list(map(str, named)) == ["otlp_grpc", "otlp_grpc/dead"]


def test_it_must_be_configured(problems_of: Problems) -> None:
    (problem,) = problems_of(LEADING)
    assert problem.startswith(PLACE + 'references exporter "otlp_grpc/dead" which is not configured')


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (exporter("otlp_grpc", "otlp_grpc"), "itself"),
        (
            exporter("otlp_grpc", "otlp_grpc/b") + exporter("otlp_grpc/b", "otlp_grpc"),
            '"otlp_grpc/b", from which they come back',
        ),
    ],
)
def test_dead_letters_do_not_run_in_circles(problems_of: Problems, text: str, what: str) -> None:
    problems = problems_of(HEAD + text)
    assert len(problems) == text.count("\n")
    assert problems[0] == f'{PLACE}exporter "otlp_grpc" cannot send its dead letters to {what}'


def test_it_must_take_the_signals(problems_of: Problems) -> None:
    head = HEAD.replace("exporters: [debug]", "exporters: [otlp_grpc]")
    assert problems_of(head + exporter("otlp_grpc", "traces_only")) == [
        f'{PLACE}exporter "traces_only" does not support logs, of which it is to take dead letters'
    ]


def test_what_it_names_itself_is_checked(problems_of: Problems) -> None:
    (problem,) = problems_of(LEADING + DEAD.replace("b}", "b, ref: storage}"))
    assert 'references extension "storage"' in problem


def test_it_counts_as_in_use(examine_text: Examiner) -> None:
    found = examine_text(MINIMAL, LEADING + DEAD + "  otlp_grpc/other: {endpoint: c}\n")
    unused = [row.path[1] for row in rows(found) if "not in use" in row.why]
    assert unused == ["traces_only", "otlp_grpc/other"]
