"""The page says what is written, counted and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.testing import make_host, traces
from processors.adversarial.config import ThresholdsConfig
from processors.adversarial.erasing import MARKER, WINDOW
from processors.adversarial.marking import ACTION, CATEGORY, ERROR, LABEL, SCORE, SHADOW, TRUNCATED
from processors.adversarial.tables import read_table
from processors.marks import ADVERSARIAL_INPUT
from tests.unit.processors.adversarial.judges import ATTACK, BROKEN, WordJudge, built

PAGE = (Path(__file__).parents[4] / "docs" / "adversarial.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [SCORE, LABEL, CATEGORY, TRUNCATED, ERROR, ACTION, SHADOW, ADVERSARIAL_INPUT, MARKER])
def test_what_is_written(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_numbers() -> None:
    thresholds = ThresholdsConfig()
    assert f"`suspect` (from {thresholds.suspect} on) or `attack` (from {thresholds.attack} on)" in PAGE
    assert f"or of {WINDOW}\ncharacters of it" in PAGE


def test_what_an_event_says() -> None:
    marks = read_table("marks")
    assert marks["event"] in PAGE
    assert marks["on_event"]["gen_ai.evaluation.name"] == f"={ADVERSARIAL_INPUT}"
    for name in (*marks["on_event"], *marks["on_log"]):
        assert name.rpartition(".")[2] in PAGE, name


def test_metrics() -> None:
    host = make_host("adversarial")
    texts = [ATTACK, BROKEN, "", "word " * 30_000]
    built(WordJudge(), host, origins=["tool"]).process(
        traces(*({"gen_ai.tool.call.result": text, "gen_ai.tool.call.arguments": "a"} for text in texts))
    )
    found: dict[str, set[str]] = {}
    for metric in host.meter.registry.collect():
        for sample in metric.samples:
            if metric.name.startswith("penstock_adversarial"):
                name = metric.name + ("_total" if metric.type == "counter" else "")
                found.setdefault(name, set()).update(set(sample.labels) - {"processor", "le"})
                if "reason" in sample.labels:
                    assert f"`{sample.labels['reason']}`" in PAGE
    assert len(found) == 4
    for name, labels in found.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        assert {cell.strip("` ") for cell in row.split("|")[3].split(",")} == labels
