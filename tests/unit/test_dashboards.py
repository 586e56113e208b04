"""The dashboards that ship: made of their sources, what Grafana knows, nothing over anything else."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana.build import files
from tests.servers.collectors import ROOT
from tests.support.dashboards import FILES, label_values, load, panels, questions, used, variables

METRIC = re.compile(r"\b(?:gen_ai|mcp|penstock|otelcol|traces)_\w+(?=\{|\[|,|$)")
SHORT = re.compile(r"(\w+)\{([\w,]+)\}(\w*)")
UNITS = re.compile(r"(?:_(?:USD|seconds|milliseconds))?(?:_total)?$")
PROVISIONING = sorted((ROOT / "deploy" / "grafana" / "provisioning").rglob("*.yaml"))
OF_GRAFANA = {"__all", "__rate_interval", "__range", "__url_time_range", "__value"}
BOARDS = [load(path) for path in FILES]
NAMES = [str(board["uid"]) for board in BOARDS]
each_board = pytest.mark.parametrize("board", BOARDS, ids=NAMES)


def test_they_are_made_of_their_sources() -> None:
    made = files()
    assert {path for path in made if path.suffix == ".json"} == set(FILES)
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make dashboards`"


@each_board
def test_grafana_knows_every_key(board: dict[str, Any]) -> None:
    register_default_plugins()
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    assert _only(again, board) == board


def _only(found: Any, wanted: Any) -> Any:
    """What was found, without the defaults that were not wanted."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return {key: _only(value, wanted[key]) for key, value in found.items() if key in wanted}
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        return [_only(*pair) for pair in zip(found, wanted, strict=True)]
    return found


def test_boards_are_told_apart() -> None:
    assert len({board["uid"] for board in BOARDS}) == len({board["title"] for board in BOARDS}) == len(BOARDS) == 4
    assert all(len(board["uid"]) <= 40 for board in BOARDS)


@each_board
def test_panels_are_told_apart(board: dict[str, Any]) -> None:
    everything = [*board["panels"], *(panel for _, panel in panels(board))]
    numbers = Counter(id(panel) for panel in everything)
    ids = {id(panel): panel["id"] for panel in everything}
    assert len(set(ids.values())) == len(numbers)
    titles = Counter((row, panel["title"]) for row, panel in panels(board))
    assert [title for title, count in titles.items() if count > 1] == []


@each_board
def test_no_panel_lies_over_another(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@each_board
def test_every_variable_is_there_and_of_use(board: dict[str, Any]) -> None:
    text = json.dumps([board["panels"], board["templating"]])
    known = variables(board)
    assert used(text) - OF_GRAFANA <= set(known)
    assert set(known) <= used(text)


@each_board
def test_every_panel_explains_itself(board: dict[str, Any]) -> None:
    for row, panel in panels(board):
        assert row
        assert panel["description"].endswith((".", ")")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        if panel["type"] in {"timeseries", "bargauge"}:
            assert all(target["legendFormat"] != "__auto" for target in panel["targets"]), panel["title"]


def _metrics() -> set[str]:
    """The names in all queries, those of variables among them; without what histograms append."""
    queries = [question.text for question in questions() if not question.of_tempo]
    asked = [variable for board in BOARDS for variable in variables(board).values() if variable["type"] == "query"]
    queries += [label_values(variable["query"]["query"])[0] for variable in asked]
    return {re.sub(r"_(?:bucket|sum|count)$", "", name) for query in queries for name in METRIC.findall(query)}


def _written() -> set[str]:
    """Names in the documentation, dots as Prometheus writes them; `a_{b,c}` is two."""
    found = set[str]()
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        found |= {f"{head}{part}{tail}" for head, parts, tail in SHORT.findall(text) for part in parts.split(",")}
        found |= {word.replace(".", "_") for word in re.findall(r"[a-z][\w.]+\w", text)}
    return found


def test_every_metric_is_documented() -> None:
    names, written = _metrics(), _written()
    assert len(names) > 60
    # Units and `_total` are what Prometheus appends; docs/metrics.md says so.
    assert {name for name in names if not {name, UNITS.sub("", name)} & written} == set()


def test_what_grafana_is_provisioned_with() -> None:
    found = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in PROVISIONING}
    assert {each["apiVersion"] for each in found.values()} == {1}
    assert {source["type"] for source in found["datasources"]["datasources"]} == {"prometheus", "tempo"}
    assert [provider["type"] for provider in found["dashboards"]["providers"]] == ["file"]
