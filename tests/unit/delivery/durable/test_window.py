"""What of a backlog is in memory."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pipeline.delivery.durable.file.store import Store
from pipeline.delivery.durable.record import Record, decode_context
from pipeline.delivery.durable.window import Window
from pipeline.signals import Signal
from tests.unit.delivery.durable.queue_files import queue_path, row, written

MIB = 1 << 20


def test_tiny_requests_count_for_what_they_take_up_in_memory(tmp_path: Path) -> None:
    path = written(queue_path(tmp_path), range(1, 3000))
    with closing(Store(path)) as store:
        rows = store.read(0, MIB)
    assert 500 < len(rows) < 1024

    window = Window(MIB)
    for number in range(1, 3000):
        window.stored(Record.of_row(row(number), Signal.TRACES))
    assert 500 < window.horizon < 1024
    assert window.behind == 2999 - window.horizon


def test_equal_contexts_are_one_in_memory() -> None:
    first, second = (Record.of_row(row(number), Signal.TRACES) for number in (1, 2))
    assert first.context is second.context
    assert decode_context(row(1).context) is first.context
