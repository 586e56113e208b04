"""The docs' table of dialects names each of them, and says which are unverified."""

from __future__ import annotations

import re
from pathlib import Path

from processors.gen_ai_normalizer.knowledge.rules import load_rules

PAGE = Path(__file__).parents[5] / "docs" / "normalizer.md"


def test_the_table_is_that_of_the_data_files() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (unverified)? ?\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: not unverified for name, unverified in rows} == {rule.dialect: rule.recorded for rule in load_rules()}
