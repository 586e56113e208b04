"""`penstock queue`: what is in the files of durable queues, and how it gets back into one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.arguments import Parser, add_config
from pipeline.extensions.file_storage.command.inspecting import inspect
from pipeline.extensions.file_storage.command.listing import list_files
from pipeline.extensions.file_storage.command.requeueing import requeue
from pipeline.extensions.file_storage.config import DEFAULT_DIRECTORY


def queue(argv: Sequence[str]) -> int:
    """Look into the files of durable queues, and put what is in them back into one."""
    options = _parser().parse_args(argv)
    return int(options.run(options))


def _parser() -> Parser:
    parser = Parser(prog="penstock queue", description=queue.__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _list_parser(commands.add_parser("list", help="the files, whose they are and what is in them"))
    _inspect_parser(commands.add_parser("inspect", help="the requests in one file"))
    _requeue_parser(commands.add_parser("requeue", help="put the requests of a file back into a queue"))
    return parser


def _list_parser(parser: argparse.ArgumentParser) -> None:
    add_config(parser, "its file_storage directories are listed, and what no exporter of it uses is an orphan")
    parser.add_argument("--directory", type=Path, metavar="DIR", help=f"default {DEFAULT_DIRECTORY}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=list_files)


def _inspect_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="any file that `penstock queue list` shows")
    parser.add_argument("--id", type=int, metavar="N", help="one request alone")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="requests to show (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--payload", action="store_true", help="print the requests, too, as OTLP/JSON")
    parser.set_defaults(run=inspect)


def _requeue_parser(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that no process works on")
    into = parser.add_mutually_exclusive_group(required=True)
    into.add_argument("--into", metavar="FILE", help="the queue file to put them into; it need not exist yet")
    into.add_argument("--exporter", metavar="ID", help="the exporter whose queue takes them")
    add_config(parser, "tells where the exporter's queue is; else it is beside FILE")
    parser.add_argument("--again", action="store_true", help="also for a corrupt file, of which the queue had the rest")
    parser.set_defaults(run=requeue)
