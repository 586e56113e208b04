"""docs/deviations.md is the whole list: each refused key stands there with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.catalog import InstalledComponents
from pipeline.config.describe import keys
from pipeline.config.listing import entries
from pipeline.config.model import ConfigModel
from pipeline.config.service import ServiceConfig

TEXT = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text(encoding="utf-8")
MODELS: dict[str, type[ConfigModel]] = {
    **{f"{entry.kind[:-1]} {entry.name}": entry.cls.Config for entry in entries(InstalledComponents())},
    "service": ServiceConfig,
}


def rows_of(component: str) -> Iterator[str]:
    """The rows that its refused keys need: one for each reason."""
    paths: dict[str, list[str]] = {}
    for key in keys(MODELS[component]):
        if key.refused:
            paths.setdefault(key.description, []).append(f"`{key.path}`")
    for reason, listed in paths.items():
        yield f"| {component} | {', '.join(listed)} | {reason} |"


@pytest.mark.parametrize("component", MODELS)
def test_refused_keys_are_listed(component: str) -> None:
    listed = [line for line in TEXT.splitlines() if line.startswith(f"| {component} |")]
    assert listed == list(rows_of(component))


def test_every_row_has_its_cells() -> None:
    widths = [line.replace("\\|", "").count("|") for line in TEXT.splitlines() if line.startswith("|")]
    assert set(widths) == {4, 5}
