"""`penstock demo`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import PenstockError
from processors.demo.backend import grpc_backend
from processors.demo.collector import Ports, quickstart
from processors.demo.recordings import CHECKOUT_FOLDER, Recording, load
from processors.demo.replay import Sender
from processors.demo.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

_WAIT_S: Final = 20.0
_LIVE_ROWS_S: Final = 0.5
_SHOWN_SCENARIO: Final = "pii_prompt"
_WIDTH: Final = 600


def demo(argv: Sequence[str]) -> int:
    """Show the main job on recorded LLM telemetry: start the quickstart collector, replay, one row per call."""
    options = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _run(load(options.recordings), once=options.once)
    except FileNotFoundError as error:
        sys.stderr.write(f"Error: {error}: `make demo` there, or `penstock replay` beside a collector that runs\n")
        return 1
    except PenstockError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="penstock demo", description=demo.__doc__)
    parser.add_argument("--once", action="store_true", help="end after the replay instead of waiting for live traffic")
    parser.add_argument("--recordings", type=Path, default=CHECKOUT_FOLDER, help="folder with recorded telemetry")
    return parser


def _run(recordings: list[Recording], *, once: bool) -> int:
    screen, ports = Screen(_show), Ports.free()
    with tempfile.TemporaryDirectory(prefix="penstock-demo-") as folder, grpc_backend(screen.take) as backend_port:
        for usual, port in ports.moved().items():
            _show(f"Port {usual} is taken: using {port} in its place.")
        with quickstart(ports, backend_port, Path(folder)):
            dialects = len({recording.dialect for recording in recordings})
            _show(f"Replaying {len(recordings)} recordings of {dialects} LLM instrumentations ...\n")
            complete = _replay(recordings, screen, ports.http)
            _summarise(screen, ports)
            if once:
                return 0 if complete else 1
            _watch(screen, ports)
    return 0


def _replay(recordings: list[Recording], screen: Screen, port: int) -> bool:
    """Send every recording and show its calls; returns whether all that was sent came out."""
    sent = Counter[str]()
    with Sender(port) as sender:
        for recording in recordings:
            exports = recording.exports()
            if recording.scenario == _SHOWN_SCENARIO:
                screen.remember(export.message() for export in exports if export.signal == "traces")
            sender.send(exports)
            sent.update(recording.truth["counts"])
            complete = screen.pump(_WAIT_S, until=partial(screen.totals.include, sent["spans"], sent["log_records"]))
            screen.flush()
    return complete


def _summarise(screen: Screen, ports: Ports) -> None:
    change = screen.change
    if change is not None:
        _show(f"\nOne attribute before and after redaction, {change.key}:")
        _show(f"  before: {change.before[:_WIDTH]}\n  after:  {change.after[:_WIDTH]}")
    _show(f"\n{screen.totals.line()}")
    _show(
        f"\nLLM metrics: http://localhost:{ports.llm_metrics}/metrics"
        f"\nown metrics: http://localhost:{ports.own_metrics}/metrics"
    )


def _watch(screen: Screen, ports: Ports) -> None:
    _show(
        f"Listening for OTLP on localhost:{ports.grpc} (gRPC) and localhost:{ports.http} (HTTP); Ctrl-C ends.",
    )
    while True:
        screen.pump(_LIVE_ROWS_S)
        screen.flush()


def _show(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
