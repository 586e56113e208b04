"""Subcommands that look at configurations and components."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.arguments import Parser, add_workers, config_parser
from pipeline.config import effective, listing, reference, report
from pipeline.config import schema as file_schema
from pipeline.config.catalog import KINDS, InstalledComponents
from pipeline.config.examination import Examination
from pipeline.config.loading import examine
from pipeline.config.text import to_yaml
from pipeline.workers.sharing import check_sharing


def validate(arguments: list[str]) -> int:
    """Check a configuration: one row per key, honoured or refused, and why."""
    parser = config_parser("penstock validate", validate.__doc__)
    parser.add_argument("--quiet", "-q", action="store_true", help="print errors only, as the Collector does")
    add_workers(parser)
    options = parser.parse_args(arguments)
    examination = examine(options.config, options.sets)
    if not options.quiet:
        sys.stdout.writelines(f"{row}\n" for row in report.rows(examination))
        sys.stdout.flush()
    _warn(examination)
    check_sharing(examination.settings(), options.workers)
    if not options.quiet:
        sys.stdout.write("OK\n")
    return 0


def _warn(examination: Examination) -> None:
    sys.stderr.writelines(f"Warning: {warning}\n" for warning in examination.warnings)


def components(arguments: list[str]) -> int:
    """List the installed components: kind, signals, aliases, what each does."""
    parser = Parser(prog="penstock components", description=components.__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of YAML")
    options = parser.parse_args(arguments)
    version = metadata.version("penstock")
    tree: dict[str, Any] = {"buildinfo": {"command": "penstock", "version": version}}
    tree |= {kind: [] for kind in KINDS}
    for entry in listing.entries(InstalledComponents()):
        tree[entry.kind].append(entry.as_dict())
    if options.json:
        _print_json(tree)
    else:
        sys.stdout.write(to_yaml(tree, sort_keys=False))
    return 0


def _print_json(tree: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(tree, indent=2, ensure_ascii=False) + "\n")


def schema(arguments: list[str]) -> int:
    """Print the JSON Schema of the configuration file, for editors."""
    Parser(prog="penstock schema", description=schema.__doc__).parse_args(arguments)
    _print_json(file_schema.schema(InstalledComponents()))
    return 0


def print_config(arguments: list[str]) -> int:
    """Print the effective configuration: every default filled in, secrets masked."""
    parser = config_parser("penstock print-config", print_config.__doc__)
    parser.add_argument("--format", choices=("yaml", "json"), default="yaml", help="yaml (default) or json")
    parser.add_argument("--mode", choices=("redacted", "unredacted"), default="redacted", help="mask secrets, or not")
    parser.add_argument(
        "--validate", type=_flag, nargs="?", const=True, default=True, metavar="BOOL",
        help="stop at errors (default true); false prints what could be read",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    examination = examine(options.config, options.sets)
    _warn(examination)
    if options.validate:
        examination.settings()
    tree = effective.effective(examination, unredacted=options.mode == "unredacted")
    sys.stdout.write(effective.render(tree, options.format))
    return 0


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f'"{text}" is neither true nor false')
    return text.lower() in ("true", "1")


def docs(arguments: list[str]) -> int:
    """Write one Markdown page per component to a folder."""
    parser = Parser(prog="penstock docs", description=docs.__doc__)
    parser.add_argument("folder", type=Path, help="where the pages go; pages of components that are gone are removed")
    options = parser.parse_args(arguments)
    sys.stdout.writelines(f"{path}\n" for path in reference.write(InstalledComponents(), options.folder))
    return 0
