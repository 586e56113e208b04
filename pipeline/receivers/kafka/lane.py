"""One partition on its way into the pipelines, while it is ours."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from pipeline.component import Host, Stage
from pipeline.dead_letter import Reason
from pipeline.delivery.backoff import Backoff
from pipeline.delivery.settings import RetryOnFailure
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.kafka.record import Record
from pipeline.receivers.kafka.dead_letter_writer import DeadLetterWriter
from pipeline.receivers.kafka.in_flight import InFlight
from pipeline.receivers.kafka.joining import Assembler, by_headers, weight_of, windows
from pipeline.receivers.kafka.metrics import ItemCounters
from pipeline.receivers.kafka.progress import Progress, Stretch
from pipeline.signals import Batch, Delivery, Outcome, Signal

# A partition whose pipelines are slower than its broker is not read further ahead than this.
_AHEAD_BYTES: Final = 8 << 20
_ENOUGH_BYTES: Final = 2 << 20
_AFTER_A_BUG_S: Final = 1.0


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(slots=True)
class Surroundings:
    """What the lanes of a receiver share. `stages` and the policies are replaced by a reload."""

    host: Host
    stages: Mapping[Signal, Stage]
    in_flight: InFlight
    dead_letters: DeadLetterWriter
    retry: RetryOnFailure | None
    """The waits between offers of what is not taken at the moment; None: no second offer."""
    max_join_bytes: int
    counters: Mapping[Signal, ItemCounters]
    hold: Callable[[Partition, bool], None]
    """`hold(partition, yes)`: fetch no more of a partition, or go on."""
    advanced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be something new to commit."""


class Parcel:
    """Records that travel as one batch, and part of a stretch of offsets."""

    __slots__ = ("backoff", "error", "is_done", "reason", "records", "stretch")

    def __init__(self, records: Sequence[Record], stretch: Stretch) -> None:
        """Not offered yet."""
        self.records = records
        self.stretch = stretch
        self.backoff: Backoff | None = None
        self.error: DeliveryError | None = None
        self.reason: Reason | None = None
        self.is_done = False


