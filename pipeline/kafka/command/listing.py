"""`penstock dead-letter list`: where, when, why; what is in them only where it is asked for."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.component import Host
from pipeline.kafka.command.source import Found, Source


async def list_letters(
    options: argparse.Namespace, arguments: dict[str, Any], topics: Sequence[str], _host: Host
) -> int:
    """Print dead letters."""
    left = options.limit
    async with Source(arguments, topics, options.group) as source:
        async for found in source.read(reason=options.reason, replayed=not options.waiting):
            sys.stdout.writelines(lines(found, as_json=options.json, payload=options.payload))
            left -= 1
            if left == 0:
                break
        tell_others(source)
    return 0


def tell_others(source: Source) -> None:
    """Say how many records were met that are no dead letters."""
    if source.others:
        sys.stderr.write(f"{source.others} records in between are no dead letters\n")


def lines(found: Found, *, as_json: bool, payload: bool) -> Iterator[str]:
    """One line for a dead letter, and a few more for its payload."""
    if as_json:
        yield json.dumps(_as_dict(found, payload=payload), ensure_ascii=False) + "\n"
        return
    record, letter = found.record, found.letter
    origin = f"from {letter.topic}/{letter.partition}@{letter.offset}" if letter.topic else "from outside"
    told = [
        found.place, _time(found), letter.reason, letter.component, origin, f"attempt {letter.attempt}",
        f"{len(record.value or b'')} bytes", *(["replayed"] if found.is_replayed else []), letter.error,
    ]  # fmt: skip
    yield "\t".join(_printable(text) for text in told) + "\n"
    if payload:
        yield f"\tkey {record.key!r}\n"
        yield from (f"\theader {_printable(name)}={value!r}\n" for name, value in record.headers)
        yield f"\tvalue {record.value!r}\n"


def _printable(text: str) -> str:
    """One line that no terminal takes for more than text."""
    return "".join(char if char.isprintable() else " " for char in text)


def _time(found: Found) -> str:
    milliseconds = found.letter.time_unix_ms if found.letter.time_unix_ms is not None else found.record.timestamp
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "-"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_dict(found: Found, *, payload: bool) -> dict[str, Any]:
    record, letter = found.record, found.letter
    told = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "time": _time(found),
        "reason": letter.reason,
        "error": letter.error,
        "component": letter.component,
        "signal": letter.signal,
        "encoding": letter.encoding,
        "attempt": letter.attempt,
        "origin": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
        "size_bytes": len(record.value or b""),
        "replayed": found.is_replayed,
    }
    if payload:
        told["key_base64"] = _base64(record.key)
        told["value_base64"] = _base64(record.value)
        told["headers"] = [{"name": name, "value_base64": _base64(value)} for name, value in record.headers]
    return told


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()
