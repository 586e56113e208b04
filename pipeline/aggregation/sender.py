"""Sends what an aggregation holds: every so often, and at the end."""

from __future__ import annotations

import asyncio
from typing import Final

from pipeline.aggregation.aggregation import Aggregation
from pipeline.aggregation.instrument import Temporality
from pipeline.aggregation.snapshot import Snapshot
from pipeline.component import Host, Stage
from pipeline.errors import DeliveryError, Refused
from pipeline.signals import Batch, Signal

# A request of more points is written in another thread, since the event loop is not to be held for over 10 ms.
_AT_ONCE_POINTS: Final = 500


class MetricsSender:
    """Flushes an aggregation into the pipelines behind a connector.

    What is refused is not lost: cumulative points go out as they are then, delta values return to their series and
    are part of the next point, so that memory does not grow with the number of refusals. What is rejected for good
    is counted in `penstock_rejected_data_points`.
    """

    next: Stage

    def __init__(self, aggregation: Aggregation, host: Host, interval_s: float) -> None:
        """`interval_s`: time between sends."""
        self._aggregation = aggregation
        self._host = host
        self._interval_s = interval_s
        self._turn = asyncio.Lock()
        self._rejected = host.meter.counter(
            "penstock_rejected_data_points", "Data points made in this process that nobody will ever take."
        )

    def start(self) -> None:
        """Begin to send; the task is the component's."""
        self._host.tasks.spawn(self._flush_periodically, f"flush of {self._host.id}")

    async def _flush_periodically(self) -> None:
        while True:
            await self._host.clock.sleep(self._interval_s)
            await self.flush()

    async def flush(self) -> None:
        """Send every series now. A refusal is logged and not raised."""
        async with self._turn:
            await self._flush()

    async def _flush(self) -> None:
        began_ns = self._host.clock.time_ns()
        is_sent = False
        parts = self._aggregation.begin(began_ns)
        try:
            # Once a part is refused, the others would be, too; they stay where they are.
            for part in parts:
                if not await self._send(self._aggregation.take(part, self._host.clock.time_ns())):
                    break
            else:
                is_sent = True
        finally:
            self._aggregation.end(began_ns if is_sent else None)

    async def _send(self, snapshot: Snapshot) -> bool:
        """Whether the points need not be kept: taken, or lost for good."""
        if not snapshot.count:
            return True
        try:
            small = snapshot.count <= _AT_ONCE_POINTS
            request = snapshot.request() if small else await asyncio.to_thread(snapshot.request)
            await self.next.consume(Batch.of_message(request, Signal.METRICS))
        except DeliveryError as error:
            self._host.log.warning("Metrics were not taken.", error=str(error), data_points=snapshot.count)
            if isinstance(error, Refused) or snapshot.temporality is Temporality.CUMULATIVE:
                self._aggregation.put_back(snapshot)
                return False
            self._rejected.inc(snapshot.count)
        except BaseException:
            self._aggregation.put_back(snapshot)
            raise
        return True

    async def stop(self) -> None:
        """Send what was counted since the last time; called once periodic sending has ended."""
        await self.flush()
