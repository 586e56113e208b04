"""A run of plain processors, fused: one loop over slices of a batch, no scheduling in between.

The loop gives way to others every few milliseconds, so that no batch holds the event loop: records are worked on in
slices sized by what the last ones cost, requests too large to parse or serialise at once are cut on the wire first, and
records that are large by themselves are worked on in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.component import Processor, Stage
from pipeline.errors import Code, DeliveryError, Rejected
from pipeline.signals import Batch, Outcome, Rooms
from pipeline.supervisor import Supervisor
from pipeline.telemetry.passing import count_incoming, count_outgoing

# The event loop is to be held for 10 ms at most; less than half of it is aimed at, since costs vary between records.
_TARGET_S: Final = 0.004
_FIRST_GUESS_S: Final = 0.0005
_MAX_SLICE_RECORDS: Final = 1024
_PIECE_BYTES: Final = 1 << 20
_PIECE_RECORDS: Final = 4096
_LARGE_RECORD_BYTES: Final = 256 << 10


def fuse(processors: Sequence[Processor], out: Stage, tasks: Supervisor) -> Stage:
    """The stage that passes batches through `processors` in order and into `out`; plain neighbours become one run."""
    stage = out
    plain: list[Processor] = []
    for processor in reversed(processors):
        if type(processor).consume is Processor.consume and type(processor).process_bytes is Processor.process_bytes:
            plain.insert(0, processor)
            continue
        behind = Run(plain, stage, tasks) if plain else stage
        if type(processor).consume is Processor.consume:
            stage = BytesFirst(processor, behind, tasks)
        else:
            processor.next = behind
            stage = processor
        plain = []
    return Run(plain, stage, tasks) if plain else stage


class BytesFirst:
    """A stage of one processor that needs no views: it has them where they are there, or where the batch is large."""

    def __init__(self, processor: Processor, next_stage: Stage, tasks: Supervisor) -> None:
        """Ask `processor` for its `process_bytes`, or else for its `process`."""
        self.next = next_stage
        self._run = Run([processor], next_stage, tasks)
        self._step = _Step(processor)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """As every run."""
        await self._run.reserve(batch, rooms)

    async def consume(self, batch: Batch) -> None:
        """Process and pass on; a batch of which nothing is left ends here."""
        is_small = batch.size_bytes <= _PIECE_BYTES and batch.count <= _MAX_SLICE_RECORDS // 2
        worked = self._step.process_bytes(batch) if is_small and not (batch.has_views or batch.changed) else None
        if worked is None:
            await self._run.consume(batch)
        elif worked.count:
            await self.next.consume(worked)
        else:
            worked.delivery.end(Outcome.DROPPED)


class Run:
    """A stage that passes batches through processors in order and on to the next stage."""

    def __init__(self, processors: Sequence[Processor], next_stage: Stage, tasks: Supervisor) -> None:
        """Fuse `processors`, all of which leave `consume` alone."""
        self.next = next_stage
        self._steps = [_Step(processor) for processor in processors]
        self._reservers = [p for p in processors if type(p).reserve is not Processor.reserve]
        self._tasks = tasks
        self._record_s = _FIRST_GUESS_S
        self._in_thread = asyncio.Lock()
        for processor in processors:
            processor.next = next_stage

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Ask the processors that may refuse, then the next stage."""
        for processor in self._reservers:
            await processor.reserve(batch, rooms)
        await self.next.reserve(batch, rooms)

    async def consume(self, batch: Batch) -> None:
        """Process and pass on; a batch of which nothing is left ends here."""
        try:
            if batch.size_bytes > _PIECE_BYTES or batch.count > _PIECE_RECORDS:
                batch = await self._work_in_pieces(batch)
            else:
                await self._work(batch)
        except asyncio.CancelledError:
            batch.delivery.abandon()
            raise
        if batch.count:
            await self.next.consume(batch)
        else:
            batch.delivery.end(Outcome.DROPPED)

    async def _work_in_pieces(self, batch: Batch) -> Batch:
        worked: list[Batch] = []
        changed = False
        pieces = batch.pieces(max_items=_PIECE_RECORDS // 2, max_bytes=_PIECE_BYTES)
        # Finding where to cut is Python's work on all of it: in a thread, the loop gets its turns.
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await self._work(piece)
            changed = changed or piece.changed
            worked.append(piece.renew(batch.delivery))
        return batch.rejoin(worked) if changed else batch

    async def _work(self, batch: Batch) -> None:
        if batch.size_bytes > _LARGE_RECORD_BYTES and _has_large_record(batch):
            # The thread goes on when the caller is cancelled, so its lock must not depend on the caller.
            await asyncio.shield(self._tasks.start(self._work_in_thread(batch), "large values"))
        else:
            await self._work_in_slices(batch)
        self._settle(batch)
        if not self._in_thread.locked():
            for step in self._steps:
                step.count()

    def _settle(self, batch: Batch) -> None:
        try:
            batch.settle()
        except (TypeError, ValueError) as error:
            for step in self._steps:
                step.failed(error)
            raise Rejected("a processor wrote a value that has no OTLP form", code=Code.INTERNAL) from error

    async def _work_in_slices(self, batch: Batch) -> None:
        began = time.perf_counter()
        for window in batch.slices(self._slice_records):
            if self._in_thread.locked():
                async with self._in_thread:
                    self._process(window)
            else:
                self._process(window)
            if time.perf_counter() - began > _TARGET_S / 2:
                await asyncio.sleep(0)
                began = time.perf_counter()

    def _slice_records(self) -> int:
        """How many records a slice may have, by what records cost lately."""
        return max(1, min(_MAX_SLICE_RECORDS, int(_TARGET_S / 2 / self._record_s)))

    async def _work_in_thread(self, batch: Batch) -> None:
        async with self._in_thread:
            for window in batch.slices(self._slice_records):
                await asyncio.to_thread(self._process, window)

    def _process(self, window: Batch) -> None:
        began = time.perf_counter()
        records = len(window.records())
        # Also a slice of which nothing is left goes through all steps: resources belong to the first slice.
        for step in self._steps:
            step.process(window)
        # Costs differ from batch to batch: a rise counts at once, a fall by and by.
        self._record_s = max((time.perf_counter() - began) / max(1, records), 0.9 * self._record_s)


class _Step:
    """One processor with what the engine measures around it."""

    def __init__(self, processor: Processor) -> None:
        host = processor.host
        self._processor = processor
        self._process = processor.process
        self._name = str(host.id)
        self._duration = host.meter.histogram(
            "penstock_processor_duration_seconds", "Time a batch spent in a processor."
        )
        self._seconds = 0.0
        self._incoming = self._outgoing = 0
        self._signal = ""

    def process(self, window: Batch) -> None:
        """Process one slice."""
        before = len(window.records())
        began = time.perf_counter()
        try:
            processed = self._process(window)
        except DeliveryError:
            raise
        except Exception as error:
            self.failed(error)
            raise Rejected(f'processor "{self._name}" failed: {type(error).__name__}', code=Code.INTERNAL) from error
        finally:
            self._seconds += time.perf_counter() - began
            self._incoming += before
            self._signal = window.signal.value
        if processed is None:
            self._processor.drop(window, window.records(), "dropped_by_processor")
        elif processed is not window:
            raise Rejected(f'processor "{self._name}" returned another batch than it was given', code=Code.INTERNAL)
        self._outgoing += len(window.records())

    def process_bytes(self, batch: Batch) -> Batch | None:
        """Process a whole batch without views; None where the processor would rather have them."""
        began = time.perf_counter()
        try:
            worked = self._processor.process_bytes(batch)
        except DeliveryError:
            raise
        except Exception as error:
            self.failed(error)
            raise Rejected(f'processor "{self._name}" failed: {type(error).__name__}', code=Code.INTERNAL) from error
        if worked is None:
            return None
        self._seconds += time.perf_counter() - began
        self._incoming += batch.count
        self._outgoing += worked[1]
        self._signal = batch.signal.value
        self.count()
        return batch.rewritten(*worked)

    def failed(self, error: Exception) -> None:
        """Count and tell an error of the processor's code."""
        host = self._processor.host
        host.meter.counter("penstock_processor_errors", "Batches that a processor raised on.").inc()
        where = _innermost_frame(error)
        host.log.error("Processor failed. Rejecting data.", error=type(error).__name__, where=where)

    def count(self) -> None:
        """Write down what was measured since the last call: once per batch, since counters cost more than sums."""
        if not self._signal:
            return
        meter = self._processor.host.meter
        count_incoming(meter, self._signal, self._incoming)
        count_outgoing(meter, self._signal, self._outgoing)
        self._duration.observe(self._seconds)
        self._seconds = 0.0
        self._incoming = self._outgoing = 0


def _innermost_frame(error: Exception) -> str:
    frames = list(_frames(error))
    return frames[-1] if frames else "unknown"


def _frames(error: Exception) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        yield f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next


def _has_large_record(batch: Batch) -> bool:
    """Whether one record alone is large. Asking for a size costs 2 us, and what is left often cannot hold one."""
    left_bytes = batch.size_bytes
    for record in batch.records():
        if left_bytes <= _LARGE_RECORD_BYTES:
            return False
        size_bytes = record.pb.ByteSize()
        if size_bytes > _LARGE_RECORD_BYTES:
            return True
        left_bytes -= size_bytes
    return False
