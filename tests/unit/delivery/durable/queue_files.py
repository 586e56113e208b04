"""Queue files as the tests of what looks at them need them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from pipeline.config.ids import ComponentId
from pipeline.delivery.durable.file.names import file_name
from pipeline.delivery.durable.file.store import Row, Store
from pipeline.delivery.durable.record import encode_context
from pipeline.signals import Context, Signal
from pipeline.testing import traces

OTLP = ComponentId.parse("otlp")
CONTEXT = Context("otlp", "grpc", "192.0.2.1", {"tenant": ("a",)})


def row(number: int, stored_unix_ms: int = 0) -> Row:
    """A request of one span, whose attribute `id` is the number."""
    body = traces({"id": number}).serialize()
    return Row(number, 1, len(body), stored_unix_ms, encode_context(CONTEXT), body)


def written(path: Path, numbers: Iterable[int], stored_unix_ms: int = 0) -> Path:
    """A queue file with such requests, closed."""
    with closing(Store(path)) as store:
        store.write([row(number, stored_unix_ms) for number in numbers], ())
    return path


def queue_path(folder: Path, exporter: str = "otlp", signal: Signal = Signal.TRACES, worker: int = 0) -> Path:
    """Where the queue of an exporter is."""
    return folder / file_name(ComponentId.parse(exporter), signal, worker)


def ids_in(path: Path) -> list[int]:
    """Ids of the rows."""
    with closing(Store(path)) as store:
        return row_ids(store)


def row_ids(store: Store) -> list[int]:
    """Ids of the rows of an open file."""
    return [row_id for (row_id,) in store.connection.execute("SELECT id FROM requests ORDER BY id")]
