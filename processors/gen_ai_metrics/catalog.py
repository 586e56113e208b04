"""What is counted: the rows of the data file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from pipeline.aggregation import Instrument, Labels


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `instruments.yaml`. With bounds it is a histogram, without a monotonic sum."""

    instrument: Instrument
    value: str
    labels: Labels = ()
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """The data file: what is counted, and by which attributes."""

    dimensions: tuple[str, ...]
    rows: tuple[Row, ...]
    older_names: Mapping[str, str]
    """Attributes that are read where one of the dimensions is not there."""

    @classmethod
    def load(cls) -> Catalog:
        """Read the data file of this package."""
        data = yaml.safe_load(files(__package__).joinpath("instruments.yaml").read_text(encoding="utf-8"))
        bounds: Mapping[str, Sequence[float]] = data["bounds"]
        rows = tuple(_row(row, bounds) for row in data["instruments"])
        return cls(tuple(data["dimensions"]), rows, data["older_names"])


def _row(row: Mapping[str, Any], bounds: Mapping[str, Sequence[float]]) -> Row:
    instrument = Instrument(
        row["name"],
        row["unit"],
        row["description"],
        kind="histogram" if "bounds" in row else "sum",
        bounds=tuple(bounds[row["bounds"]]) if "bounds" in row else (),
    )
    return Row(instrument, row["value"], tuple(row.get("labels", {}).items()), row.get("by"))
