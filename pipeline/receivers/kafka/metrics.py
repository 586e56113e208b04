"""What the receiver counts, under the Collector's names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pipeline.component import Host
from pipeline.kafka.record import Record
from pipeline.signals import Signal

if TYPE_CHECKING:
    from prometheus_client import Counter


@dataclass(frozen=True, slots=True)
class ItemCounters:
    """Spans, log records or data points, by what the pipelines said."""

    accepted: Counter
    refused: Counter
    failed: Counter

    @classmethod
    def of(cls, host: Host, signal: Signal) -> Self:
        """The counters of a receiver."""

        def counter(what: str, description: str) -> Counter:
            return host.meter.counter(f"otelcol_receiver_{what}_{signal.items}", description, transport="kafka")

        return cls(
            counter("accepted", "Items taken by the pipelines."),
            counter("refused", "Items that the pipelines did not take; they are offered again, or given up."),
            counter("failed", "Items that met an error inside."),
        )


class PartitionMetrics:
    """What is read from one partition while it is ours (the Collector's `kafka_receiver_*`).

    Gauges end with `close`, so that no partition shows the lag it had when it went to another member.
    """

    def __init__(self, host: Host, topic: str, partition: int) -> None:
        """Make the series of a partition."""
        labels = {"topic": topic, "partition": str(partition)}
        meter = host.meter
        self._records = meter.counter(
            "otelcol_kafka_receiver_records", "Records that were read.", **labels, outcome="success"
        )
        self._bytes = meter.counter(
            "otelcol_kafka_receiver_bytes_uncompressed",
            "Bytes of keys and values that were read, uncompressed.",
            **labels,
            outcome="success",
        )
        self._last: int | None = None
        self._end = 0
        self._is_open = True
        gauges = {
            "otelcol_kafka_receiver_current_offset": ("Offset of the last record that was read.", self._offset),
            "otelcol_kafka_receiver_offset_lag": ("Records behind the last one that was read.", self._lag),
        }
        for name, (description, read) in gauges.items():
            meter.gauge(name, description, **labels).set_function(read)

    def read(self, records: Sequence[Record], end_offset: int | None) -> None:
        """Count records; the partition ended at `end_offset` when they were fetched."""
        self._records.inc(len(records))
        self._bytes.inc(sum(len(record.value or b"") + len(record.key or b"") for record in records))
        self._last = records[-1].offset
        self._end = max(self._end, end_offset or 0)

    def close(self) -> None:
        """The partition is not ours any more."""
        self._is_open = False

    def _offset(self) -> float:
        if not self._is_open:
            # What a registry takes for the end of a series; any other error for one that shows nothing at the moment.
            raise ReferenceError
        if self._last is None:
            raise LookupError
        return self._last

    def _lag(self) -> float:
        return max(0.0, self._end - self._offset() - 1)
