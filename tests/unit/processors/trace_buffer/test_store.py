"""The store: whatever is compressed, spilled, taken or forgotten, traces come back as they were and sums are right."""

from __future__ import annotations

import gc
import os
import random
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signals import LEDGER, Delivery, Outcome
from processors.trace_buffer.store import Store, StoreSettings
from processors.trace_buffer.trace import Trace

KIB = 1 << 10
MIB = 1 << 20
SOFT = b"soft text " * 1000
HARD = random.Random(1).randbytes(3 * MIB)


@pytest.fixture(autouse=True)
def _ledger_is_even() -> Iterator[None]:
    if LEDGER.resting_bytes:
        # Stores of other tests, in circles.
        gc.collect()
    before = LEDGER.resting_bytes
    yield
    assert LEDGER.resting_bytes == before


class Held:
    """A store and what must be in it."""

    def __init__(self, max_bytes: int = MIB, **settings: Any) -> None:
        self.failures: list[OSError] = []
        self.store = Store(StoreSettings(max_bytes, **settings), self.failures.append)
        self.delivery = Delivery()
        self.traces: dict[int, Trace] = {}
        self.expected: dict[int, list[tuple[bytes, bytes]]] = {}

    def add(self, number: int, body: bytes, head: bytes = b"") -> None:
        trace = self.traces.get(number)
        if trace is None:
            trace = self.traces[number] = Trace(number.to_bytes(16, "big"), 0, 0.0, [])
        self.store.add(trace, self.store.heads.get(b"", b"resource", head), body, 1, self.delivery)
        self.expected.setdefault(number, []).append((head, body))

    def check(self, number: int) -> None:
        pieces = list(self.store.pieces(self.traces[number]))
        expected = self.expected[number]
        assert _merged((head.scope, body) for head, body, _ in pieces) == _merged(expected)
        assert sum(count for _, _, count in pieces) == len(expected)

    def forget(self, number: int) -> None:
        trace = self.traces.pop(number)
        del self.expected[number]
        self.store.forget(trace)
        for delivery in trace.deliveries:
            delivery.end(Outcome.DROPPED)

    def end(self) -> None:
        """Everything is there, and nothing is held behind it."""
        for number in list(self.traces):
            self.check(number)
            self.forget(number)
        self.store.enter()
        assert self.store.held_bytes == 0
        assert self.store.spill.disk_bytes == 0
        self.delivery.end(Outcome.DELIVERED)
        assert self.delivery.resolved


def _merged(pieces: Any) -> list[tuple[bytes, bytes]]:
    merged: list[tuple[bytes, bytes]] = []
    for head, body in pieces:
        if merged and merged[-1][0] == head:
            merged[-1] = head, merged[-1][1] + body
        else:
            merged.append((head, body))
    return merged


numbers = st.integers(0, 5)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), numbers, st.integers(0, 700_000), st.booleans(), st.sampled_from([b"", b"x"])),
        st.tuples(st.just("forget"), numbers),
        st.tuples(st.just("check"), numbers),
        st.tuples(st.just("relieve")),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(steps, st.sampled_from([0, 16 * KIB]), st.sampled_from([0, 100 * KIB, 64 * MIB]))
