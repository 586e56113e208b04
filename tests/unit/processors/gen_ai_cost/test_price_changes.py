"""`scripts/price-changes` compares two versions of the base table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[4] / "scripts" / "price-changes"
DATA = """
from decimal import Decimal
from types import SimpleNamespace as Record

def model(id, **prices):
    numbers = {{kind: Decimal(price) for kind, price in prices.items()}}
    return Record(id=id, prices=Record(**numbers), price_variants=None)

providers = [Record(id="acme", models=[{models}])]
"""


def version(folder: Path, *models: str) -> Path:
    package = folder / "genai_prices"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "data.py").write_text(DATA.format(models=", ".join(models)), encoding="utf-8")
    return folder


def test_models_that_come_and_go_and_prices_that_change_are_told(tmp_path: Path) -> None:
    old = version(tmp_path / "old", "model('a', input_mtok='1.0')", "model('b', input_mtok='2')", "model('c')")
    new = version(tmp_path / "new", "model('a', input_mtok='1')", "model('b', input_mtok='3')", "model('d')")
    told = subprocess.run([sys.executable, SCRIPT, new, old], check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == [
        "~ acme/b: input_mtok: 2 -> 3",
        "- acme/c: no price",
        "+ acme/d: no price",
        "1 added, 1 removed, 1 changed",
    ]


def test_a_place_without_the_package_is_an_error(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, SCRIPT, tmp_path], check=False, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (1, "")
    assert f"there is no genai_prices in {tmp_path}" in told.stderr
