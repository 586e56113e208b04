"""Counts of one batch on their way to the metrics."""

from __future__ import annotations

from collections import Counter

from pipeline.telemetry.meter import Meter


class Tally:
    """What was cut and removed by place, kind and limit; written to the meter once per batch."""

    def __init__(self, meter: Meter) -> None:
        """Count for one component."""
        self._meter = meter
        self._cut: Counter[tuple[str, str, str]] = Counter()
        self._bytes: Counter[tuple[str, str]] = Counter()
        self._removed: Counter[tuple[str, str]] = Counter()
        self._over: Counter[str] = Counter()

    def cut(self, where: str, kind: str, limit: str, missing_bytes: int) -> None:
        """Count a value that was cut, and the bytes that are gone."""
        self._cut[where, kind, limit] += 1
        self._bytes[where, limit] += max(0, missing_bytes)

    def removed(self, where: str, limit: str, count: int, missing_bytes: int) -> None:
        """Count attributes or events that were taken out whole."""
        self._removed[where, limit] += count
        self._bytes[where, limit] += max(0, missing_bytes)

    def over(self, limit: str) -> None:
        """Count a record that stays larger than it should be."""
        self._over[limit] += 1

    def write(self) -> None:
        """Move the counts into the meter."""
        if not (self._bytes or self._over):
            return
        counter = self._meter.counter
        for (where, kind, limit), count in self._cut.items():
            help_text = "Values that were cut, by place, kind and limit."
            counter("penstock_limits_cut_values", help_text, where=where, kind=kind, limit=limit).inc(count)
        for (where, limit), count in self._bytes.items():
            help_text = "Bytes that were cut or removed, by place and limit."
            counter("penstock_limits_cut_bytes", help_text, where=where, limit=limit).inc(count)
        for (where, limit), count in self._removed.items():
            help_text = "Attributes and events that were removed whole where cutting was not enough."
            counter("penstock_limits_removed_items", help_text, where=where, limit=limit).inc(count)
        for limit, count in self._over.items():
            help_text = "Records that are over a limit although all that may be cut was cut."
            counter("penstock_limits_over_records", help_text, limit=limit).inc(count)
        for counts in (self._cut, self._bytes, self._removed, self._over):
            counts.clear()
