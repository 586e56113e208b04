"""The command line as a user types it."""

from __future__ import annotations

import sys
from importlib import metadata, util
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from pipeline.cli import main
from pipeline.errors import StartError

Capture = pytest.CaptureFixture[str]


def test_without_a_configuration(capsys: Capture) -> None:
    assert main([]) == 1
    assert capsys.readouterr().err == "Error: at least one config flag must be provided: --config FILE\n"


def test_a_missing_file(capsys: Capture) -> None:
    assert main(["--config", "nothing.yaml"]) == 1
    assert capsys.readouterr().err == 'Error: cannot read the file "nothing.yaml": No such file or directory\n'


def test_several_problems(capsys: Capture) -> None:
    assert main(["--config", "nothing.yaml", "--set", "a"]) == 1
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "Error: 2 problems:"
    assert len(rest) == 2


def test_running_hands_over_settings_and_a_way_to_read_them_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    settings: list[object] = []

    def fake_load(uris: list[str], sets: list[str]) -> tuple[str, ...]:
        return (*uris, *sets, path.read_text())

    def fake_run(loaded: object, reload: object) -> int:
        path.write_text("two")
        settings.extend([loaded, reload()])  # type: ignore[operator]  # it is a partial
        return 0

    path.write_text("one")
    monkeypatch.setattr("pipeline.config.load", fake_load)
    monkeypatch.setitem(sys.modules, "pipeline.process", SimpleNamespace(run=fake_run))
    assert main([f"--config={path}", "--config", "x", "--set=a=b"]) == 0
    assert settings == [(str(path), "x", "a=b", "one"), (str(path), "x", "a=b", "two")]


def test_an_error_at_start_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def fake_run(*_: object) -> int:
        raise StartError("otlp: port 4317 is in use")

    monkeypatch.setattr("pipeline.config.load", lambda *_: None)
    monkeypatch.setitem(sys.modules, "pipeline.process", SimpleNamespace(run=fake_run))
    assert main(["--config", "x"]) == 1
    assert capsys.readouterr().err == "Error: otlp: port 4317 is in use\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["valdate"], 'Error: unknown command "valdate"; did you mean "validate"?\n'),
        (
            ["--feature-gates=+x", "--config", "a"],
            "Error: --feature-gates is not supported: ",
        ),
        (["--nothing"], "Error: unrecognized arguments: --nothing\n"),
        (["validate", "--config"], "Error: argument --config: expected one argument\n"),
        (["print-config", "--format", "xml"], "Error: argument --format: invalid choice"),
        (["print-config", "--validate=maybe"], 'Error: argument --validate: "maybe" is neither true nor false\n'),
    ],
)
def test_misuse_is_one_line_and_exit_code_1(capsys: Capture, arguments: list[str], message: str) -> None:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    assert code == 1
    assert captured.err.startswith(message)
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_empty_feature_gates_are_no_error(capsys: Capture) -> None:
    assert main(["--feature-gates="]) == 1
    assert "at least one config flag" in capsys.readouterr().err


def test_version_and_help(capsys: Capture) -> None:
    for flag, expected in (
        ("--version", f"penstock version {metadata.version('penstock')}"),
        ("--help", "print-config"),
        ("--help", "price                 explain what a call costs\n"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([flag])
        assert stop.value.code == 0
        assert expected in capsys.readouterr().out


def test_commands_of_plug_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[list[str]] = []

    def command(argv: list[str]) -> int:
        received.append(argv)
        return 7

    entry = SimpleNamespace(name="brew", load=lambda: command)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry] if group == "penstock.commands" else [])
    assert main(["brew", "--strong", "tea"]) == 7
    assert received == [["--strong", "tea"]]


def test_a_foreign_package_of_the_same_name_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    foreign = tmp_path / "processors" / "__init__.py"
    monkeypatch.setattr(util, "find_spec", lambda _: SimpleNamespace(origin=str(foreign)))
    assert main(["components"]) == 1
    error = capsys.readouterr().err
    assert f'the package "processors" at {foreign} is not Penstock\'s' in error
    assert "comes first on the Python path" in error


def test_ctrl_c_ends_a_command_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_name: str) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli._built_in", interrupted)
    assert main(["components"]) == 130
