"""Instruments of Penstock's own metrics: bound series that cost one call to update."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

DURATION_BUCKETS_S: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_Series: TypeAlias = "Counter | Gauge | Histogram"
_SeriesT = TypeVar("_SeriesT", Counter, Gauge, Histogram)
_Pairs: TypeAlias = tuple[tuple[str, str], ...]


class _Instrument:
    """All series of one name. Series may differ in their label names, as in OpenTelemetry."""

    def __init__(self, kind: type[_Series], description: str) -> None:
        self.kind = kind
        self.description = description
        self.series: dict[_Pairs, _Series] = {}


class MetricsRegistry(Collector):
    """Every instrument of one process by name.

    Attributes:
        collector: the same as a registry of `prometheus_client`, e.g. for `get_sample_value`.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.collector = CollectorRegistry(auto_describe=False)
        self.collector.register(self)
        self._instruments: dict[str, _Instrument] = {}
        self._sources: list[Callable[[], Iterable[Metric]]] = []

    def counter(self, name: str, description: str, labels: Mapping[str, str]) -> Counter:
        """The series of a counter."""
        return self._find(Counter, name, description, labels)

    def gauge(self, name: str, description: str, labels: Mapping[str, str]) -> Gauge:
        """The series of a gauge."""
        return self._find(Gauge, name, description, labels)

    def histogram(
        self, name: str, description: str, labels: Mapping[str, str], buckets: Sequence[float] = DURATION_BUCKETS_S
    ) -> Histogram:
        """The series of a histogram."""
        return self._find(Histogram, name, description, labels, buckets=buckets)

    def _find(
        self, kind: type[_SeriesT], name: str, description: str, labels: Mapping[str, str], **more: Any
    ) -> _SeriesT:
        instrument = self._instruments.get(name)
        if instrument is None:
            instrument = self._instruments[name] = _Instrument(kind, description)
        if instrument.kind is not kind:
            raise ValueError(f"metric {name} is a {instrument.kind.__name__}, not a {kind.__name__}")
        pairs = tuple(sorted(labels.items()))
        series = instrument.series.get(pairs)
        if series is None:
            series = instrument.series[pairs] = kind(name, description, registry=None, **more)
        return series  # type: ignore[return-value]  # all series of an instrument are of its kind

    def add_source(self, source: Callable[[], Iterable[Metric]]) -> None:
        """Ask `source` for more metrics whenever somebody looks."""
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        """Every metric with its samples as they are now."""
        for instrument in list(self._instruments.values()):
            yield from _merge(instrument)
        for source in self._sources:
            yield from source()


def _merge(instrument: _Instrument) -> Iterator[Metric]:
    merged: Metric | None = None
    for pairs, series in list(instrument.series.items()):
        try:
            collected = list(series.collect())
        except ReferenceError:
            del instrument.series[pairs]
            continue
        except Exception:  # noqa: BLE001, S112 - a watched gauge calls a component; one that fails must not cost the page
            continue
        for metric in collected:
            if merged is None:
                merged = Metric(metric.name, instrument.description, metric.type)
            for sample in metric.samples:
                if not sample.name.endswith("_created"):
                    merged.samples.append(sample._replace(labels=dict(pairs) | sample.labels))
    if merged is not None:
        yield merged


class Meter:
    """The instruments of one component: every series carries the component's own labels beside those given.

    Keep the series (`self._sent = meter.counter(...)`) and call `inc`, `set` or `observe` on it, per batch rather than
    per record. Asking for the same series again returns the same one.
    """

    def __init__(self, registry: MetricsRegistry, labels: Mapping[str, str]) -> None:
        """Bind the component's labels, e.g. `{"exporter": "otlp/tempo"}`."""
        self.registry = registry
        self.labels = dict(labels)
        self._known: dict[tuple[Any, ...], Any] = {}
        self.watched: dict[tuple[Any, ...], Callable[[], float]] = {}

    def counter(self, name: str, description: str, **labels: str) -> Counter:
        """A counter series; `inc(amount)`."""
        key = (name, *labels.items())
        series: Counter | None = self._known.get(key)
        if series is None:
            series = self._known[key] = self.registry.counter(name, description, self.labels | labels)
        return series

    def gauge(self, name: str, description: str, **labels: str) -> Gauge:
        """A gauge series; `set(value)`, `inc`, `dec`."""
        return self.registry.gauge(name, description, self.labels | labels)

    def watch(self, name: str, description: str, read: Callable[[], float], **labels: str) -> None:
        """A gauge whose value is read when somebody looks; it ends with this meter, that is with its component."""
        key = (name, *labels.items())
        self.watched[key] = read
        owner = weakref.ref(self)

        def current() -> float:
            meter = owner()
            if meter is None:
                raise ReferenceError(name)
            return meter.watched[key]()

        self.gauge(name, description, **labels).set_function(current)

    def histogram(
        self, name: str, description: str, buckets: Sequence[float] = DURATION_BUCKETS_S, **labels: str
    ) -> Histogram:
        """A histogram series; `observe(value)`."""
        return self.registry.histogram(name, description, self.labels | labels, buckets)
