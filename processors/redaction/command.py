"""`penstock redact`: what would be redacted, and why."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from pipeline.arguments import Parser
from pipeline.config import load
from pipeline.errors import PenstockError
from pipeline.signals import Signal
from pipeline.telemetry.log import Log
from processors.redaction.collector_policy import CollectorPolicy
from processors.redaction.config import RedactionConfig
from processors.redaction.explain import ExplainingDetector, Explanation, Refusal, explanations
from processors.redaction.keys import KeyBook, labelled
from processors.redaction.layers import Finder, Limits, TooMuch
from processors.redaction.numbering import load_common_plans
from processors.redaction.policies import Policies, compile_policies
from processors.redaction.requests import RequestRedactor, requests_in
from processors.redaction.stages import pseudonym_key, rules_for
from processors.redaction.text import Redacted, TextRedactor
from processors.redaction.treatment import Treatment

_TYPE: Final = "redaction"
_ROLES: Final = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class _Report:
    text: str
    redacted: Redacted | None
    explained: list[Explanation]
    refused: list[Refusal]
    label: str = ""

    @property
    def output(self) -> str:
        """The text after redaction."""
        return self.redacted.text if self.redacted else self.text


def redact(argv: Sequence[str]) -> int:
    """Show what redaction makes of standard input, and why: rule, validator, context, position.

    Reads a text of any kind, or export requests in OTLP/JSON, one a line; of these every place is redacted as in a
    pipeline, and what was done is counted.
    """
    options = _parser().parse_args(argv)
    config = _config(options)
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    if requests := requests_in(text):
        return _redact_requests(requests, config, options)
    if not config.has_entities:
        raise PenstockError("the configuration has the Collector's keys alone: it looks for no entities (--entities)")
    report = _examined(text, config, options)
    if options.format == "json":
        sys.stdout.write(json.dumps(_as_json(report, options), ensure_ascii=False, indent=2) + "\n")
        return 0
    sys.stdout.write(report.output)
    sys.stdout.flush()
    if not options.quiet:
        gap = "" if report.output.endswith("\n") or not report.output else "\n"
        sys.stderr.write(gap + "".join(f"{line}\n" for line in _lines(report, options)))
    return 0


def _redact_requests(
    requests: Sequence[tuple[Signal, bytes]], config: RedactionConfig, options: argparse.Namespace
) -> int:
    redactor = RequestRedactor(config, options.pipeline)
    for signal, request in requests:
        sys.stdout.write(redactor.redact(signal, request) + "\n")
    sys.stdout.flush()
    if not options.quiet:
        sys.stderr.writelines(f"{line}\n" for line in sorted(redactor.counts()))
    return 0


def _examined(text: str, config: RedactionConfig, options: argparse.Namespace) -> _Report:
    load_common_plans()
    policies = compile_policies(config, options.pipeline, pseudonym_key(config, Log(logging.getLogger(__name__))))
    detector = ExplainingDetector(rules_for(policies.types, config.rules))
    finder = Finder(detector, Limits(config.max_value_bytes, config.max_value_hits))
    redactor = TextRedactor(finder)
    treatment, label = _treatment(policies, redactor, config, options)
    if treatment is None or CollectorPolicy(config).allows_value(text):
        return _Report(text, None, [], [])
    examined = labelled(label, text) if label else text
    try:
        found = finder.find(examined, treatment)
        explained = list(explanations(examined, found, treatment, detector))
    except TooMuch:
        explained = []
    refused = list(detector.refusals(examined))
    return _Report(examined, redactor.redact(examined, treatment), explained, refused, examined[: -len(text)])


def _treatment(
    policies: Policies, redactor: TextRedactor, config: RedactionConfig, options: argparse.Namespace
) -> tuple[Treatment | None, str]:
    """The treatment at the place that the options name, and the label that its key gives values."""
    treatment = policies.treatment(options.signal, options.place, options.attribute, options.role)
    if treatment is None or not options.attribute:
        return treatment, ""
    book = KeyBook(redactor, Treatment(policies.types), CollectorPolicy(config).ignores_key)
    label = book.label(options.attribute)
    if label is None:
        return None, ""
    return policies.identity(treatment) if options.attribute in book.identities else treatment, label


# --- what is printed


def _lines(report: _Report, options: argparse.Namespace) -> Iterator[str]:
    redacted = report.redacted
    if redacted is None:
        yield "Nothing is redacted."
    elif redacted.failed:
        yield "The whole value is replaced: it is beyond a limit (max_value_bytes, max_value_hits), or nested too deep."
    for item in report.explained:
        yield _line(report, item, options)
    if redacted is not None and len(redacted.entities) > len(report.explained):
        more = list(redacted.entities)[len(report.explained) :]
        yield f"Once these are replaced, more is found: {', '.join(more)}."
    if options.candidates:
        yield from (_refused_line(report, item, options) for item in report.refused)


def _line(report: _Report, item: Explanation, options: argparse.Namespace) -> str:
    facts = [f"rule {item.rule} ({item.provider})" if item.provider else f"rule {item.rule}"]
    facts += [f"passed {name}" for name in item.conditions]
    facts += [f'context "{item.context}"'] if item.context else []
    facts += [f"written {item.layer}"] if item.layer != "plain" else []
    facts += [f"value {item.value!r}"] if options.show_values else []
    shown = "the attribute is removed" if item.action == "drop" else item.shown
    where = _where(report, item.start, item.end)
    return f"{where}  {item.entity}  {', '.join(facts)}  ->  {item.action}: {shown}"


def _refused_line(report: _Report, item: Refusal, options: argparse.Namespace) -> str:
    value = f", value {item.value!r}" if options.show_values else ""
    where = "decoded" if item.start is None or item.end is None else _where(report, item.start, item.end)
    return f"{where}  not {item.entity}  rule {item.rule}: {item.reason}{value}"


def _where(report: _Report, start: int, end: int) -> str:
    """Line and column (from 1), and characters from the start, of the text as it was read."""
    offset = max(0, start - len(report.label))
    before = report.text[len(report.label) : len(report.label) + offset]
    line, column = before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
    return f"{line}:{column} ({offset}-{max(offset, end - len(report.label))})"


def _as_json(report: _Report, options: argparse.Namespace) -> dict[str, Any]:
    hidden = set() if options.show_values else {"value"}
    return {
        "text": report.output[len(report.label) :],
        "failed": bool(report.redacted and report.redacted.failed),
        "findings": [_fields(report, item, hidden) for item in report.explained],
        **({"refused": [_fields(report, item, hidden) for item in report.refused]} if options.candidates else {}),
    }


def _fields(report: _Report, item: Explanation | Refusal, hidden: set[str]) -> dict[str, Any]:
    shift = len(report.label)
    fields = {name: value for name, value in asdict(item).items() if name not in hidden}
    return fields | {name: max(0, fields[name] - shift) for name in ("start", "end") if fields[name] is not None}


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
    settings = load(options.config, options.sets).processors
    ours = {str(name): entry.config for name, entry in settings.items() if isinstance(entry.config, RedactionConfig)}
    name = options.processor or (next(iter(ours)) if len(ours) == 1 else _TYPE)
    if name not in ours:
        close = get_close_matches(name, ours, n=1)
        known = f"there are {', '.join(sorted(ours))}; choose with --processor" if ours else "it has no redaction"
        raise PenstockError(
            f'no processor "{name}" in the configuration: {f"did you mean {close[0]}?" if close else known}'
        )
    return ours[name]


def _parser() -> Parser:
    parser = Parser(prog="penstock redact", description=redact.__doc__, allow_abbrev=False)
    parser.add_argument("--config", action="append", default=[], metavar="URI", help="configuration; else our default")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets", help="set one key over the files"
    )
    parser.add_argument("--processor", metavar="ID", help="which redaction of the configuration, if it has several")
    parser.add_argument(
        "--entities", type=lambda text: text.split(","), metavar="LIST", help="types over the configuration: all,-PHONE"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one object, for programs")
    parser.add_argument("--quiet", "-q", action="store_true", help="print the redacted text only")
    parser.add_argument("--candidates", action="store_true", help="say what rules looked at and left alone, and why")
    parser.add_argument("--show-values", action="store_true", help="print the values, too; else they are not shown")
    parser.add_argument("--attribute", default="", metavar="KEY", help="the text is the value of this attribute")
    parser.add_argument("--signal", choices=("traces", "logs", "metrics"), default="traces", help="for policies")
    parser.add_argument("--place", default="span", help="for policies: span, span.name, event, log.body, ...")
    parser.add_argument("--role", choices=_ROLES, default="", help="for policies: the author of the text")
    parser.add_argument("--pipeline", default="", metavar="ID", help="for policies, e.g. traces/in")
    return parser
