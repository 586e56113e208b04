"""Counts of one batch on their way to the metrics."""

from __future__ import annotations

from collections import Counter
from typing import Final

from pipeline.telemetry.meter import Meter

UNKNOWN_ENTITY: Final = "REDACTED"
"""Counted for a value that was replaced whole because it could not be examined."""


class Tally:
    """Replaced values by entity and place; written to the meter once per batch."""

    def __init__(self, meter: Meter) -> None:
        """Count for one component."""
        self._meter = meter
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()

    def add(self, entity: str, action: str, place: str) -> None:
        """Count one value."""
        self._counts[entity, action, place] += 1

    def fail(self, reason: str, place: str) -> None:
        """Count one value, or one record, that could not be examined."""
        self._failures[reason, place] += 1

    def write(self) -> int:
        """Move the counts into `penstock_redaction_values` and `penstock_redaction_failures`; returns the failures."""
        failed = self._failures.total()
        for (reason, place), count in self._failures.items():
            self._meter.counter(
                "penstock_redaction_failures",
                "Values and records that could not be examined; they were replaced or dropped.",
                reason=reason,
                place=place,
            ).inc(count)
        self._failures.clear()
        for (entity, action, place), count in self._counts.items():
            self._meter.counter(
                "penstock_redaction_values",
                "Values that redaction replaced.",
                entity=entity,
                action=action,
                place=place,
            ).inc(count)
        self._counts.clear()
        return failed
