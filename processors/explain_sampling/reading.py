"""Recorded traces out of files: OTLP/JSON lines, protobuf with lengths or without, folders of captures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path
from statistics import median_high
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import PenstockError, Rejected
from pipeline.signals import Batch, Signal, otlp_json
from pipeline.signals.intake import of_message, parse
from processors.demo.recordings import Recording

_TRUTH: Final = ".truth.json"
_BODIES: Final = (".binpb", ".otlp.jsonl")
_READ_IN_FOLDERS: Final = frozenset({".binpb", ".bin", ".pb", ".json", ".jsonl", ".otlp"})
_OTHER_SIGNALS: Final = (".logs.", ".metrics.")
_LENGTH_BYTES: Final = 4
# A line feed is the tag of the first field of a request, in protobuf.
_BEGINS_JSON: Final = frozenset({b"{", b" ", b"\t", b"\r"})
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_LARGEST_BYTES: Final = 1 << 30


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
    batches = ((export.received_unix_ns, of_message(Signal.TRACES, export.message())) for export in traces)
    return [Arrival(at_ns, batch.serialize()) for at_ns, batch in batches if batch.count]


def _of_file(path: Path) -> list[Arrival]:
    try:
        batches = list(_batches(path.read_bytes()))
    except (OSError, ValueError, Rejected) as error:
        raise PenstockError(f"{path}: {error}") from None
    return list(_in_order(batch for batch in batches if batch.count))


def _in_order(batches: Iterable[Batch]) -> Iterator[Arrival]:
    at_ns = 0
    for batch in batches:
        ends = [span.pb.end_time_unix_nano or span.pb.start_time_unix_nano for span in batch.records()]
        at_ns = max(at_ns, median_high(ends))
        yield Arrival(at_ns, batch.serialize())


def _batches(data: bytes) -> Iterator[Batch]:
    if data[:1] in _BEGINS_JSON:
        yield from _of_json(data)
    elif data[:1] == b"\0":
        # No field has the number 0: this is the length of what follows.
        for body in _framed(data):
            yield from _of_json(body) if body[:1] == b"{" else [parse(Signal.TRACES, body)]
    elif data:
        yield parse(Signal.TRACES, data)


def _framed(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(data[position:start], "big")
        if position > len(data):
            # The last request was being written when the file was taken.
            return
        body = data[start:position]
        yield _unpacked(body) if body.startswith(_ZSTD) else body


def _unpacked(body: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - few files are compressed

    try:
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=_LARGEST_BYTES)
    except zstandard.ZstdError:
        raise ValueError("a request of it is not zstd, or damaged") from None


def _of_json(data: bytes) -> Iterator[Batch]:
    for line in _json_requests(data):
        if "resourceSpans" in line.parsed:
            yield of_message(Signal.TRACES, otlp_json.decode(Signal.TRACES, line.text))


class _Json(NamedTuple):
    text: bytes
    parsed: dict[str, Any]


def _json_requests(data: bytes) -> list[_Json]:
    """One a line; or one that is written over many lines."""
    lines = [line for line in data.splitlines() if line.strip()]
    try:
        found = [_Json(line, orjson.loads(line)) for line in (lines if _is_json(lines[-1]) else lines[:-1])]
    except orjson.JSONDecodeError:
        found = []
    if not found:
        try:
            found = [_Json(data, orjson.loads(data))]
        except orjson.JSONDecodeError as error:
            raise ValueError(f"neither a request of OTLP/JSON nor one on each line: {error.msg}") from None
    if not all(isinstance(each.parsed, dict) for each in found):
        raise ValueError("no export requests of OTLP/JSON")
    return found


def _is_json(line: bytes) -> bool:
    """False for a last line that was being written when the file was taken."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
