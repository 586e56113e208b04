"""Sending one request: attempts with a limit of time, waits between them, isolation of what the backend rejects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from pipeline.component import Exporter, Host
from pipeline.config import format_duration
from pipeline.delivery.backoff import Backoff
from pipeline.delivery.dead_letters import DeadLetters
from pipeline.delivery.drain import Drain
from pipeline.delivery.settings import RetryOnFailure
from pipeline.delivery.shipment import Piece, Shipment, count_of
from pipeline.errors import Code, DeliveryError, Refused, Rejected
from pipeline.signals import Batch, Outcome, Signal, end_all

# The Collector's words (exporterhelper), which people search their logs for.
_DROPPING: Final = "Exporting failed. Dropping data."
_REJECTING: Final = "Exporting failed. Rejecting data."
_NO_RETRY: Final = " Try enabling retry_on_failure config option to retry on retryable errors."
_NO_QUEUE: Final = " Try enabling sending_queue to survive temporary failures."
_DEAD_LETTERS: Final = "Exporting failed. Data goes to the dead letters."
_RETRYING: Final = "Exporting failed. Will retry the request after interval."


class Sender:
    """Brings shipments to an exporter and ends the delivery of every batch in them."""

    def __init__(
        self,
        exporter: Exporter,
        host: Host,
        signal: Signal,
        drain: Drain,
        *,
        timeout_s: float | None,
        retry: RetryOnFailure | None,
        has_queue: bool,
        keeps: bool = False,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        """Send through `exporter`, `timeout_s` seconds an attempt; `retry` None: one attempt.

        `keeps`: what a stop cuts short goes back to the queue as Refused; all else that is given up is Rejected.
        """
        self.exporter = exporter
        self._log = host.log
        self._clock = host.clock
        self._drain = drain
        self._timeout_s = timeout_s
        self._retry = retry
        self._keeps = keeps
        self._dead_letters = dead_letters
        self._items_field = "dropped_items" if has_queue else "rejected_items"
        hints = ("" if retry else _NO_RETRY) + ("" if has_queue else _NO_QUEUE)
        self._failure_message = (_DROPPING if has_queue else _REJECTING) + hints
        items, meter = signal.items, host.meter
        self._sent = meter.counter(f"otelcol_exporter_sent_{items}", "Items sent to the backend.")
        self._send_failed = meter.counter(
            f"otelcol_exporter_send_failed_{items}", "Items that could not be sent and were given up."
        )

    async def send(self, shipment: Shipment) -> None:
        """Send until every piece has arrived or is given up."""
        failures: dict[tuple[type, Code | None], tuple[DeliveryError, int]] = {}
        while shipment.pieces:
            piece = shipment.next()
            error = await self._attempts(piece)
            if error is None:
                shipment.arrived(piece)
                self._end_delivered(piece)
                continue
            if isinstance(error, Rejected) and error.divisible:
                lost = shipment.rejected(piece)
            else:
                shipment.given_up(piece)
                lost = [piece]
            if lost and self._keeps and isinstance(error, Refused):
                _put_back(lost, error)
            elif lost:
                reason = type(error), error.code
                first, items = failures.get(reason, (error, 0))
                failures[reason] = first, items + sum(map(count_of, lost))
                await self._end_lost(lost, error)
        for error, items in failures.values():
            self._log_failure(error, items)

    def give_up(self, pieces: Iterable[Piece], error: DeliveryError) -> None:
        """End pieces that will not be sent any more."""
        items = self._end_failed(pieces, error)
        if items:
            self._log_failure(error, items)

    def cut_short(self, pieces: Sequence[Piece]) -> None:
        """End pieces that a stop leaves behind: given up, or quietly where the queue keeps them."""
        error = Refused("shut down before the backend took the data", code=Code.UNAVAILABLE)
        if self._keeps:
            _put_back(pieces, error)
        else:
            self.give_up(pieces, error)

    async def _end_lost(self, pieces: list[Piece], error: DeliveryError) -> None:
        dead_letters = self._dead_letters_for(error)
        if dead_letters is None:
            self._end_failed(pieces, error)
        else:
            self._send_failed.inc(sum(map(count_of, pieces)))
            await dead_letters.take(pieces, error)

    def _dead_letters_for(self, error: DeliveryError) -> DeadLetters | None:
        # What a stop cuts short is no dead letter: a durable queue keeps it, and Kafka offers it again.
        is_cut_short = isinstance(error, Refused) and self._drain.end_s is not None
        return (
            self._dead_letters if self._dead_letters and self._dead_letters.takes(error) and not is_cut_short else None
        )

    def _end_delivered(self, piece: Piece) -> None:
        self._sent.inc(count_of(piece))
        end_all((batch.delivery for batch in piece), Outcome.DELIVERED)

    def _end_failed(self, pieces: Iterable[Piece], error: DeliveryError) -> int:
        pieces = list(pieces)
        items = sum(map(count_of, pieces))
        self._send_failed.inc(items)
        end_all((batch.delivery for piece in pieces for batch in piece), Outcome.FAILED, error)
        return items

    def _log_failure(self, error: DeliveryError, items: int) -> None:
        if self._dead_letters_for(error) is None:
            self._log.error(self._failure_message, error=str(error), **{self._items_field: items})
        else:
            self._log.error(_DEAD_LETTERS, error=str(error), items=items)

    async def _attempts(self, piece: Piece) -> DeliveryError | None:
        request = Batch.join(piece)
        began_s = self._clock.monotonic()
        error = await self._attempt(request)
        if not isinstance(error, Refused):
            return error
        if self._retry is None:
            return self._final(error, str(error))
        backoff = Backoff(self._retry, began_s)
        while isinstance(error, Refused):
            wait_s = backoff.next_wait_s(self._clock.monotonic(), error.retry_after_s, self._drain.end_s)
            if wait_s is None:
                return self._final(error, f"no more retries left: {error}")
            self._log.info(_RETRYING, error=str(error), interval=format_duration(wait_s))
            await self._drain.sleep(wait_s)
            error = await self._attempt(request)
        return error

    def _final(self, error: Refused, message: str) -> DeliveryError:
        """What is left of the last attempt's error."""
        if self._keeps and self._drain.end_s is not None:
            return error
        if self._keeps:
            return Rejected(message, code=error.code, details=error.details, said=error.said)
        return Refused(
            message, code=error.code, details=error.details, said=error.said, retry_after_s=error.retry_after_s
        )

    async def _attempt(self, request: Batch) -> DeliveryError | None:
        try:
            if self._timeout_s is None:
                await self.exporter.export(request)
            else:
                async with self._clock.timeout(self._timeout_s):
                    await self.exporter.export(request)
        except DeliveryError as error:
            return error
        except TimeoutError:
            limit = "" if self._timeout_s is None else f" within {format_duration(self._timeout_s)}"
            return Refused(f"no answer{limit}", code=Code.DEADLINE_EXCEEDED)
        except asyncio.CancelledError:
            # Some clients raise it for a call that the backend cancelled; ours comes with a request to this task.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return Refused("cancelled by the exporter", code=Code.CANCELLED)
        except OSError as error:
            return Refused(f"network error: {type(error).__name__}", code=Code.UNAVAILABLE)
        except MemoryError:
            return Refused("out of memory", code=Code.RESOURCE_EXHAUSTED)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        # What libraries in Rust panic with is no Exception.
        except BaseException as error:  # noqa: BLE001 - a bug that one item triggers must not sink its neighbours
            return Rejected(f"exporter failed: {type(error).__name__}", code=Code.INTERNAL, divisible=True)
        return None


def _put_back(pieces: Iterable[Piece], error: Refused) -> None:
    """End pieces for which a queue that keeps its data waits: they are sent by the next stage, or the next process."""
    end_all((batch.delivery for piece in pieces for batch in piece), Outcome.FAILED, error)
