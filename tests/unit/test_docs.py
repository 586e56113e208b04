"""Documentation that is made from code is as the code has it now."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.catalog import InstalledComponents
from pipeline.config.reference import pages

COMPONENTS = Path(__file__).parents[2] / "docs" / "components"


def test_component_pages_are_up_to_date() -> None:
    made = pages(InstalledComponents())
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMPONENTS.glob("*.md")}
    assert committed == made, "run `make docs` and commit docs/components"
