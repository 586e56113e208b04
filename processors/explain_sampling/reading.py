"""Recorded traces out of files: OTLP/JSON lines, protobuf with lengths or without, folders of captures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path
from statistics import median_high
from typing import Final, NamedTuple

from pipeline.errors import PenstockError, Rejected
from pipeline.signals import Batch, Signal
from pipeline.signals.intake import of_message
from processors.demo.files import batches
from processors.demo.recordings import Recording

_TRUTH: Final = ".truth.json"
_BODIES: Final = (".binpb", ".otlp.jsonl")
_READ_IN_FOLDERS: Final = frozenset({".binpb", ".bin", ".pb", ".json", ".jsonl", ".otlp"})
_OTHER_SIGNALS: Final = (".logs.", ".metrics.")


class Arrival(NamedTuple):
    """A request of spans, and when it came, by the clock of its recording."""

    at_ns: int
    raw: bytes


def arrivals(paths: Sequence[Path]) -> list[Arrival]:
    """The requests of all files, folders among them, in the order in which they came.

    Where a file does not say when a request came, that is when half of its spans had ended (a few wrong clocks then do
    no harm), and not before the request in front of it: what stands late in a file came late. Logs and metrics are
    left out.

    Raises:
        PenstockError: a file cannot be read, or is nothing that is known; nothing was recorded.
    """
    streams = [stream for path in paths for stream in _streams(path)]
    found = list(merge(*streams, key=lambda arrival: arrival.at_ns))
    if not found:
        raise PenstockError("no spans in what was given")
    return found


def _streams(path: Path) -> Iterator[list[Arrival]]:
    """One for each file, or recording."""
    if not path.is_dir():
        yield _of_file(path)
        return
    for found in sorted(path.rglob("*")):
        if found.name.endswith(_TRUTH):
            yield _of_recording(Recording(found.parent, found.name.removesuffix(_TRUTH)))
        elif found.suffix in _READ_IN_FOLDERS and found.is_file() and not _is_beside(found):
            yield _of_file(found)


def _is_beside(path: Path) -> bool:
    """Whether a file is read by way of the truth beside it, or of another signal."""
    if any(signal in path.name for signal in _OTHER_SIGNALS) or path.name == "manifest.json":
        return True
    scenario = path.name.split(".", maxsplit=1)[0]
    return path.name.endswith(_BODIES) and path.with_name(scenario + _TRUTH).exists()


def _of_recording(recording: Recording) -> list[Arrival]:
    traces = [export for export in recording.exports() if export.signal == Signal.TRACES.value]
    requests = ((export.received_unix_ns, of_message(Signal.TRACES, export.message())) for export in traces)
    return [Arrival(at_ns, batch.serialize()) for at_ns, batch in requests if batch.count]


def _of_file(path: Path) -> list[Arrival]:
    try:
        found = [batch for batch in batches(path.read_bytes()) if batch.signal is Signal.TRACES and batch.count]
    except (OSError, ValueError, Rejected) as error:
        raise PenstockError(f"{path}: {error}") from None
    return list(_in_order(found))


def _in_order(requests: Iterable[Batch]) -> Iterator[Arrival]:
    at_ns = 0
    for batch in requests:
        ends = [span.pb.end_time_unix_nano or span.pb.start_time_unix_nano for span in batch.records()]
        at_ns = max(at_ns, median_high(ends))
        yield Arrival(at_ns, batch.serialize())
