"""Batches on their way out of a processor that holds data: handed on until what follows has taken them."""

from __future__ import annotations

from typing import Final

from pipeline.component import Host, Stage
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Delivery, Outcome

_FIRST_BACKOFF_S: Final = 0.1
_MAX_BACKOFF_S: Final = 5.0


class Leaving:
    """A batch on its way out. What follows gets it with a handle for each attempt, so that it ends once whatever comes
    first: the answer of what follows, or a stop that waits no longer.
    """

    def __init__(self, batch: Batch) -> None:
        """Take the batch over: from now on it ends here or behind."""
        self._batch = batch
        self._is_ended = False

    @property
    def count(self) -> int:
        """Items in it."""
        return self._batch.count

    def _attempt(self) -> Batch:
        """The batch as it was: what follows may have changed what it refused."""
        delivery = Delivery((self._batch.delivery,))
        delivery.on_resolved(lambda done: self.end(done.outcome, done.error))
        return self._batch.renew(delivery)

    def end(self, outcome: Outcome, error: DeliveryError | None = None) -> None:
        """End it, unless it has ended."""
        if not self._is_ended:
            self._is_ended = True
            self._batch.delivery.end(outcome, error)

    async def hand_on(self, to: Stage, host: Host) -> None:
        """Pass it on, however long the next stage refuses it; whatever else that raises ends it as failed."""
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                await to.consume(self._attempt())
            except Refused as error:
                host.log.warning("Sender refused. Will try again.", error=str(error), interval_s=backoff_s)
                await host.clock.sleep(max(backoff_s, error.retry_after_s or 0.0))
                backoff_s = min(2 * backoff_s, _MAX_BACKOFF_S)
            except Exception as error:  # noqa: BLE001 - whatever follows raises, each batch ends and the next one goes
                told = error if isinstance(error, DeliveryError) else _internal(error)
                host.log.error("Sender failed", error=str(told), dropped_items=self.count)
                self.end(Outcome.FAILED, told)
                return
            else:
                return


def _internal(error: Exception) -> Rejected:
    return Rejected(f"internal error: {type(error).__name__}", code=Code.INTERNAL)
