"""What processors that hold data count, so that nothing can be lost in one unseen: in = out + dropped + held."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from pipeline.component import Host
from pipeline.signals import Signal
from pipeline.telemetry.passing import count_incoming, count_outgoing


class Holding:
    """Counts items into and out of a processor, and shows how many are in it.

    The engine counts for processors that hold nothing (`pipeline.run`).
    """

    def __init__(self, host: Host, held: Callable[[], int]) -> None:
        """`held()`: items that came and were neither passed on nor counted as dropped so far; of one signal."""
        self._meter = host.meter
        self.held = held
        # One processor may stand in several pipelines, with an instance in each and one series for all.
        self._all = host.shared(_Instances, _Instances)
        self.signal: Signal | None = None

    def came(self, signal: Signal, items: int) -> None:
        """The processor has items more."""
        if self.signal is None:
            self._show(signal)
        count_incoming(self._meter, signal.value, items)

    def _show(self, signal: Signal) -> None:
        self.signal = signal
        self._all.add(self)
        self._meter.gauge(
            "penstock_processor_held_items", "Items that wait in the processor.", otel_signal=signal.value
        ).set_function(partial(self._all.held, signal))

    def left(self, signal: Signal, items: int) -> None:
        """Items were passed on."""
        count_outgoing(self._meter, signal.value, items)


class _Instances:
    """All instances of one processor that live."""

    def __init__(self) -> None:
        self._instances: WeakSet[Holding] = WeakSet()

    def add(self, instance: Holding) -> None:
        self._instances.add(instance)

    def held(self, signal: Signal) -> int:
        return sum(instance.held() for instance in list(self._instances) if instance.signal is signal)
