"""Arguments of `penstock dead-letter` that are refused before anything is connected to."""

from __future__ import annotations

import pytest

from pipeline.errors import PenstockError
from pipeline.kafka.command.dead_letter import dead_letter


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "penstock dead-letter list"),
        (["list"], "--config FILE, or --brokers"),
        (["list", "--brokers", "a:1"], "--brokers needs --topic"),
        (["replay", "--brokers", "a:1", "--config", "c.yaml"], "in place of --config"),
    ],
)
def test_what_is_missing(arguments: list[str], why: str) -> None:
    with pytest.raises(PenstockError, match=why):
        dead_letter(arguments)


@pytest.mark.parametrize("arguments", [["list", "--reason", "bad"], ["list", "--limit", "0"], ["replay", "--json"]])
def test_what_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        dead_letter(arguments)
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("Error: ")


def test_help_of_an_action_names_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        dead_letter(["replay", "--help"])
    out = capsys.readouterr().out
    assert "--config" in out
    assert "--dry-run" in out