class Lane:
    """Offers the records of one partition in order, and follows what becomes of them."""

    def __init__(self, partition: Partition, assembler: Assembler, encoding: str, around: Surroundings) -> None:
        """`run` begins to offer."""
        self.partition = partition
        self.progress = Progress()
        self.position: int | None = None
        """The offset behind the last record that was handed to us."""
        self._assembler = assembler
        self._encoding = encoding
        self._around = around
        self._chunks: deque[Sequence[Record]] = deque()
        self._again: deque[Parcel] = deque()
        self._offers: set[Delivery] = set()
        self._waiting_bytes = 0
        self._held_bytes = 0
        self._refused = False
        self._is_held = False
        self._wake = asyncio.Event()
        self._open = asyncio.Event()
        self._open.set()
        self._closed = False
        self._thread = threading.get_ident()

    @property
    def under_way(self) -> int:
        """Batches that the pipelines have, or are being offered."""
        return len(self._offers)

    @property
    def is_waited_for(self) -> bool:
        """Whether the end of some batch is a matter of moments: nothing of it waits for a decision."""
        return not all(delivery.held for delivery in self._offers)

    # From the consumer ------------------------------------------------------------------------------------------------

    def take(self, records: Sequence[Record], size_bytes: int) -> None:
        """Records that were read, in order; they weigh `size_bytes`."""
        if self._closed:
            self._around.in_flight.give(size_bytes)
            return
        self.position = records[-1].offset + 1
        self._chunks.append(records)
        self._waiting_bytes += size_bytes
        self._held_bytes += size_bytes
        self._wake.set()
        self._hold_or_go_on()

    def suspend(self) -> None:
        """Offer nothing more for now: the group shares its partitions out anew."""
        self._open.clear()

    def resume(self) -> None:
        """The partition stays ours: go on."""
        self._again = deque(sorted(self._again, key=lambda parcel: parcel.stretch.first))
        self._open.set()

    def disown(self) -> None:
        """The partition may be somebody else's, who reads on from what is committed: decide nothing more about it.

        Should it stay ours after all, what pipelines let go for that is offered again.
        """
        for delivery in tuple(self._offers):
            delivery.disown()

    def close(self) -> None:
        """The partition is not ours any more: what becomes of its records from now on is not our business."""
        self._closed = True
        self._chunks.clear()
        self._again.clear()
        self._around.in_flight.give(self._held_bytes)
        self._held_bytes = 0
        self.disown()

    # Offering ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Offer what comes, until cancelled."""
        while True:
            await self._offer_again()
            if self._chunks:
                for parcel in self._parcels(self._chunks.popleft()):
                    await self._guarded(self._offer, parcel)
                    await self._offer_again()
                    # Pipelines that take at once do not let others have the loop.
                    await asyncio.sleep(0)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _offer_again(self) -> None:
        while self._again:
            await self._open.wait()
            await self._guarded(self._once_more, self._again.popleft())
        # However the last offer ended: nothing is refused any more, and what is held is read on.
        self._refused = False
        self._hold_or_go_on()

    async def _guarded(self, work: Callable[[Parcel], Awaitable[None]], parcel: Parcel) -> None:
        """Work on a parcel; an error nobody foresaw must not leave a hole that no offset ever gets across."""
        try:
            await work(parcel)
        except Exception as error:  # noqa: BLE001 - whatever it is, the parcel is tried again
            self._around.host.log.error("Offering records failed. Trying again.", error=type(error).__name__)
            await self._around.host.clock.sleep(_AFTER_A_BUG_S)
            self._again.append(parcel)

    def _parcels(self, records: Sequence[Record]) -> Iterator[Parcel]:
        for window in windows(records, self._around.max_join_bytes):
            groups = by_headers(window)
            stretch = self.progress.begin(window[0].offset, window[-1].offset + 1, len(groups))
            held = sum(map(weight_of, window))
            self._waiting_bytes -= held
            self._give(held - sum(weight_of(record) for group in groups for record in group))
            self._hold_or_go_on()
            for group in groups:
                yield Parcel(group, stretch)

    async def _once_more(self, parcel: Parcel) -> None:
        if parcel.reason is not None and parcel.error is not None:
            await self._give_up(parcel, parcel.reason, parcel.error)
        elif not isinstance(parcel.error, Refused) or await self._wait(parcel, parcel.error):
            await self._offer(parcel)

    async def _offer(self, parcel: Parcel) -> None:
        """Offer until the pipelines have taken or rejected the parcel, or patience is over."""
        while True:
            await self._open.wait()
            batch = await self._assemble(parcel)
            if batch is None:
                return
            await self._open.wait()
            error = await self._hand_on(parcel, batch)
            if error is None:
                return
            if isinstance(error, Rejected):
                await self._rejected(parcel, Reason.of(error), error)
                return
            if not await self._wait(parcel, error):
                return

    async def _assemble(self, parcel: Parcel) -> Batch | None:
        """A new batch for each offer: pipelines may have written to one that they refused. None: there is nothing."""
        assembler = self._assembler
        try:
            if assembler.is_slow(parcel.records):
                batch = await asyncio.to_thread(assembler.batch, parcel.records)
            else:
                batch = assembler.batch(parcel.records)
        except Rejected as error:
            await self._rejected(parcel, Reason.UNDECODABLE, error)
            return None
        except Exception as error:  # noqa: BLE001 - a record that brings out a bug must not block its partition
            kind = Rejected(f"internal error: {type(error).__name__}", code=Code.INTERNAL)
            await self._rejected(parcel, Reason.UNDECODABLE, kind)
            return None
        if not batch.count:
            self._done(parcel)
            return None
        return batch

    async def _hand_on(self, parcel: Parcel, batch: Batch) -> Refused | Rejected | None:
        """Hand the batch to its pipelines; the error when they do not take it."""
        signal, count = self._assembler.signal, batch.count
        counters = self._around.counters[signal]
        batch.delivery.on_resolved(partial(self._ended, asyncio.get_running_loop(), parcel))
        self._offers.add(batch.delivery)
        try:
            stage = self._around.stages.get(signal)
            if stage is None:
                raise Refused("no pipeline takes this signal")  # noqa: TRY301 - as any other refusal
            await stage.consume(batch)
        except (Refused, Rejected) as error:
            self._offers.discard(batch.delivery)
            counters.refused.inc(count)
            return error
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a pipeline raises, the partition goes on
            self._offers.discard(batch.delivery)
            counters.failed.inc(count)
            self._around.host.log.error("Pipeline failed.", error=type(error).__name__)
            return Rejected(f"internal error: {type(error).__name__}", code=Code.INTERNAL)
        counters.accepted.inc(count)
        return None

    async def _rejected(self, parcel: Parcel, reason: Reason, error: DeliveryError) -> None:
        """Take a parcel apart, so that the culprit stands alone; then give it up."""
        if len(parcel.records) == 1:
            parcel.reason, parcel.error = reason, error
            await self._give_up(parcel, reason, error)
            return
        self.progress.split(parcel.stretch, len(parcel.records) - 1)
        self._again.extend(Parcel([record], parcel.stretch) for record in parcel.records)

    async def _give_up(self, parcel: Parcel, reason: Reason, error: DeliveryError) -> None:
        dead_letters = self._around.dead_letters
        await dead_letters.give_up(parcel.records, self._assembler.signal, self._encoding, reason, error)
        self._done(parcel)

    async def _wait(self, parcel: Parcel, error: Refused) -> bool:
        """Wait before the next offer, with the partition held; False when patience is over and the parcel is lost."""
        around, now_s = self._around, self._around.host.clock.monotonic()
        wait_s = None
        if around.retry is not None:
            if parcel.backoff is None:
                parcel.backoff = Backoff(around.retry, now_s)
            wait_s = parcel.backoff.next_wait_s(now_s, error.retry_after_s, None)
        if wait_s is None:
            around.dead_letters.lose(parcel.records, Reason.EXPIRED, str(error))
            self._done(parcel)
            return False
        self._refused = True
        self._hold_or_go_on()
        await around.host.clock.sleep(wait_s)
        return True

    def _hold_or_go_on(self) -> None:
        """Tell the consumer to fetch no more of this partition while it is refused or far ahead."""
        limit = _ENOUGH_BYTES if self._is_held else _AHEAD_BYTES
        wanted = self._refused or self._waiting_bytes > limit
        if wanted is not self._is_held:
            self._is_held = wanted
            self._around.hold(self.partition, wanted)

    # What becomes of it -----------------------------------------------------------------------------------------------

    def _ended(self, loop: asyncio.AbstractEventLoop, parcel: Parcel, delivery: Delivery) -> None:
        """Handles resolve on the thread that ends their last part."""
        if threading.get_ident() == self._thread:
            self._resolved(parcel, delivery)
        else:
            loop.call_soon_threadsafe(self._resolved, parcel, delivery)

    def _resolved(self, parcel: Parcel, delivery: Delivery) -> None:
        self._offers.discard(delivery)
        if self._closed or parcel.is_done:
            return
        if delivery.outcome is not Outcome.FAILED:
            self._done(parcel)
            return
        error = delivery.error or Rejected("delivery failed", code=Code.INTERNAL)
        is_refused = isinstance(error, Refused)
        # What was let go because it seemed lost was not refused: it need not wait.
        parcel.error = None if is_refused and delivery.is_disowned else error
        parcel.reason = None if is_refused else Reason.of(error)
        self._again.append(parcel)
        self._wake.set()

    def _done(self, parcel: Parcel) -> None:
        if not parcel.is_done and not self._closed:
            parcel.is_done = True
            self.progress.end(parcel.stretch)
            self._around.advanced.set()
            self._give(sum(map(weight_of, parcel.records)))

    def _give(self, size_bytes: int) -> None:
        if not self._closed:
            self._held_bytes -= size_bytes
            self._around.in_flight.give(size_bytes)
