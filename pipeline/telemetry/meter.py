"""Instruments of Penstock's own metrics: bound series that cost one call to update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

DURATION_BUCKETS_S: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class MetricsRegistry:
    """Every instrument of one process by name. Label names of an instrument are those of its first series."""

    def __init__(self) -> None:
        """Start empty."""
        self.collector = CollectorRegistry(auto_describe=False)
        self._instruments: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, description: str, labels: Mapping[str, str]) -> Counter:
        """The series of a counter."""
        instrument = self._instruments.get(name)
        if instrument is None:
            instrument = self._instruments[name] = Counter(name, description, tuple(labels), registry=self.collector)
        return instrument.labels(**labels) if labels else instrument  # type: ignore[return-value]

    def gauge(self, name: str, description: str, labels: Mapping[str, str]) -> Gauge:
        """The series of a gauge."""
        instrument = self._instruments.get(name)
        if instrument is None:
            instrument = self._instruments[name] = Gauge(name, description, tuple(labels), registry=self.collector)
        return instrument.labels(**labels) if labels else instrument  # type: ignore[return-value]

    def histogram(
        self, name: str, description: str, labels: Mapping[str, str], buckets: Sequence[float] = DURATION_BUCKETS_S
    ) -> Histogram:
        """The series of a histogram."""
        instrument = self._instruments.get(name)
        if instrument is None:
            instrument = self._instruments[name] = Histogram(
                name, description, tuple(labels), registry=self.collector, buckets=buckets
            )
        return instrument.labels(**labels) if labels else instrument  # type: ignore[return-value]


class Meter:
    """The instruments of one component: every series carries the component's own labels beside those given.

    Keep the series (`self._sent = meter.counter(...)`) and call `inc`, `set` or `observe` on it, per batch rather than
    per record. Asking for the same series again returns the same one.
    """

    def __init__(self, registry: MetricsRegistry, labels: Mapping[str, str]) -> None:
        """Bind the component's labels, e.g. `{"exporter": "otlp/tempo"}`."""
        self.registry = registry
        self.labels = dict(labels)

    def counter(self, name: str, description: str, **labels: str) -> Counter:
        """A counter series; `inc(amount)`."""
        return self.registry.counter(name, description, self.labels | labels)

    def gauge(self, name: str, description: str, **labels: str) -> Gauge:
        """A gauge series; `set(value)`, `inc`, `dec`."""
        return self.registry.gauge(name, description, self.labels | labels)

    def watch(self, name: str, description: str, read: Callable[[], float], **labels: str) -> None:
        """A gauge whose value is read when somebody looks."""
        self.gauge(name, description, **labels).set_function(read)

    def histogram(
        self, name: str, description: str, buckets: Sequence[float] = DURATION_BUCKETS_S, **labels: str
    ) -> Histogram:
        """A histogram series; `observe(value)`."""
        return self.registry.histogram(name, description, self.labels | labels, buckets)
