"""Dashboards as Grafana reads them: which panels ask what, with variables in place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.grafana.build import DASHBOARDS

FILES: Final = sorted(DASHBOARDS.glob("*.json"))
_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)")
_LABEL_VALUES: Final = re.compile(r"label_values\((?:(.*),\s*)?(\w+)\)", re.DOTALL)


@dataclass(frozen=True)
class Question:
    """One query of a panel."""

    board: str
    row: str
    panel: str
    target: Mapping[str, Any]

    @property
    def text(self) -> str:
        """In the language of its data source."""
        return str(self.target.get("expr") or self.target["query"])

    @property
    def of_tempo(self) -> bool:
        """TraceQL, not PromQL."""
        return bool(self.target.get("queryType") == "traceql")

    def __str__(self) -> str:
        """For people."""
        return f"{self.board} / {self.row} / {self.panel} {self.target['refId']}"


def load(path: Path) -> dict[str, Any]:
    """A dashboard."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def panels(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """All panels that are no rows, with the title of their row."""
    row = ""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
            yield from ((row, inner) for inner in panel["panels"])
        else:
            yield row, panel


def questions() -> list[Question]:
    """Of all dashboards."""
    return [
        Question(str(dashboard["uid"]), row, str(panel["title"]), target)
        for dashboard in map(load, FILES)
        for row, panel in panels(dashboard)
        for target in panel["targets"]
    ]


def variables(dashboard: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Choices at the top, by name."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def used(text: str) -> set[str]:
    """Names of the variables in a text."""
    return set(_VARIABLE.findall(text))


def filled(text: str, values: Mapping[str, str]) -> str:
    """A query as Grafana sends it; a variable that is not among the values has all of them."""
    return _VARIABLE.sub(lambda match: values.get(match[1], ".*"), text)


def label_values(query: str) -> tuple[str, str]:
    """The selector of series, and the label, of the query of a variable."""
    match = _LABEL_VALUES.fullmatch(query)
    assert match, query
    return match[1], match[2]
