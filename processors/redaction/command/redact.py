"""`penstock redact`: what would be redacted, and why."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import ValidationError

from pipeline.arguments import Parser
from pipeline.config import load
from pipeline.errors import PenstockError
from pipeline.signals import Signal
from pipeline.telemetry.log import Log
from processors.redaction import policy_config
from processors.redaction.command.examiner import HOLDERS, Examiner, Place, Positions, Report, aligned
from processors.redaction.command.explain import Explanation, Refusal
from processors.redaction.command.requests import RequestRedactor, requests_in
from processors.redaction.config import RedactionConfig
from processors.redaction.stages import pseudonym_key
from processors.redaction.treatments.policies import compile_policies

_TYPE: Final = "redaction"
_NOTHING: Final = "Nothing is redacted."

# Bytes that are no UTF-8 come out as they came in.
_BYTES: Final = "surrogateescape"

# Options that say something of a single text, and their defaults.
_ABOUT_TEXTS: Final = {
    "format": "text", "candidates": False, "show_values": False, "attribute": "", "signal": "traces", "place": "span",
    "role": "",
}  # fmt: skip

# What `--set` is laid over where no file is given.
_ALONE: Final = (
    "yaml:{receivers: {nop: }, processors: {redaction: }, exporters: {nop: }, "
    "service: {pipelines: {traces: {receivers: [nop], processors: [redaction], exporters: [nop]}}}}"
)


def redact(argv: Sequence[str]) -> int:
    """Show what redaction makes of standard input, and why: rule, validator, context, position.

    Reads a text of any kind, or export requests in OTLP/JSON, one a line; of these every place is redacted as in a
    pipeline, and what was done is counted.
    """
    options = _parser().parse_args(argv)
    config = _config(options)
    text = sys.stdin.buffer.read().decode("utf-8", _BYTES)
    if requests := requests_in(text):
        return _redact_requests(requests, config, options)
    if not config.has_entities:
        raise PenstockError(
            "the configuration has the Collector's keys alone, which are about attributes: "
            "give an export request in OTLP/JSON, or name --entities"
        )
    report = _report(text, config, options)
    if options.format == "json":
        _write(json.dumps(_as_json(report, options), ensure_ascii=False, indent=2) + "\n", "replace")
        return 0
    _write(report.output, _BYTES)
    if not options.quiet:
        gap = "" if report.output.endswith("\n") or not report.output else "\n"
        sys.stderr.write(gap + "".join(f"{line}\n" for line in _lines(report, config, options)))
    return 0


def _write(text: str, errors: str) -> None:
    """To standard output in UTF-8, whatever the terminal is; lines end as they are."""
    sys.stdout.buffer.write(text.encode("utf-8", errors))
    sys.stdout.flush()


def _redact_requests(
    requests: Sequence[tuple[Signal, bytes]], config: RedactionConfig, options: argparse.Namespace
) -> int:
    if about_texts := [name for name in _ABOUT_TEXTS if getattr(options, name) != _ABOUT_TEXTS[name]]:
        raise PenstockError(
            f"--{about_texts[0].replace('_', '-')} is about a single text; the input is export requests in OTLP/JSON, "
            "which say themselves where each text stands"
        )
    redactor = RequestRedactor(config, options.pipeline)
    for signal, request in requests:
        _write(redactor.redact(signal, request) + "\n", "replace")
    if not options.quiet:
        rows = [(f"{count:.0f}", entity, f"in {place}: {action}") for entity, place, action, count in redactor.counts()]
        sys.stderr.writelines(f"{line}\n" for line in aligned(rows, right=1) or [_NOTHING])
        if config.dry_run:
            sys.stderr.write("dry_run is on: nothing was changed.\n")
    return 0


def _report(text: str, config: RedactionConfig, options: argparse.Namespace) -> Report:
    policies = compile_policies(config, options.pipeline, pseudonym_key(config, Log(logging.getLogger(__name__))))
    place = Place(options.signal, options.place, options.attribute, options.role)
    return Examiner(config, policies, place).examine(text)


# --- what is printed


def _lines(report: Report, config: RedactionConfig, options: argparse.Namespace) -> Iterator[str]:
    if not report.entities and not report.failed:
        yield _NOTHING
    if report.failed:
        yield "A whole value is replaced: it is beyond a limit (max_value_bytes, max_value_hits), or nested too deep."
    positions = Positions(report.text)
    yield from aligned([_row(positions, item, options) for item in report.explained])
    if len(report.entities) > len(report.explained):
        yield f"Once these are replaced, more is found: {', '.join(report.entities[len(report.explained) :])}."
    if options.candidates:
        yield from aligned([_refused_row(positions, item, options) for item in report.refused])
    if config.has_collector_keys:
        yield "The Collector's keys are about attributes, and are applied to export requests in OTLP/JSON only."
    if config.dry_run and report.entities:
        yield "dry_run is on: in a pipeline this is counted, and nothing is changed."


def _row(positions: Positions, item: Explanation, options: argparse.Namespace) -> tuple[str, ...]:
    facts = [f"rule {item.rule} ({item.provider})" if item.provider else f"rule {item.rule}"]
    facts += [f"passed {name}" for name in item.conditions]
    facts += [f'context "{item.context}"'] if item.context else []
    facts += [f"written {item.layer}"] if item.layer != "plain" else []
    facts += [f"said by {item.role}"] if item.role else []
    facts += [f"value {_printable(item.value)!r}"] if options.show_values else []
    removed = item.action == "drop" and options.place in HOLDERS
    shown = "the attribute is removed" if removed else _printable(item.shown)
    return positions.shown(item.start, item.end), item.entity, f"{', '.join(facts)}  ->  {item.action}: {shown}"


def _refused_row(positions: Positions, item: Refusal, options: argparse.Namespace) -> tuple[str, ...]:
    value = f", value {_printable(item.value)!r}" if options.show_values else ""
    return positions.shown(item.start, item.end), f"not {item.entity}", f"rule {item.rule}: {item.reason}{value}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _as_json(report: Report, options: argparse.Namespace) -> dict[str, Any]:
    hidden = set() if options.show_values else {"value"}
    return {
        "text": report.output,
        "failed": report.failed,
        "findings": [_fields(item, hidden) for item in report.explained],
        **({"refused": [_fields(item, hidden) for item in report.refused]} if options.candidates else {}),
    }


def _fields(item: Explanation | Refusal, hidden: set[str]) -> dict[str, Any]:
    return {name: value for name, value in asdict(item).items() if name not in hidden}


# --- options


def _config(options: argparse.Namespace) -> RedactionConfig:
    """The configuration of the processor, with `--entities` over it.

    Raises:
        PenstockError: there is none of that name, several and none is named, or the types are unknown.
    """
    config = _configured(options) if options.config or options.sets else RedactionConfig()
    if options.entities is None:
        return config
    wanted: Any = options.entities if len(options.entities) > 1 else options.entities[0]
    try:
        return RedactionConfig.model_validate(config.model_dump(exclude_unset=True) | {"entities": wanted})
    except ValidationError as error:
        raise PenstockError(f"--entities: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _configured(options: argparse.Namespace) -> RedactionConfig:
    settings = load(options.config or [_ALONE], options.sets).processors
    ours = {str(name): entry.config for name, entry in settings.items() if isinstance(entry.config, RedactionConfig)}
    name = options.processor or (next(iter(ours)) if len(ours) == 1 else _TYPE)
    if name not in ours:
        close = get_close_matches(name, ours, n=1)
        known = f"there are {', '.join(sorted(ours))}; choose with --processor" if ours else "it has no redaction"
        raise PenstockError(
            f'no processor "{name}" in the configuration: {f"did you mean {close[0]}?" if close else known}'
        )
    return ours[name]


def _types(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _parser() -> Parser:
    parser = Parser(prog="penstock redact", description=redact.__doc__, allow_abbrev=False)
    parser.add_argument("--config", action="append", default=[], metavar="URI", help="configuration; else our default")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets", help="set one key over the files"
    )
    parser.add_argument("--processor", metavar="ID", help="which redaction of the configuration, if it has several")
    parser.add_argument(
        "--entities", type=_types, metavar="LIST", help="types over the configuration: all,-PHONE or --entities=-PHONE"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object, for programs")
    parser.add_argument("--quiet", "-q", action="store_true", help="print the redacted text only")
    parser.add_argument("--candidates", action="store_true", help="say what rules looked at and left alone, and why")
    parser.add_argument("--show-values", action="store_true", help="print the values, too; else they are not shown")
    parser.add_argument("--attribute", default="", metavar="KEY", help="the text is the value of this attribute")
    parser.add_argument("--signal", choices=get_args(policy_config.Signal), default="traces", help="for policies")
    parser.add_argument(
        "--place", choices=get_args(policy_config.Place), default="span", metavar="PLACE",
        help="for policies: span, span.name, event, log.body, ...",
    )  # fmt: skip
    parser.add_argument(
        "--role", choices=get_args(policy_config.Role), default="", help="for policies: the author of the text"
    )
    parser.add_argument("--pipeline", default="", metavar="ID", help="for policies, e.g. traces/in")
    return parser
