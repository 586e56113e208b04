"""The JSON of panels, as Grafana 11 saves them.

Source: https://grafana.com/docs/grafana/v11.6/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deploy.grafana.source import Board, Panel, Query

PROMETHEUS: Final = {"type": "prometheus", "uid": "${prometheus}"}
TEMPO: Final = {"type": "tempo", "uid": "${tempo}"}
_TYPES: Final = {"bar": "bargauge", "traces": "table"}
_PLUGIN_VERSION: Final = "11.6.0"
_NEWEST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def panel_json(board: Board, panel: Panel, number: int, position: Mapping[str, int]) -> dict[str, Any]:
    """One panel: its number and its place on the board come from outside."""
    return {
        "id": number,
        "type": _TYPES.get(panel.kind, panel.kind),
        "title": panel.title,
        "description": panel.description.strip(),
        "datasource": TEMPO if panel.kind == "traces" else PROMETHEUS,
        "gridPos": dict(position),
        "pluginVersion": _PLUGIN_VERSION,
        "targets": [_target(board, panel, query, chr(ord("A") + index)) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(board, panel)},
        "options": _OPTIONS[panel.kind](panel),
        "transformations": _transformations(panel),
    }


def _target(board: Board, panel: Panel, query: Query, letter: str) -> dict[str, Any]:
    expr = " ".join(board.filled(query.expr).split())
    if panel.kind == "traces":
        return {
            "refId": letter, "datasource": TEMPO, "queryType": "traceql", "query": expr, "limit": 20,
            "tableType": "traces",
        }  # fmt: skip
    at_once = panel.kind in {"table", "bar"}
    return {
        "refId": letter,
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expr,
        "legendFormat": query.legend or "__auto",
        "instant": at_once,
        "range": not at_once,
        "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series"),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": _thresholds(panel),
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "custom": _CUSTOM[panel.kind](panel) if panel.kind in _CUSTOM else {},
        "noValue": "no data",
    }
    if panel.kind in {"timeseries", "bar"}:
        defaults["min"] = 0
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    return defaults


def _thresholds(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    steps += [{"color": colour, "value": value} for colour, value in panel.thresholds.items()]
    return {"mode": "absolute", "steps": steps}


def _overrides(board: Board, panel: Panel) -> list[dict[str, Any]]:
    found = [
        _override(query.legend, "unit", query.unit)
        for query in panel.queries
        if panel.kind == "table" and query.legend and query.unit
    ]
    for label, variable in panel.drill.items():
        url = f"/d/{board.uid}?${{__url_time_range}}&var-{variable}=${{__value.text:percentencode}}"
        link = {"title": "This one alone", "url": url, "targetBlank": False}
        found.append(_override(panel.columns[label], "links", [link]))
    return found


def _override(column: str, key: str, value: object) -> dict[str, Any]:
    return {"matcher": {"id": "byName", "options": column}, "properties": [{"id": key, "value": value}]}


def _transformations(panel: Panel) -> list[dict[str, Any]]:
    if panel.kind != "table":
        return []
    several = len(panel.queries) > 1
    names = [f"Value #{chr(ord('A') + index)}" for index in range(len(panel.queries))] if several else ["Value"]
    renamed = {name: query.legend for name, query in zip(names, panel.queries, strict=True)}
    shown = [*panel.columns, *names]
    kept = {"id": "filterFieldsByName", "options": {"include": {"names": shown}}}
    organised = {
        "id": "organize",
        "options": {
            "excludeByName": {},
            "indexByName": {name: index for index, name in enumerate(shown)},
            "renameByName": {**panel.columns, **renamed},
        },
    }
    return [*([{"id": "merge", "options": {}}] if several else []), kept, organised]


def _timeseries_custom(panel: Panel) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.stack else 8,
        "showPoints": "never",
        "spanNulls": False,
        "axisSoftMin": 0,
        "stacking": {"group": "A", "mode": "normal" if panel.stack else "none"},
        "thresholdsStyle": {"mode": "dashed" if panel.thresholds else "off"},
    }


def _timeseries_options(_panel: Panel) -> dict[str, Any]:
    return {
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def _stat_options(panel: Panel) -> dict[str, Any]:
    return {
        "reduceOptions": _NEWEST,
        "colorMode": "value" if panel.thresholds else "none",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
    }


def _bar_options(_panel: Panel) -> dict[str, Any]:
    return {
        "reduceOptions": _NEWEST,
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "minVizWidth": 8,
        "minVizHeight": 16,
    }


def _heatmap_options(panel: Panel) -> dict[str, Any]:
    return {
        "calculate": False,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange",
                  "scale": "exponential", "reverse": False},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": panel.unit},
    }  # fmt: skip


def _table_options(panel: Panel) -> dict[str, Any]:
    sorted_by = [{"displayName": panel.queries[0].legend, "desc": True}] if panel.kind == "table" else []
    return {"showHeader": True, "cellHeight": "sm", "sortBy": sorted_by}


def _table_custom(_panel: Panel) -> dict[str, Any]:
    return {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}


_CUSTOM: Final = {"timeseries": _timeseries_custom, "table": _table_custom, "traces": _table_custom}
_OPTIONS: Final = {
    "timeseries": _timeseries_options,
    "stat": _stat_options,
    "bar": _bar_options,
    "heatmap": _heatmap_options,
    "table": _table_options,
    "traces": _table_options,
}
