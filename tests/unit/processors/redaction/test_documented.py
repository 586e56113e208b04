"""docs/redaction.md: its table is that of the types, its configurations load, its examples say what stands there."""

from __future__ import annotations

import io
import math
import re
import shlex
from pathlib import Path
from typing import Final, get_args

import pytest
import yaml

from pipeline.config import load
from processors.redaction.command import redact
from processors.redaction.entities import load_groups, load_types
from processors.redaction.policy_config import Role, Signal
from processors.redaction.treatment import Action
from processors.redaction.user_rules import validator_names

PAGE: Final = (Path(__file__).parents[4] / "docs" / "redaction.md").read_text(encoding="utf-8")
CONFIGS: Final = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES: Final = re.findall(r"```console\n\$ printf '(.*?)' \| penstock redact (.*?)\n(.*?)```", PAGE, re.DOTALL)


def running(config: str) -> str:
    parsed = yaml.safe_load(config)
    pipelines = {"receivers": ["nop"], "processors": list(parsed["processors"]), "exporters": ["nop"]}
    rest = {"receivers": {"nop": None}, "exporters": {"nop": None}, "service": {"pipelines": {"logs": pipelines}}}
    return "yaml:" + yaml.safe_dump(parsed | rest)


@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_load(config: str) -> None:
    load([running(config)], environ={})


@pytest.mark.parametrize(("text", "options", "output"), EXAMPLES)
def test_examples_say_what_stands_there(
    text: str, options: str, output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert redact(shlex.split(options)) == 0
    printed = capsys.readouterr()
    assert (printed.out + printed.err).strip() == output.strip()


def test_there_are_configurations_and_examples() -> None:
    assert len(CONFIGS) >= 6
    assert len(EXAMPLES) == 3


def test_the_table_of_types_is_that_of_the_default_policy() -> None:
    rows = re.findall(r"^\| `(\w+)`: .*? \| (.*?) \| (redacted|left) \|$", PAGE, re.MULTILINE)
    listed = {
        (name, group, word == "redacted") for group, names, word in rows for name in re.findall(r"`(\w+)`", names)
    }
    assert listed == {(name, entity.group, entity.default) for name, entity in load_types().items()}
    assert {group for group, _, _ in rows} == set(load_groups())


def test_all_words_are_there() -> None:
    for word in (*get_args(Action), *get_args(Signal), *get_args(Role), *validator_names()):
        assert f"`{word}`" in PAGE


def test_chances_of_equal_pseudonyms_are_as_said() -> None:
    values, digits = 1_000, 6
    chance = 1 - math.exp(-values * (values - 1) / 2 / 16**digits)
    assert f"{chance:.0%}".replace("%", " %") in PAGE
    assert round(100 * (1 - math.exp(-(10_000**2) / 2 / 16**8)), 1) == 1.2
