"""`penstock replay`."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pipeline.arguments import Parser
from pipeline.config import parse_duration
from processors.demo.recorded import recorded
from processors.demo.replay import Endpoint
from processors.demo.replaying import Replay

_HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
_TIMEOUT_S: Final = 10.0


def replay(argv: Sequence[str]) -> int:
    """Send recorded LLM telemetry to a collector over OTLP/HTTP, as if it happened now: each pass has trace ids of its
    own and the times of now. A request that is refused for the moment is sent again, for a minute. It ends with what
    was sent and what was refused; the exit code is 1 where something was refused, or nothing was sent.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        endpoint = Endpoint(options.to, {**_from_environment(), **dict(options.header)}, _TIMEOUT_S)
    except ValueError as error:
        parser.error(f"--to: {error}")
    recording = recorded(options.files)
    is_over, started_s = _until(options.duration), time.monotonic()
    with endpoint:
        run = Replay(endpoint, recording, rate=options.rate, is_over=is_over)
        run.run(loop=options.loop or options.duration is not None)
    sys.stdout.write(f"{run.tally.line(time.monotonic() - started_s)}\n")
    return 1 if run.tally.refused.total() or not run.tally.sent.total() else 0


def _until(duration_s: float | None) -> Callable[[], bool]:
    """Whether it is time to end: so many seconds from now, or once SIGTERM or SIGINT has come."""
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stopped.append(received))
    end_s = None if duration_s is None else time.monotonic() + duration_s
    return lambda: bool(stopped) or (end_s is not None and time.monotonic() >= end_s)


def _from_environment() -> dict[str, str]:
    """Headers as the OpenTelemetry SDKs take them, so that a token need not stand in a command line."""
    pairs = (part.partition("=") for part in os.environ.get(_HEADERS, "").split(",") if "=" in part)
    return {name.strip(): urllib.parse.unquote(value.strip()) for name, _, value in pairs}


def _parser() -> Parser:
    parser = Parser(prog="penstock replay", description=replay.__doc__, allow_abbrev=False)
    add = parser.add_argument
    add(
        "files", nargs="*", type=Path, metavar="FILE",
        help="what `file` wrote, OTLP in JSON or protobuf (`.logs.` in the name of protobuf with logs), or a folder of "
        "recordings; if none is given, those inside the package",
    )  # fmt: skip
    add("--to", default="http://localhost:4318", metavar="URL", help="OTLP/HTTP endpoint; http://localhost:4318")
    add("--rate", type=_rate, metavar="SPANS", help="spans a second; if not given, as many as are taken")
    add("--loop", action="store_true", help="begin again at the end, until SIGTERM or Ctrl-C")
    add("--for", dest="duration", type=_duration, metavar="TIME", help="go on for so long, such as 90s or 10m")
    add(
        "--header", action="append", default=[], type=_header, metavar="NAME=VALUE",
        help=f"send this header, too; repeat it for more. {_HEADERS} is read, too",
    )  # fmt: skip
    return parser


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if 0 < rate < math.inf:
        return rate
    raise argparse.ArgumentTypeError(f'"{text}" is no number of spans above 0')


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f'"{text}" is not NAME=VALUE')
    return name, value
