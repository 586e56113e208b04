"""`penstock queue inspect`: the requests in one file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pipeline.delivery.durable.file.look import Look
from pipeline.delivery.durable.file.store import Head, Row
from pipeline.delivery.durable.record import decode_context
from pipeline.errors import PenstockError
from pipeline.extensions.file_storage.command.configured import queue_file
from pipeline.extensions.file_storage.command.printing import age, print_json, print_rows, seconds_since
from pipeline.signals import Signal
from pipeline.signals.otlp_json.encode import encode


def inspect(options: argparse.Namespace) -> int:
    """Show the requests of a file, bodies only where they are asked for."""
    signal = queue_file(options.file).signal
    with Look(options.file) as look:
        if look.layout is None:
            sys.stderr.write("Warning: SQLite does not read this file; shown is what its pages hold\n")
        if options.id is None:
            heads = look.heads()
            shown = list(islice(heads, options.limit))
            rest = sum(1 for _ in heads)
        else:
            found = look.row(options.id)
            if found is None:
                raise PenstockError(f"{options.file} has no request {options.id}; `penstock queue inspect` lists them")
            shown, rest = [found.head], 0
        trees = list(_described(look, shown, signal, with_payload=options.payload))
    if options.json or options.payload:
        print_json(trees)
    else:
        print_rows([("ID", "AGE", "ITEMS", "BYTES", "CONTEXT"), *map(_inspected, trees)])
        if rest:
            sys.stdout.write(f"... and {rest} more; --limit shows more\n")
    return 0


def _described(look: Look, heads: Iterable[Head], signal: Signal, *, with_payload: bool) -> Iterator[dict[str, Any]]:
    for head in heads:
        tree: dict[str, Any] = {
            "id": head.id,
            "age_s": seconds_since(head.stored_unix_ms),
            "items": head.items,
            "bytes": head.body_bytes,
            "context": _context_keys(head.context),
        }
        if with_payload:
            tree["payload"] = _payload(look.row(head.id), signal)
        yield tree


def _context_keys(text: str) -> list[str]:
    """What is known of where a request came from; values may be secrets."""
    context = decode_context(text)
    fields = [name for name in ("receiver", "transport", "peer") if getattr(context, name)]
    return [*fields, *(f"metadata.{key}" for key in context.metadata)]


def _payload(row: Row | None, signal: Signal) -> Any:
    """The request as OTLP/JSON; None where it is gone meanwhile, or damaged."""
    if row is None or not row.is_whole:
        return None
    return json.loads(encode(signal.request_class.FromString(row.body)))


def _inspected(tree: dict[str, Any]) -> tuple[str, ...]:
    return str(tree["id"]), age(tree["age_s"]), str(tree["items"]), str(tree["bytes"]), " ".join(tree["context"])
