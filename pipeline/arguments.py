"""Command-line arguments that several commands share."""

from __future__ import annotations

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Errors are one line on stderr and exit code 1, as the Collector's."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit."""
        self.exit(1, f"Error: {message}\n")


class _Refuse(argparse.Action):
    """`--feature-gates` with anything but nothing."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: argparse.Namespace, values: object, _option: object = None
    ) -> None:
        if values:
            parser.error("--feature-gates is not supported: Penstock has no feature gates (docs/deviations.md)")


def _workers(text: str) -> int:
    from pipeline.workers.count import worker_count  # noqa: PLC0415 - few runs have several

    try:
        return worker_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Take `--workers`, as `options.workers`."""
    parser.add_argument(
        "--workers", type=_workers, default=1, metavar="N",
        help="processes that share the ports and the work; auto: one per CPU (docs/workers.md)",
    )  # fmt: skip


def add_config(parser: argparse.ArgumentParser, use: str = "repeat it to lay one on another") -> None:
    """Take `--config` and `--set` any number of times, as `options.config` and `options.sets`."""
    parser.add_argument(
        "--config", action="append", default=[], metavar="URI", help=f"file, or file:, env: or yaml: URI; {use}"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets",
        help="set one key over the files, e.g. processors.batch.timeout=2s",
    )  # fmt: skip


def config_parser(prog: str, description: str | None) -> Parser:
    """A parser of a command that works on a configuration, see `add_config`."""
    parser = Parser(prog=prog, description=description, allow_abbrev=False)
    add_config(parser)
    parser.add_argument("--feature-gates", action=_Refuse, metavar="LIST", help="refused: there are no feature gates")
    return parser
