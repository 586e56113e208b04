"""The command line: `penstock --config FILE` runs; subcommands look at configurations and components."""

from __future__ import annotations

import argparse
import os
import re
import sys
from functools import partial
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.arguments import add_workers, config_parser
from pipeline.errors import ConfigError, PenstockError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.config.settings import Settings

_COMMANDS_GROUP: Final = "penstock.commands"
_INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells say it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code: 0, 130 after Ctrl-C, 1 after any error, whose text is on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Workers are started as this process was.
    itself = sys.orig_argv[1:] if argv is None else ["-m", "pipeline", *arguments]
    try:
        _check_packages()
        return _dispatch(arguments, [sys.executable, *itself])
    except PenstockError as error:
        sys.stderr.write(_error_text(error))
    except BrokenPipeError:
        # The reader of our output (`| head`) is gone; point stdout away so that the interpreter's flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 1


def _error_text(error: PenstockError) -> str:
    count = len(error.problems) if isinstance(error, ConfigError) else 1
    return f"Error: {error}\n" if count == 1 else f"Error: {count} problems:\n{error}\n"


def _dispatch(arguments: list[str], itself: Sequence[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        return _run(arguments, itself)
    name, *rest = arguments
    commands = _commands()
    if name in commands:
        return commands[name]()(rest)
    from pipeline.config.suggest import hint  # noqa: PLC0415 - only a mistyped command needs it

    sys.stderr.write(f'Error: unknown command "{name}"{hint(name, commands)}\n')
    return 1


def _commands() -> dict[str, Callable[[], Callable[[list[str]], int]]]:
    """Every subcommand by name, each as a function that loads it."""
    plugins = {entry.name: entry.load for entry in metadata.entry_points(group=_COMMANDS_GROUP)}
    return plugins | {name: partial(_built_in, name) for name in _BUILT_IN}


def _built_in(name: str) -> Callable[[list[str]], int]:
    from pipeline import commands  # noqa: PLC0415 - plug-in commands and `--help` do without pydantic

    command: Callable[[list[str]], int] = getattr(commands, name.replace("-", "_").replace("initial_", ""))
    return command


_BUILT_IN: Final = {
    "validate": "check a configuration: one row per key",
    "components": "list the installed components",
    "schema": "print the JSON Schema of the file, for editors",
    "print-config": "print the effective configuration, defaults filled in",
    "print-initial-config": "the same (the Collector's other name)",
    "docs": "write one Markdown page per component",
}


def _check_packages() -> None:
    """`pipeline` and `processors` are common names: a package of another project may come first on the path.

    Raises:
        PenstockError: `processors` is not the one that belongs to this `pipeline`.
    """
    home = Path(__file__).resolve().parents[1]
    spec = util.find_spec("processors")
    origin = Path(spec.origin).resolve() if spec and spec.origin else None
    if origin is None or origin.parents[1] != home:
        raise PenstockError(
            f'the package "processors" at {origin or "(nowhere)"} is not Penstock\'s, which is in {home}; '
            "another package of this name comes first on the Python path"
        )


def _run(arguments: list[str], itself: Sequence[str]) -> int:
    parser = config_parser("penstock", "The OpenTelemetry-style collector for LLM telemetry.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.usage = "penstock --config URI [--config URI ...] [--set KEY=VALUE ...] | penstock COMMAND ..."
    if {"-h", "--help"} & {*arguments}:
        parser.epilog = _overview()
    version = f"penstock version {metadata.version('penstock')}"
    parser.add_argument("--version", "-v", action="version", version=version)
    add_workers(parser)
    options = parser.parse_args(arguments)
    return _serve(options.config, options.sets, options.workers, itself)


def _serve(config: Sequence[str], sets: Sequence[str], workers: int, itself: Sequence[str]) -> int:
    """Run alone, as one of several workers, or as their parent."""
    from pipeline.config import load  # noqa: PLC0415 - `--help` and `--version` do without pydantic
    from pipeline.worker import CONTROL_VARIABLE, Worker  # noqa: PLC0415 - as above
    from pipeline.workers.sharing import check_sharing  # noqa: PLC0415 - as above

    is_worker = CONTROL_VARIABLE in os.environ
    count = Worker.of_environment().count if is_worker else workers

    def read() -> Settings:
        settings = load(config, sets)
        check_sharing(settings, count)
        return settings

    settings = read()
    if count > 1 and not is_worker:
        from pipeline.workers.parent import run_workers  # noqa: PLC0415 - needed only here

        return run_workers(settings, read, workers, itself)
    from pipeline.process import run  # noqa: PLC0415 - the engine is loaded only to run it

    if not is_worker:
        return run(settings, read)
    from pipeline.workers.child import ParentLink  # noqa: PLC0415 - needed only here

    return run(settings, read, ParentLink.of_environment().attend)


def _overview() -> str:
    plugins = {entry.name: _summary(entry.load()) for entry in metadata.entry_points(group=_COMMANDS_GROUP)}
    lines = [f"  {name:<22}{text}".rstrip() for name, text in sorted((plugins | _BUILT_IN).items())]
    return "\n".join(["commands (each has --help):", *lines])


def _summary(command: Callable[[list[str]], int]) -> str:
    """The beginning of a docstring, as the texts above."""
    words = re.split("[.:\n]", (command.__doc__ or "").strip(), maxsplit=1)[0]
    return words[:1].lower() + words[1:]
