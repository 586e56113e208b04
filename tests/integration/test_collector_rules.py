"""The cases of tests/data/otelcol/config_rules.yaml say of the Collector what the Collector says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.servers import lookup

pytestmark = pytest.mark.server

RULES: dict[str, Any] = yaml.safe_load(Path("tests/data/otelcol/config_rules.yaml").read_text())


@pytest.fixture(scope="module")
def otelcol() -> Path:
    return lookup.require_program("otelcol")


@pytest.mark.parametrize("case", RULES["cases"], ids=[case["config"] for case in RULES["cases"]])
def test_verdict_of_the_collector(otelcol: Path, case: dict[str, Any], tmp_path: Path) -> None:
    base, laid_on = tmp_path / "base.yaml", tmp_path / "case.yaml"
    base.write_text(RULES["base"])
    laid_on.write_text(case["config"])
    command = [str(otelcol), "validate", "--config", str(base), "--config", str(laid_on)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=RULES["environment"], timeout=60)
    assert ("refused" if done.returncode else "accepted") == case["verdict"], done.stderr
