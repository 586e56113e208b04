"""The delivery stage: between a pipeline and one backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from pipeline.component import Exporter, Host
from pipeline.config import ConfigModel
from pipeline.delivery.batcher import Batcher, Single, Source
from pipeline.delivery.dead_letters import DeadLetters
from pipeline.delivery.drain import Drain
from pipeline.delivery.queue import MemoryQueue, Queue
from pipeline.delivery.sender import Sender
from pipeline.delivery.settings import SendingQueue, delivery_of
from pipeline.delivery.shipment import Shipment
from pipeline.delivery.turn import Turn
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Delivery, Outcome, Rooms, Signal


class DeliveryStage:
    """Queues, batches, sends and retries for one exporter and signal; each batch it admits ends exactly once.

    With a queue, `consume` returns when there is room. Without one (or with `wait_for_result`) it returns when the
    backend has the data and raises the backend's error otherwise. Work that was admitted runs in tasks of the stage:
    a caller that goes away does not stop it.
    """

    def __init__(
        self,
        exporter: Exporter,
        settings: ConfigModel,
        host: Host,
        signal: Signal,
        dead_letters: DeliveryStage | None = None,
    ) -> None:
        """`settings` is the exporter's `Config`; keys of `DeliveryConfig` that it lacks are off.

        `dead_letters` is the stage of the exporter that `settings.dead_letter` names.
        """
        timeout_s, queue, retry = delivery_of(settings)
        self.signal = signal
        self.dead_letters = dead_letters
        self._host = host
        self._drain = Drain(host.clock)
        self._queue = None if queue is None else _queue_of(queue, host, signal)
        self._sender = Sender(
            exporter,
            host,
            signal,
            self._drain,
            timeout_s=timeout_s,
            retry=retry,
            has_queue=queue is not None,
            keeps=self._queue is not None and self._queue.keeps,
            dead_letters=_dead_letters_of(dead_letters, host, queue),
        )
        self._source = None if queue is None or self._queue is None else self._source_of(queue, self._queue)
        self._max_consumers = 0 if queue is None else queue.num_consumers
        self._turn: Turn | None = None
        if exporter.ordered:
            self._max_consumers = min(1, self._max_consumers)
            self._turn = host.shared(Turn, Turn)
        self._wait_for_result = queue is not None and queue.wait_for_result
        self._consumers = 0
        self._under_way: set[Shipment] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._stopped = False
        self._enqueue_failed = host.meter.counter(
            f"otelcol_exporter_enqueue_failed_{signal.items}", "Items that found no room in the sending queue."
        )

    @property
    def exporter(self) -> Exporter:
        """Where data goes; may be replaced by another instance of the same component."""
        return self._sender.exporter

    @exporter.setter
    def exporter(self, exporter: Exporter) -> None:
        self._sender.exporter = exporter

    async def start(self) -> None:
        """Open the queue, send what is in it, and show both in the metrics. Raises StartError.

        Called again where a reload failed, it takes back what it had handed over.
        """
        labels = {"data_type": self.signal.value}
        watch = self._host.meter.watch
        watch("otelcol_exporter_in_flight_requests", "Requests under way.", lambda: len(self._under_way), **labels)
        queue = self._queue
        if queue is not None:
            watch(
                "otelcol_exporter_queue_size", "Use of the sending queue, by its sizer.", lambda: queue.size, **labels
            )
            watch(
                "otelcol_exporter_queue_capacity",
                "Room of the sending queue, by its sizer.",
                lambda: queue.capacity,
                **labels,
            )
            await queue.start(self._dispatch)

    # Admission --------------------------------------------------------------------------------------------------------

    async def consume(self, batch: Batch) -> None:
        """Take the batch. Raises Refused or Rejected; the caller then still owns it."""
        if not batch.count:
            batch.delivery.end(Outcome.DROPPED)
        elif self._queue is None:
            await self._with_result(batch, self._send_now)
        elif self._wait_for_result:
            await self._with_result(batch, self._enqueue)
        else:
            await self._enqueue(batch)

    async def reserve(self, batch: Batch, rooms: Rooms) -> None:
        """Keep room in the queue. Raises Refused when it is full, Rejected when the batch is larger than the queue."""
        if self._queue is None or not batch.count:
            return
        try:
            rooms.add(self, await self._queue.reserve(batch))
        except DeliveryError as error:
            self._not_enqueued(batch, error)
            raise

    async def _enqueue(self, batch: Batch) -> None:
        reserved = None if batch.rooms is None else batch.rooms.take(self)
        try:
            await self._admit(batch, reserved)
        except DeliveryError as error:
            self._not_enqueued(batch, error)
            raise
        self._dispatch()

    async def _admit(self, batch: Batch, reserved: Callable[[], None] | None) -> None:
        assert self._queue is not None, "only stages with a queue enqueue"  # noqa: S101 - for the type checker
        if self._stopped:
            if reserved is not None:
                reserved()
            raise _shutting_down()
        await self._queue.put(batch, reserved)

    def _not_enqueued(self, batch: Batch, error: DeliveryError) -> None:
        self._enqueue_failed.inc(batch.count)
        self._host.log.error("Exporting failed. Rejecting data.", error=str(error), rejected_items=batch.count)

    async def _send_now(self, batch: Batch) -> None:
        if self._drain.end_s is not None:
            raise _shutting_down()
        shipment = Shipment([batch])
        self._start(shipment, self._ship(shipment) if self._turn is None else self._turn.run(self._ship, shipment))

    async def _with_result(self, batch: Batch, submit: Callable[[Batch], Awaitable[None]]) -> None:
        """Submit the batch and wait until it has ended; when it failed, the caller owns it again."""
        outer, inner = batch.delivery, Delivery()
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        inner.on_resolved(lambda _: None if ended.done() else ended.set_result(None))
        batch.delivery = inner
        try:
            await submit(batch)
            await ended
        except asyncio.CancelledError:
            inner.on_resolved(lambda done: outer.end(done.outcome, done.error))
            raise
        except BaseException:
            batch.delivery = outer
            raise
        batch.delivery = outer
        if inner.outcome is Outcome.FAILED:
            raise inner.error or Rejected("export failed", code=Code.INTERNAL)
        outer.end(inner.outcome)

    # Sending ----------------------------------------------------------------------------------------------------------

    def _source_of(self, settings: SendingQueue, queue: Queue) -> Source:
        batch = settings.batch
        if batch is None or not batch.enabled:
            return Single(queue)
        return Batcher(queue, batch, settings.batch_sizer, self._host.clock, self._host.tasks, self._dispatch)

    def _dispatch(self) -> None:
        """Start consumers while there are work and consumers."""
        if self._turn is not None:
            self._dispatch_in_turn(self._turn)
            return
        while self._source is not None and self._consumers < self._max_consumers:
            piece = self._source.take()
            if piece is None:
                return
            self._consumers += 1
            shipment = Shipment(piece)
            self._start(shipment, self._work(shipment))

    def _dispatch_in_turn(self, turn: Turn) -> None:
        """Start the one consumer, which takes nothing before it is its turn: what a reload gives back comes first."""
        if self._source is not None and not self._consumers:
            self._consumers = 1
            self._run(turn.run(self._work))

    def _start(self, shipment: Shipment, work: Coroutine[Any, Any, None]) -> None:
        self._under_way.add(shipment)
        self._run(work)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._host.tasks.start(work, "deliver")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, shipment: Shipment | None = None) -> None:
        """One consumer: send until nothing is ready."""
        assert self._source is not None, "only stages with a queue have consumers"  # noqa: S101 - for the type checker
        while True:
            if shipment is not None:
                await self._ship(shipment)
            piece = self._source.take()
            if piece is None:
                break
            shipment = Shipment(piece)
            self._under_way.add(shipment)
        self._consumers -= 1
        self._idle.set()

    async def _ship(self, shipment: Shipment) -> None:
        """Send; a shipment that is cancelled stays in `_under_way`, where `drain` ends it."""
        try:
            await self._sender.send(shipment)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, every batch ends and the consumer lives on
            internal = Rejected(f"delivery failed: {type(error).__name__}", code=Code.INTERNAL)
            self._sender.give_up(_taken(shipment), internal)
        self._under_way.discard(shipment)
        if not self._under_way:
            self._idle.set()

    # End --------------------------------------------------------------------------------------------------------------

    async def drain(self, deadline_s: float) -> None:
        """Take nothing more; send and retry what is left for `deadline_s` seconds.

        What then is left has failed, or stays in a queue that keeps it.
        """
        if self._stopped:
            return
        if self._queue is not None:
            self._queue.close()
        # Another stage goes on with a queue that is handed over: what cannot be sent at once is left to it.
        is_handed_over = self._queue is not None and self._queue.is_handed_over
        self._drain.begin(0.0 if is_handed_over else deadline_s)
        if self._source is not None:
            self._source.hurry()
            self._dispatch()
        if deadline_s > 0:
            await self._wait_until_idle(deadline_s)
        await self._abandon()

    async def stop(self) -> None:
        """End at once: what is left has failed."""
        await self.drain(0)

    async def _wait_until_idle(self, deadline_s: float) -> None:
        try:
            async with self._host.clock.timeout(deadline_s):
                while self._under_way or self._consumers or (self._queue is not None and self._queue.has_more):
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            return

    async def _abandon(self) -> None:
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._queue is not None:
            self._queue.seal()
        left = [piece for shipment in self._under_way for piece in _taken(shipment)]
        self._under_way.clear()
        while self._source is not None and (piece := self._source.take()) is not None:
            left.append(piece)
        self._sender.cut_short(left)
        if self._queue is not None:
            await self._queue.stop()


def _queue_of(settings: SendingQueue, host: Host, signal: Signal) -> Queue:
    if settings.storage is not None:
        from pipeline.delivery.durable.queue import DurableQueue  # noqa: PLC0415 - SQLite is for queues on disk

        return DurableQueue(settings, host, signal)
    return MemoryQueue(settings.queue_size, settings.sizer, block_on_overflow=settings.block_on_overflow)


def _dead_letters_of(stage: DeliveryStage | None, host: Host, queue: SendingQueue | None) -> DeadLetters | None:
    if stage is None:
        return None
    # A sender that waits for the backend's answer is told to come back.
    takes_expired = queue is not None and not queue.wait_for_result
    waits = queue is not None and queue.storage is not None
    return DeadLetters(stage, host, stage.signal, takes_expired=takes_expired, waits=waits)


def _taken(shipment: Shipment) -> list[list[Batch]]:
    pieces, shipment.pieces = shipment.pieces, []
    return pieces


def _shutting_down() -> Refused:
    return Refused("shutting down", code=Code.UNAVAILABLE)
