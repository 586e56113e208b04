"""docs/cost.md: its configurations load, its examples say what it says, and its reasons are all that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
import yaml

from pipeline.config import load
from processors.gen_ai_cost import book, overrides, pricing, usage
from processors.gen_ai_cost.command import price
from processors.gen_ai_cost.names import PREPAID

PAGE: Final = (Path(__file__).parents[4] / "docs" / "cost.md").read_text(encoding="utf-8")
CONFIGS: Final = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES: Final = re.findall(r"```console\n\$ penstock price (.*?)\n(.*?)```", PAGE, re.DOTALL)
RUNNING: Final = {
    "receivers": {"otlp": {"protocols": {"grpc": None}}},
    "exporters": {"debug": None},
    "service": {
        "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["gen_ai_cost"], "exporters": ["debug"]}}
    },
}


def whole(config: str) -> str:
    return "yaml:" + yaml.safe_dump(yaml.safe_load(config) | RUNNING)


@pytest.mark.parametrize("config", CONFIGS)
def test_configurations_load(config: str) -> None:
    load([whole(config)], environ={})


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_examples_say_what_stands_there(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    long = next(config for config in CONFIGS if "overrides" in config)
    assert price([whole(long) if word == "example.yaml" else word for word in shlex.split(command)]) == 0
    assert without_versions(capsys.readouterr().out) == without_versions(output)


def without_versions(text: str) -> str:
    return re.sub(r"(genai-prices[- ])[\d.]+\d|(corrections )[\d-]+", r"\1\2", text)


def test_all_reasons_are_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Why a call")[2], re.MULTILINE))
    modules = (book, overrides, pricing, usage)
    code = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    data = (Path(book.__file__).parent / "names.yaml").read_text(encoding="utf-8")
    said = set(re.findall(r'(?:return|Unpriced\(|else) ?"([a-z]+_[a-z_]+)"', code))
    said |= set(re.findall(r"unpriced: (\w+)", data)) | PREPAID
    assert {"no_usage", "partial_usage", "unknown_model", "router"} <= said <= listed
