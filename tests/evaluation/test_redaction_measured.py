"""An excerpt of the labelled texts through a running collector: the short form of `make eval-redaction`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.redaction_report import Measured, measure, negatives_hit

EXCERPT = Path(__file__).parents[1] / "data" / "redaction"
FILES = sorted(path.name for path in EXCERPT.glob("*.jsonl"))


@pytest.fixture(scope="module")
def measured() -> dict[tuple[str, str], Measured]:
    return {(row.file, row.policy): row for row in measure(EXCERPT) if row.part == "all"}


@pytest.mark.parametrize("file", FILES)
def test_the_goals_are_met_with_every_entity_type(measured: dict[tuple[str, str], Measured], file: str) -> None:
    row = measured[file, "all"]
    assert row.report.structured.entities >= 20
    assert row.falls_short() == []


@pytest.mark.parametrize("file", FILES)
def test_the_default_policy_finds_its_own_types_as_well(measured: dict[tuple[str, str], Measured], file: str) -> None:
    figures = measured[file, "default"].report.structured
    assert figures.recall >= 0.95
    assert figures.leak <= 0.04


def test_texts_without_anything_to_find_stay(measured: dict[tuple[str, str], Measured]) -> None:
    hit, documents = negatives_hit(measured.values())
    assert documents >= 70
    assert hit == 0


def test_what_the_default_policy_leaves_alone_stays(measured: dict[tuple[str, str], Measured]) -> None:
    free = [measured[file, "default"].report.free for file in FILES]
    assert sum(figures.entities for figures in free) == 0, "names and addresses are no business of it"
