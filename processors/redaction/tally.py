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

    def add(self, entity: str, action: str, place: str) -> None:
        """Count one value."""
        self._counts[entity, action, place] += 1

    def write(self) -> None:
        """Move the counts into `penstock_redaction_values`."""
        if not self._counts:
            return
        for (entity, action, place), count in self._counts.items():
            self._meter.counter(
                "penstock_redaction_values",
                "Values that redaction replaced.",
                entity=entity,
                action=action,
                place=place,
            ).inc(count)
        self._counts.clear()
