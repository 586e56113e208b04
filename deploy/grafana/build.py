"""Makes dashboards/*.json of sources/*.yaml, and the table of panels in docs/dashboards.md: `make dashboards`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from deploy.grafana.panels import panel_json
from deploy.grafana.source import Board, Panel, Row, Variable, read

FOLDER: Final = Path(__file__).parent
SOURCES: Final = FOLDER / "sources"
DASHBOARDS: Final = FOLDER / "dashboards"
PAGE: Final = FOLDER.parents[1] / "docs" / "dashboards.md"
_PANELS: Final = re.compile(r"(?<=<!-- panels -->\n).*?(?=<!-- end of panels -->)", re.DOTALL)
_GRAFANA_11: Final = 39
"""`schemaVersion` of Grafana 11; later ones migrate it when they load it."""
_COLUMNS: Final = 24
_SIZES: Final = {
    "stat": (4, 4), "timeseries": (8, 8), "bar": (8, 8), "heatmap": (8, 8), "table": (12, 8), "traces": (12, 8),
}  # fmt: skip


def dashboard(board: Board) -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description.strip(),
        "tags": ["penstock"],
        "schemaVersion": _GRAFANA_11,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "weekStart": "",
        "annotations": {"list": []},
        "links": [_link()],
        "templating": {"list": [*_datasources(board), *map(_variable, board.variables)]},
        "panels": _placed(board),
    }


def _link() -> dict[str, Any]:
    return {
        "title": "Penstock", "type": "dashboards", "tags": ["penstock"], "icon": "external link", "tooltip": "",
        "url": "", "asDropdown": False, "includeVars": True, "keepTime": True, "targetBlank": False,
    }  # fmt: skip


def _datasources(board: Board) -> list[dict[str, Any]]:
    kinds = ["prometheus", *(["tempo"] if board.asks_tempo else [])]
    return [
        {
            "name": kind, "label": kind.capitalize(), "type": "datasource", "query": kind, "regex": "", "hide": 0,
            "includeAll": False, "multi": False, "refresh": 1, "skipUrlSync": False, "options": [], "current": {},
        }
        for kind in kinds
    ]  # fmt: skip


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${prometheus}"},
        "query": {"query": variable.query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1},
        "regex": "",
        "sort": 1,
        # When the time range changes: labels come and go.
        "refresh": 2,
        "hide": 0,
        "multi": True,
        "includeAll": True,
        # Also what has no such label.
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "skipUrlSync": False,
    }


def _placed(board: Board) -> list[dict[str, Any]]:
    """Rows one below the other, their panels from left to right."""
    panels: list[dict[str, Any]] = []
    number, top = 0, 0
    for row in board.rows:
        number += 1
        headline = _row(row, number, top)
        panels.append(headline)
        places, bottom = _places(row.panels, top + 1)
        made = [panel_json(board, panel, number + 1 + i, places[i]) for i, panel in enumerate(row.panels)]
        number += len(made)
        if row.collapsed:
            headline["panels"] = made
            top += 1
        else:
            panels += made
            top = bottom
    return panels


def _row(row: Row, number: int, top: int) -> dict[str, Any]:
    position = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
    return {
        "id": number, "type": "row", "title": row.title, "collapsed": row.collapsed, "gridPos": position, "panels": [],
    }  # fmt: skip


def _places(panels: tuple[Panel, ...], top: int) -> tuple[list[dict[str, int]], int]:
    places: list[dict[str, int]] = []
    left, highest = 0, 0
    for panel in panels:
        width, height = _SIZES[panel.kind]
        width, height = panel.width or width, panel.height or height
        if left + width > _COLUMNS:
            left, top, highest = 0, top + highest, 0
        places.append({"x": left, "y": top, "w": width, "h": height})
        left, highest = left + width, max(highest, height)
    return places, top + highest


def boards() -> list[Board]:
    """All boards, in the order in which they are documented."""
    return [read(path) for path in sorted(SOURCES.glob("*.yaml"))]


def files() -> dict[Path, str]:
    """What is generated: path -> text."""
    made = {
        DASHBOARDS / f"{board.uid}.json": json.dumps(dashboard(board), indent=1, ensure_ascii=False) + "\n"
        for board in boards()
    }
    table = "".join(line for board in boards() for line in _documented(board))
    made[PAGE] = _PANELS.sub(lambda _: table, PAGE.read_text(encoding="utf-8"))
    return made


def _documented(board: Board) -> list[str]:
    lines = [
        f"\n### {board.title}\n\n{_one_line(board.description)} (`{board.uid}`)\n",
        "\n| row | panel | |\n|---|---|---|\n",
    ]
    for row in board.rows:
        lines += [f"| {row.title} | {panel.title} | {_one_line(panel.description)} |\n" for panel in row.panels]
    return [*lines, "\n"]


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write them."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
