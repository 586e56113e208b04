"""What a source of a dashboard may say; sources/*.yaml are read as this."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

Kind = Literal["timeseries", "stat", "bar", "heatmap", "table", "traces"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(_Model):
    """One question to Prometheus, or to Tempo in a panel of kind `traces`."""

    expr: str
    legend: str = ""
    """Name of each series, `{{label}}` for its labels; in a table of several queries the name of the column."""
    unit: str = ""
    """In a table: of the column."""


class Panel(_Model):
    """One panel; `description` is for the person who looks at it: what it means, and what to do."""

    title: str
    kind: Kind
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int | None = None
    """Of 24; by kind if not given."""
    height: int | None = None
    stack: bool = False
    most: float | None = None
    """End of the axis."""
    decimals: int | None = None
    thresholds: dict[str, float] = {}
    """Colour: from this value on; below all of them it is green."""
    columns: dict[str, str] = {}
    """In a table: label -> name of its column; other labels are hidden."""
    drill: dict[str, str] = {}
    """In a table: label -> variable; a click on its value shows the board for that value alone."""


class Row(_Model):
    """Panels under a headline."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


class Variable(_Model):
    """A choice at the top of the board: all values of a label."""

    name: str
    label: str
    query: str


class Board(_Model):
    """One dashboard."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    selectors: dict[str, str]
    """Label matchers that many queries share: `metric{@name}` stands for `metric{...}`."""
    rows: tuple[Row, ...]

    @property
    def asks_tempo(self) -> bool:
        """Whether a panel shows traces."""
        return any(panel.kind == "traces" for row in self.rows for panel in row.panels)

    def filled(self, expr: str) -> str:
        """A query with its selectors in place."""
        for name, matchers in sorted(self.selectors.items(), reverse=True):
            expr = expr.replace(f"@{name}", matchers)
        return expr


def read(path: Path) -> Board:
    """A board as its source has it.

    Raises:
        pydantic.ValidationError: the source has a key that means nothing, or lacks one.
    """
    source: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Board.model_validate(source)
