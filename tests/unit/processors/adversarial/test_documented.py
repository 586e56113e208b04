"""The page says what is written, counted and read."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import Final

import pytest
import yaml

from pipeline.config import load
from pipeline.testing import make_host, traces
from processors.adversarial.config import ThresholdsConfig
from processors.adversarial.erasing import MARKER, WINDOW
from processors.adversarial.inspect.command import inspect
from processors.adversarial.marking import ACTION, CATEGORY, ERROR, LABEL, SCORE, SHADOW, TRUNCATED
from processors.adversarial.model.weights import Weights
from processors.adversarial.tables import read_table
from processors.marks import ADVERSARIAL_INPUT
from tests.unit.processors.adversarial.judges import ATTACK, BROKEN, WordJudge, built

PAGE = (Path(__file__).parents[4] / "docs" / "adversarial.md").read_text(encoding="utf-8")

CONFIGS: Final = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES: Final = re.findall(r"```console\n\$ printf '(.*?)' \| penstock inspect(.*?)\n(.*?)```", PAGE, re.DOTALL)


def running(config: str) -> str:
    parsed = yaml.safe_load(config)
    pipelines = {"receivers": ["nop"], "processors": list(parsed["processors"]), "exporters": ["nop"]}
    rest = {"receivers": {"nop": None}, "exporters": {"nop": None}, "service": {"pipelines": {"traces": pipelines}}}
    return "yaml:" + yaml.safe_dump(parsed | rest)


@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_load(config: str) -> None:
    load([running(config)], environ={})


def heads(output: str) -> list[str]:
    """What every line begins with: a model trained anew has other numbers and may weigh other rules."""
    return [line.partition(":")[0] for line in output.strip().splitlines()]


@pytest.mark.parametrize(("text", "options", "output"), EXAMPLES)
def test_examples_say_what_stands_there(
    text: str, options: str, output: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert inspect(shlex.split(options)) == 0
    printed = capfdbinary.readouterr().out.decode()
    assert heads(printed)[: len(heads(output))] == heads(output)


def test_categories() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## What is found")[2].partition("\n## ")[0], re.MULTILINE)
    assert set(Weights.load().categories) <= set(listed)


@pytest.mark.parametrize("name", [SCORE, LABEL, CATEGORY, TRUNCATED, ERROR, ACTION, SHADOW, ADVERSARIAL_INPUT, MARKER])
def test_what_is_written(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_numbers() -> None:
    thresholds = ThresholdsConfig()
    assert f"`suspect` (from {thresholds.suspect} on) or `attack` (from {thresholds.attack} on)" in PAGE
    assert f"or of {WINDOW}\ncharacters of it" in PAGE


def test_what_an_event_says() -> None:
    marks = read_table("marks.yaml")
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
