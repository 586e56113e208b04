"""The Collector's rules for configuration files, one case each; the integration test puts them to the Collector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.loading import examine
from pipeline.errors import ConfigError, Problem

RULES: dict[str, Any] = yaml.safe_load(Path("tests/data/otelcol/config_rules.yaml").read_text())


def problems_of(case: dict[str, Any], folder: Path) -> tuple[Problem, ...]:
    base, laid_on = folder / "base.yaml", folder / "case.yaml"
    base.write_text(RULES["base"])
    laid_on.write_text(case["config"])
    try:
        return tuple(examine([str(base), str(laid_on)], environ=RULES["environment"]).problems)
    except ConfigError as error:
        return error.problems


@pytest.mark.parametrize("case", RULES["cases"], ids=[case["config"] for case in RULES["cases"]])
def test_rule(case: dict[str, Any], tmp_path: Path) -> None:
    found = problems_of(case, tmp_path)
    if case.get("ours", case["verdict"]) == "accepted":
        assert [str(problem) for problem in found] == []
    else:
        assert [problem for problem in found if case.get("says", "") in str(problem)], found
        assert all(problem.line for problem in found)