def test_traces_come_back_as_they_were(steps: list[Any], above: int, disk: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        held = Held(compress_above_bytes=above, spill_directory=folder if disk else "", spill_max_bytes=disk)
        for step, *arguments in steps:
            if step == "add":
                number, size, is_hard, head = arguments
                held.add(number, (HARD if is_hard else SOFT * 100)[:size], head)
            elif step == "relieve":
                held.store.relieve()
            elif arguments[0] in held.traces:
                getattr(held, step)(arguments[0])
        held.end()


def test_pieces_without_bytes_are_accounted_for_when_they_are_packed() -> None:
    held = Held()
    for size in (0, 0, 311_872, 179_523):
        held.add(0, (SOFT * 100)[:size])
    held.end()


def test_what_is_compressed_takes_less_memory() -> None:
    held = Held()
    for number in range(60):
        held.add(number % 3, SOFT)
        held.add(number % 3, SOFT)
    assert held.store.relief.packed_bytes > 500 * KIB
    assert held.store.held_bytes < 600 * KIB
    held.end()


def test_nothing_is_compressed_below_half() -> None:
    held = Held()
    for _ in range(40):
        held.add(1, SOFT)
    assert held.store.relief.packed_bytes == 0
    held.end()


def test_small_traces_are_not_compressed() -> None:
    held = Held()
    for number in range(80):
        held.add(number, SOFT)
    assert held.store.relief.packed_bytes == 0
    assert held.store.pressure > 0.75
    held.end()


def test_every_byte_is_compressed_once() -> None:
    held = Held()
    for _ in range(300):
        held.add(1, HARD[: 10 * KIB])
    for _ in range(100):
        held.store.relieve()
    assert held.store.relief.packed_bytes <= 3000 * KIB
    held.end()


def test_a_large_piece_is_compressed_in_steps() -> None:
    held = Held()
    held.add(1, SOFT * 300)
    for _ in range(10):
        held.store.relieve()
    assert held.store.relief.packed_bytes == len(SOFT) * 300
    assert held.store.held_bytes < 100 * KIB
    held.add(1, SOFT)
    held.end()


def test_a_trace_may_go_while_it_is_compressed() -> None:
    held = Held()
    held.add(1, HARD)
    assert held.store.relief.packed_bytes == 0
    held.forget(1)
    held.add(2, SOFT * 60)
    held.store.relieve()
    assert held.store.relief.packed_bytes == len(SOFT) * 60
    held.end()


def test_what_memory_has_no_room_for_goes_to_disk(tmp_path: Path) -> None:
    held = Held(spill_directory=str(tmp_path), spill_max_bytes=64 * MIB)
    for number in range(400):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.store.spill.disk_bytes > 2 * MIB
    assert held.store.held_bytes < MIB
    assert list(tmp_path.iterdir()) == []
    held.end()


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    held = Held(spill_directory=str(tmp_path / "made"), spill_max_bytes=64 * MIB)
    for number in range(200):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.store.spill._open is not None
    status = os.fstat(held.store.spill._open.file.fileno())
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_nlink == 0
    assert (tmp_path / "made").stat().st_mode & 0o077 == 0
    held.end()


def test_the_disk_is_used_up_to_its_bound(tmp_path: Path) -> None:
    held = Held(spill_directory=str(tmp_path), spill_max_bytes=500 * KIB)
    for number in range(400):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert 400 * KIB < held.store.spill.disk_bytes <= 500 * KIB
    assert held.store.pressure > 1
    assert held.failures == []
    held.end()


def test_a_failing_disk_only_means_no_spilling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(spill_directory=str(tmp_path), spill_max_bytes=64 * MIB)
    full = OSError(28, "No space left on device")

    def fail(*_: object) -> int:
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        for number in range(200):
            held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.failures == [full]
    # It holds the frames it went through, and so a head.
    full.__traceback__ = None
    for number in range(40):
        held.forget(number)
    for number in range(200):
        held.add(100 + number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.store.relief.spilled_bytes > 0
    held.end()


def test_a_folder_that_cannot_be_used_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Held(spill_directory=str(tmp_path / "file"), spill_max_bytes=MIB)


def test_one_part_of_a_handle_for_all_pieces_of_a_request() -> None:
    held = Held()
    held.add(1, b"a")
    held.add(2, b"b")
    held.add(1, b"c")
    assert held.traces[1].deliveries == [held.delivery]
    assert held.delivery.held == 2
    held.end()
    assert held.delivery.held == 0


def test_size_and_count_of_a_trace() -> None:
    held = Held()
    held.add(1, b"12345", b"x")
    held.add(1, b"12345", b"x")
    assert held.traces[1].size_bytes == 10 + len(b"resource") + 1
    assert held.traces[1].span_count == 2
    held.end()


def test_the_ledger_knows_what_waits() -> None:
    before = LEDGER.resting_bytes
    held = Held(64 * MIB)
    held.add(1, HARD)
    assert LEDGER.resting_bytes - before >= len(HARD)
    held.end()


def test_many_traces_go_at_once(tmp_path: Path) -> None:
    held = Held(MIB, compress_above_bytes=10 * KIB, spill_directory=str(tmp_path), spill_max_bytes=MIB)
    for number in range(40):
        for piece in range(1 + number % 3):
            held.add(number, HARD[number * KIB :][: KIB << number % 7], head=bytes(piece))
    assert held.store.spill.disk_bytes
    stays = held.traces.pop(39)
    parts = held.store.forget_all(list(held.traces.values()))
    assert parts == {held.delivery: 39}
    assert held.delivery.held == 1
    assert held.store.spill.disk_bytes == 0
    held.store.forget(stays)
    assert held.store._held_bytes == 0
    held.store.enter()


def test_room_may_be_changed_while_traces_wait(tmp_path: Path) -> None:
    held = Held(spill_directory=str(tmp_path / "old"), spill_max_bytes=64 * MIB)
    for number in range(200):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    before = held.store.spill.disk_bytes
    assert before > 0
    held.store.settings = StoreSettings(64 * MIB)
    assert held.store.pressure < 0.1
    held.store.settings = StoreSettings(MIB, 0, str(tmp_path / "new"), 64 * MIB)
    for number in range(200, 300):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.store.spill.disk_bytes > before
    held.end()


def test_what_a_disk_does_not_give_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(spill_directory=str(tmp_path), spill_max_bytes=64 * MIB)
    for number in range(200):
        held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", lambda *_: b"")
        with pytest.raises(OSError, match="came back"):
            list(held.store.pieces(held.traces[0]))
    held.end()


def test_each_request_that_brought_some_of_a_trace_waits_for_it() -> None:
    held = Held()
    first = held.delivery
    held.add(1, b"a")
    held.delivery = second = Delivery()
    held.add(1, b"b")
    assert held.traces[1].deliveries == [first, second]
    assert (first.held, second.held) == (1, 1)
    held.end()
    first.end(Outcome.DELIVERED)
    assert (first.held, second.held, first.resolved) == (0, 0, True)


def test_no_more_is_compressed_than_room_is_needed() -> None:
    held = Held(64 * MIB, compress_above_bytes=16 * KIB)
    for number in range(40):
        held.add(number, SOFT * 2)
    held.store.settings = StoreSettings(MIB)
    held.store.relieve()
    assert 0.45 < held.store.pressure <= 0.5
    held.end()


def test_a_disk_may_take_less_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(spill_directory=str(tmp_path), spill_max_bytes=64 * MIB)
    write = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda file, raw, offset: write(file, memoryview(raw)[:1000], offset))
        for number in range(200):
            held.add(number // 4, HARD[number * 7000 :][: 10 * KIB])
    assert held.store.relief.spilled_bytes > 0
    held.end()
