"""`penstock explain-sampling`: what a configuration makes of recorded traces, and why."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.arguments import Parser
from pipeline.config import load
from pipeline.config.ids import ComponentId
from pipeline.config.settings import Settings
from pipeline.errors import PenstockError
from pipeline.signals import Signal
from pipeline.signals.intake import parse
from processors.explain_sampling.chain import in_front_of, through
from processors.explain_sampling.reading import Arrival, arrivals
from processors.explain_sampling.recorded import RecordedTrace, Recording
from processors.explain_sampling.replay import replay
from processors.explain_sampling.screen import difference_lines, summary_lines, trace_lines
from processors.explain_sampling.summary import Difference, Replayed, Rule, Summary, difference, summarise
from processors.sampling.thresholds import NEVER, threshold_digits
from processors.tail_sampling.config import TailSamplingConfig

_ID_DIGITS: Final = 32


@dataclass(frozen=True)
class _Run:
    """One configuration over the recording."""

    name: str
    recording: Recording
    replayed: Replayed
    summary: Summary


def explain_sampling(argv: Sequence[str]) -> int:
    """Replay recorded traces against the tail_sampling of one or two configurations: what is kept, by which rule, and
    how true the estimates are that the weights allow.
    """
    options = _parser().parse_args(argv)
    with _errors_alone():
        recorded = arrivals(options.files)
        runs = [_run("A" if options.against else "", options.config, options, recorded)]
        if options.against:
            runs.append(_run("B", options.against, options, recorded))
    if options.trace:
        return _explain_trace(options, runs)
    found = None
    if len(runs) > 1:
        found = difference(runs[0].recording, runs[0].replayed.fates, runs[1].replayed.fates)
    if options.format == "json":
        _write_json({"configurations": [_as_json(run) for run in runs], "difference": found and _both(found)})
    else:
        _write(_lines(runs, found))
    return 0


@contextmanager
def _errors_alone() -> Iterator[None]:
    """What processors say of single records is not what was asked for."""
    logger = logging.getLogger("penstock")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _run(letter: str, uris: list[str], options: argparse.Namespace, recorded: list[Arrival]) -> _Run:
    settings = load(uris, options.sets)
    name, config = _sampler(settings, options.processor)
    chain = in_front_of(settings, name) if options.chain else []
    if chain:
        recorded = asyncio.run(through(chain, settings.service.tenant_from, recorded))
    recording = Recording()
    for arrival in recorded:
        recording.add(parse(Signal.TRACES, arrival.raw))
    if not recording.traces:
        raise PenstockError("the processors in front of it drop all spans")
    done = replay(config, recorded, settings.service.tenant_from)
    title = f"{letter}: {name} of {', '.join(uris)}" if letter else f"{name} of {', '.join(uris)}"
    if chain:
        title += f", behind {', '.join(str(item.id) for item in chain)}"
    return _Run(title, recording, done, summarise(recording, done))


def _sampler(settings: Settings, wanted: str) -> tuple[ComponentId, TailSamplingConfig]:
    """The processor to replay against.

    Raises:
        PenstockError: there is none, or there are several and none is named.
    """
    found = {
        str(name): (name, entry.config)
        for name, entry in settings.processors.items()
        if isinstance(entry.config, TailSamplingConfig)
    }
    chosen = wanted or (next(iter(found)) if len(found) == 1 else "tail_sampling")
    if chosen not in found:
        known = f"there are {', '.join(found)}; choose with --processor" if found else "it has no tail_sampling"
        raise PenstockError(f'no processor "{chosen}" in the configuration: {known}')
    return found[chosen]


# --- what is printed


def _lines(runs: Sequence[_Run], found: Difference | None) -> Iterable[str]:
    for run in runs:
        yield from summary_lines(run.name, run.summary)
        yield ""
    if found is not None:
        yield from difference_lines(found)


def _explain_trace(options: argparse.Namespace, runs: Sequence[_Run]) -> int:
    for run in runs:
        trace = _trace(run.recording, options.trace)
        fate = run.replayed.fates.get(trace.trace_id)
        if options.format == "json":
            asked = {} if fate is None else {name: _t(threshold) for name, threshold in fate.asked.items()}
            told = None if fate is None else asdict(fate.decision) | {"threshold": _t(fate.decision.threshold)}
            _write_json({"name": run.name, "trace_id": trace.trace_id.hex(), "rules": asked, "decision": told})
        else:
            _write(trace_lines(run.name, trace, fate, run.summary.rules))
    return 0


def _trace(recording: Recording, wanted: str) -> RecordedTrace:
    """The trace whose id begins so."""
    found = [trace for trace_id, trace in recording.traces.items() if trace_id.hex().startswith(wanted.lower())]
    if len(found) != 1:
        said = f"ids of {len(found)} traces of the recording begin" if found else "no id of the recording begins"
        raise PenstockError(f"{said} with {wanted}")
    return found[0]


def _as_json(run: _Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "name": run.name,
        "recorded": asdict(summary.recorded),
        "kept": asdict(summary.kept),
        "undecided": summary.undecided,
        "inner": summary.inner,
        "late_spans_kept": summary.late_spans[0],
        "late_spans_dropped": summary.late_spans[1],
        "median_wait_s": summary.waits_s[0],
        "longest_wait_s": summary.waits_s[1],
        "rules": [_rule(rule) for rule in summary.rules],
        "unknown": asdict(summary.unknown),
        "estimates": [
            {
                "name": line.name,
                "truth": line.truth,
                "estimate": line.estimate.total,
                "error": line.estimate.error(line.truth),
                "margin": line.estimate.margin,
                "covers": line.estimate.covers(line.truth),
            }
            for line in summary.estimates
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    tree = asdict(rule) | {"thresholds": [_t(threshold) for threshold in rule.thresholds]}
    del tree["siblings"]
    return tree


def _both(found: Difference) -> dict[str, Any]:
    return {
        "both": asdict(found.both),
        "only_a": asdict(found.only[0]) | {"rules": found.rules[0]},
        "only_b": asdict(found.only[1]) | {"rules": found.rules[1]},
    }


def _t(threshold: int | None) -> str | None:
    """Digits of a threshold; null for what is none."""
    return None if threshold is None or not 0 <= threshold < NEVER else threshold_digits(threshold)


def _write_json(tree: dict[str, Any]) -> None:
    _write([json.dumps(tree, indent=2, ensure_ascii=False)])


def _write(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _parser() -> Parser:
    parser = Parser(prog="penstock explain-sampling", description=explain_sampling.__doc__, allow_abbrev=False)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE",
        help="recorded traces: OTLP/JSON lines, OTLP protobuf, what the file exporter writes, or a folder of these",
    )  # fmt: skip
    parser.add_argument(
        "--config", action="append", required=True, metavar="URI", help="configuration; repeat it to lay one on another"
    )
    parser.add_argument(
        "--against", action="append", default=[], metavar="URI", help="configuration to compare with, in the same way"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets", help="set one key over the files"
    )
    parser.add_argument("--processor", default="", metavar="ID", help="which tail_sampling, if there are several")
    parser.add_argument(
        "--chain", action="store_true", help="first send the spans through the processors in front of it"
    )
    parser.add_argument("--trace", type=_id, metavar="ID", help="explain one trace, by id or its beginning")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    return parser


def _id(text: str) -> str:
    if not 0 < len(text) <= _ID_DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        raise argparse.ArgumentTypeError(f"{text!r} is no trace id: up to 32 hexadecimal digits")
    return text
