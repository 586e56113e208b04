"""What a backend does not take goes to the delivery stage of another exporter."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pipeline.component import Host, Stage
from pipeline.dead_letter import COMPONENT_KEY, DeadLetter, Reason
from pipeline.delivery.shipment import Piece
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Context, Delivery, Outcome, Signal

_PAUSE_S: Final = 5.0
_WAITING: Final = "Dead letters are not taken now. They wait."


class DeadLetters:
    """Hands batches over and ends each as it ends there: delivered where that stage has it, else failed as it was.

    Args:
        stage: the other exporter's.
        host: of the exporter whose backend did not take them.
        signal: of the batches.
        takes_expired: whether it also takes what the backend could have taken later; else that is the sender's.
        waits: whether batches that the stage refuses are offered again until it takes them, since nothing forces us to
            give them up: they are on disk. What waits holds up what comes, so that memory is bounded.
    """

    def __init__(self, stage: Stage, host: Host, signal: Signal, *, takes_expired: bool, waits: bool = False) -> None:
        """Prepare; nothing is counted yet."""
        self._stage = stage
        self._host = host
        self._signal = signal
        self._takes_expired = takes_expired
        self.waits = waits
        self._again: deque[_GivenUp] = deque()
        self._offering: asyncio.Task[None] | None = None

    def takes(self, error: DeliveryError) -> bool:
        """Whether what was given up for this error becomes a dead letter."""
        return self._takes_expired or isinstance(error, Rejected)

    async def take(self, pieces: Sequence[Piece], error: DeliveryError) -> None:
        """End every batch, which may be later than this returns; a caller that is cancelled leaves none open."""
        waiting = deque(_GivenUp(batch, error, self) for piece in pieces for batch in piece)
        try:
            while waiting:
                await self._hand_over(waiting[0])
                waiting.popleft()
        finally:
            for given_up in waiting:
                given_up.cut_short()

    async def _hand_over(self, given_up: _GivenUp) -> None:
        if given_up.was_written_by(str(self._host.id)):
            given_up.fail(Rejected("it is a dead letter of this exporter already"))
            return
        while self._again:
            await self._host.clock.sleep(_PAUSE_S)
        await self._offer(given_up)

    async def _offer(self, given_up: _GivenUp) -> None:
        while True:
            try:
                await self._stage.consume(given_up.letter(self._letter(given_up.error)))
            except Exception as error:  # noqa: BLE001 - whatever the other stage raises, this batch ends
                if not (self.waits and isinstance(error, Refused)):
                    given_up.fail(error)
                    return
                self._host.log.warning(_WAITING, error=str(error))
                await self._host.clock.sleep(_PAUSE_S)
            else:
                return

    def offer_again(self, given_up: _GivenUp, error: DeliveryError) -> None:
        """Bring a batch once more that the stage had taken and then did not deliver."""
        self._host.log.warning(_WAITING, error=str(error))
        self._again.append(given_up)
        if self._offering is None or self._offering.done():
            self._offering = self._host.tasks.start(self._offer_all(), "dead letters")

    async def _offer_all(self) -> None:
        try:
            while self._again:
                await self._host.clock.sleep(_PAUSE_S)
                await self._offer(self._again[0])
                self._again.popleft()
        finally:
            while self._again:
                self._again.popleft().cut_short()

    def _letter(self, error: DeliveryError) -> DeadLetter:
        return DeadLetter(
            Reason.of(error),
            error=str(error),
            component=str(self._host.id),
            signal=self._signal.value,
            time_unix_ms=self._host.clock.time_ns() // 1_000_000,
        )

    def delivered(self, error: DeliveryError, items: int) -> None:
        """Count items that the other stage has."""
        labels = {"component": str(self._host.id), "reason": Reason.of(error).value}
        registry = self._host.meter.registry
        registry.counter("penstock_dead_letters", "Items delivered as dead letters, by reason.", labels).inc(items)

    def lost(self, items: int, error: Exception | None) -> None:
        """Tell of items that the other stage does not have."""
        told = str(error) if isinstance(error, DeliveryError) else type(error).__name__
        self._host.log.error("Dead letters failed. Dropping data.", error=told, dropped_items=items)


class _GivenUp:
    """One batch on its way to the other stage. It ends once, whatever comes first: the end there, or a failure here."""

    def __init__(self, batch: Batch, error: DeliveryError, owner: DeadLetters) -> None:
        self._batch = batch
        self.error = error
        self._owner = owner
        self._is_ended = False

    def was_written_by(self, component: str) -> bool:
        """Whether it comes from the dead letters of this component, read as data: it would go round for ever."""
        return component in self._batch.context.metadata.get(COMPONENT_KEY, ())

    def letter(self, letter: DeadLetter) -> Batch:
        """The batch for the other stage."""
        delivery = Delivery()
        delivery.on_resolved(self._resolved)
        made = self._batch.renew(delivery)
        made.context = with_letter(self._batch.context, letter)
        return made

    def _resolved(self, there: Delivery) -> None:
        if self._owner.waits and isinstance(there.error, Refused) and not self._is_ended:
            # Given back to its queue, it would be sent again with all its neighbours.
            self._owner.offer_again(self, there.error)
        elif there.outcome is Outcome.FAILED:
            # What that stage was cut short with is still owed: a durable queue keeps it, and Kafka offers it again.
            self._fail(there.error, there.error if isinstance(there.error, Refused) else self.error)
        elif not self._is_ended:
            self._owner.delivered(self.error, self._batch.count)
            self._end(there.outcome, there.error)

    def fail(self, error: Exception | None) -> None:
        """The other stage did not take it: it ends with the error that made it a dead letter."""
        self._fail(error, self.error)

    def _fail(self, error: Exception | None, final: DeliveryError) -> None:
        if not self._is_ended:
            self._owner.lost(self._batch.count, error)
            self._end(Outcome.FAILED, final)

    def cut_short(self) -> None:
        """The process stops: whoever still has the data may keep it."""
        self._end(Outcome.FAILED, Refused("shut down before the dead letter was taken", code=Code.UNAVAILABLE))

    def _end(self, outcome: Outcome, error: DeliveryError | None) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._batch.delivery.end(outcome, error)


def with_letter(context: Context, letter: DeadLetter) -> Context:
    """The context of a dead letter: as it was, with metadata that says why."""
    ours = letter.with_origin(context.metadata).as_texts()
    return replace(context, metadata={**context.metadata, **{name: (text,) for name, text in ours.items()}})
