"""What one batch has for Prometheus: samples by series, and the requests that they are written with."""

from __future__ import annotations

from collections.abc import Container, Iterator
from math import inf
from operator import itemgetter

from pipeline.exporters.prometheus_remote_write.encoding import Stamp, varint
from pipeline.lots import lots

Timed = list[tuple[int, bytes]]


class Unfit(ValueError):  # noqa: N818 - a finding, answered where it occurs
    """A point that has no form in Prometheus; the text is the reason, a label of the metric that counts it."""


class Series:
    """Samples of one series, as a field of a request."""

    __slots__ = ("_exemplars", "encoded", "labels", "samples")

    def __init__(self, labels: bytes, samples: list[bytes], exemplars: bytes = b"") -> None:
        """`samples` in the order of their times; exemplars go with the earlier ones where they are parted."""
        self.labels = labels
        self._exemplars = exemplars
        self.samples = samples
        body = labels + (samples[0] if len(samples) == 1 else b"".join(samples)) + exemplars
        self.encoded = b"\x0a" + varint(len(body)) + body

    def parted(self) -> tuple[Series, Series]:
        """The earlier half of the samples, and the later one."""
        middle = len(self.samples) // 2
        earlier, later = self.samples[:middle], self.samples[middle:]
        return Series(self.labels, earlier, self._exemplars), Series(self.labels, later)


class Metadata(Series):
    """What metrics are: counts no samples."""

    __slots__ = ()

    def __init__(self, encoded: bytes) -> None:
        """Take fields of a request."""
        self.labels = b""
        self.samples = []
        self.encoded = encoded


class Collected:
    """Samples of one batch.

    Attributes:
        series: (time in ms, sample or native histogram as a field) by the bytes of labels.
        duplicates: samples that had the time of another of their series, and another value.
    """

    def __init__(self, latest_ms: float = inf) -> None:
        """Start empty; points after `latest_ms` are not taken."""
        self._latest_ms = latest_ms
        self.series: dict[bytes, Timed] = {}
        self.exemplars: dict[bytes, Timed] = {}
        self.metadata: dict[str, bytes] = {}
        self.stamps: dict[bytes, Stamp] = {}
        self.duplicates = 0

    def add(self, labels: bytes, stamp: Stamp, value: bytes) -> None:
        """Add a sample; `value` is its double."""
        self.put(labels, stamp.time_ms, stamp.before + value + stamp.behind)

    def put(self, labels: bytes, time_ms: int, encoded: bytes) -> None:
        """Add what is encoded already."""
        timed = self.series.get(labels)
        if timed is None:
            self.series[labels] = [(time_ms, encoded)]
        else:
            timed.append((time_ms, encoded))

    def add_exemplar(self, labels: bytes, time_ms: int, encoded: bytes) -> None:
        """Add an exemplar."""
        self.exemplars.setdefault(labels, []).append((time_ms, encoded))

    def stamp(self, time: bytes) -> Stamp:
        """The stamp of a time in nanoseconds as it stands on the wire; a batch has few times and many points.

        Raises:
            Unfit: the time is too late.
        """
        stamp = self.stamps.get(time)
        if stamp is None:
            stamp = Stamp.of(int.from_bytes(time, "little"))
            if stamp.time_ms > self._latest_ms:
                raise Unfit("future")
            self.stamps[time] = stamp
        return stamp

    def requests(self, max_bytes: int, suspects: Container[object] = ()) -> Iterator[list[Series]]:
        """The series of each request, of at most `max_bytes` unless one series is larger; metadata come last.

        Series whose labels are `suspects` have requests of their own, which the others do not share the fate of.
        """
        apart: list[Series] = []
        yield from lots(self._others(suspects, apart) if suspects else self._series(), _encoded_bytes, max_bytes)
        yield from lots(apart, _encoded_bytes, max_bytes)
        if self.series:
            yield from self._metadata(max_bytes)

    def _others(self, suspects: Container[object], apart: list[Series]) -> Iterator[Series]:
        for series in self._series():
            if series.labels in suspects:
                apart.append(series)
            else:
                yield series

    def _series(self) -> Iterator[Series]:
        exemplars = self.exemplars
        for labels, timed in self.series.items():
            samples = [timed[0][1]] if len(timed) == 1 else self._sorted(timed)
            examples = b""
            if labels in exemplars:
                examples = b"".join([each for _, each in sorted(exemplars[labels], key=itemgetter(0))])
            yield Series(labels, samples, examples)

    def _sorted(self, timed: Timed) -> list[bytes]:
        timed.sort(key=itemgetter(0))
        last_ms, kept = -1, list[bytes]()
        for time_ms, sample in timed:
            if time_ms != last_ms:
                kept.append(sample)
            elif sample != kept[-1]:
                self.duplicates += 1
            last_ms = time_ms
        return kept

    def _metadata(self, max_bytes: int) -> Iterator[list[Series]]:
        for encoded in lots(self.metadata.values(), len, max_bytes):
            yield [Metadata(b"".join(encoded))]


def _encoded_bytes(series: Series) -> int:
    return len(series.encoded)
