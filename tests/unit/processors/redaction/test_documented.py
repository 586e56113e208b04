"""docs/redaction.md: its table is that of the types, its configurations load, its examples say what stands there."""

from __future__ import annotations

import hmac
import io
import json
import math
import re
import shlex
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import yaml

from pipeline.config import load
from pipeline.signals import Batch, LogRecord
from pipeline.testing import configured, logs, metrics, traces
from processors.redaction.command.redact import redact
from processors.redaction.knowledge.entities import load_groups, load_types
from processors.redaction.knowledge.treatment import Action
from processors.redaction.policy_config import Role, Signal
from processors.redaction.processor import Redaction
from processors.redaction.treatments.user_rules import validator_names

MAIL: Final = "jane.sample@example.com"
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


def recipe(name: str) -> dict[str, Any]:
    configs = (yaml.safe_load(config)["processors"] for config in CONFIGS)
    settings = next(config[f"redaction/{name}"] for config in configs if f"redaction/{name}" in config)
    return {key: "k" * 32 if key == "hmac_key" else value for key, value in settings.items()}


def after(name: str, batch: Batch) -> dict[str, Any]:
    configured(Redaction, **recipe(name)).process(batch)
    return dict(batch.records()[0].attributes)


def test_recipe_of_prompts() -> None:
    messages = [{"role": who, "content": f"My name is Jane Sample, mail {MAIL}"} for who in ("system", "user")]
    new = after("prompts", traces({"gen_ai.input.messages": json.dumps(messages), "note": f"Jane Sample, {MAIL}"}))
    system, user = (message["content"] for message in json.loads(new["gen_ai.input.messages"]))
    assert system == f"My name is Jane Sample, mail {MAIL}"
    assert user == "My name is <PERSON>, mail <EMAIL>"
    assert new["note"] == "Jane Sample, <EMAIL>"


def test_recipe_of_users() -> None:
    new = after("users", traces({"user.id": "u-77", "enduser.id": "u-77", "to": MAIL}))
    assert new["user.id"] == new["enduser.id"] == hmac.digest(b"k" * 32, b"u-77", "sha256").hex()
    assert new["to"] == "<EMAIL>"


def test_recipe_of_the_network() -> None:
    new = after("network", traces({"a": "10.1.2.3", "b": "from 192.168.0.7 to 203.0.113.42", "c": "fd12:3456::1"}))
    assert (new["a"], new["b"], new["c"]) == ("10.1.2.3", "from 192.168.0.7 to <IP_ADDRESS>", "fd12:3456::1")


def test_recipe_of_staff() -> None:
    new = after("staff", traces({"staff.number": "12345678", "text": "employee number 12345678", "order": "12345678"}))
    assert (new["staff.number"], new["text"], new["order"]) == ("******78", "employee number ******78", "12345678")


def test_recipe_of_the_rest() -> None:
    card = {"note": "card 4242 4242 4242 4242", "to": MAIL}
    assert after("rest", traces(card)) == {"to": "<EMAIL>", "penstock.redaction.count": 2}
    batch, points = logs(f"mail {MAIL}"), metrics({"requests": [1]})
    points.records()[0].attributes["to"] = MAIL
    after("rest", batch)
    record = batch.records()[0]
    assert isinstance(record, LogRecord)
    assert re.fullmatch("mail <EMAIL:[0-9a-f]{6}>", str(record.body))
    assert after("rest", points)["to"] == MAIL


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
