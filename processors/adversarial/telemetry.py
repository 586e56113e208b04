"""What the processor counts of its own work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.telemetry.meter import Meter
from processors.adversarial.verdict import Label, Origin

ANNOTATE: Final = "annotate"
DROP: Final = "drop_content"
_PREFIX: Final = "penstock_adversarial"
_SCORE_BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_DURATION_BUCKETS_S: Final = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
_MOST_CATEGORIES: Final = 32
_OTHERS: Final = "others"

Observe = Callable[[float], None]


class Series:
    """A count that is cheap to raise; it is written down once a batch."""

    __slots__ = ("count", "counter")

    def __init__(self, counter: Any) -> None:
        """Count for `counter`."""
        self.counter = counter
        self.count = 0


class Telemetry:
    """Counts parts by verdict, and measures scores and times of what was examined."""

    def __init__(self, meter: Meter, *, shadow: bool) -> None:
        """Write to `meter`; `shadow`: what is dropped stays.

        Attributes:
            pending: where texts are counted that are not examined yet; they stay there when that fails.
            seen: texts that need not be examined.
        """
        self._meter = meter
        self._shadow = "true" if shadow else "false"
        self._series: dict[tuple[str, ...], Series] = {}
        self._categories: set[str] = set()
        self._cached, self._idle = self.skipped("cached"), (self.skipped("empty"), self.skipped("origin"))
        self.pending = self.skipped("error")
        self.seen = 0

    def parts(self, origin: Origin, label: Label, category: str, action: str = ANNOTATE) -> Series:
        """Where texts with a verdict are counted."""
        if category not in self._categories:
            if len(self._categories) >= _MOST_CATEGORIES:
                category = _OTHERS
            self._categories.add(category)
        key = origin.value, label.value, category, action
        series = self._series.get(key)
        if series is None:
            counter = self._meter.counter(
                f"{_PREFIX}_parts",
                "Texts that were scored, by verdict, origin, and what was done; shadow: would have been.",
                origin=origin.value,
                label=label.value,
                category=category,
                action=action,
                shadow=self._shadow,
            )
            series = self._series[key] = Series(counter)
        return series

    def skipped(self, reason: str) -> Series:
        """Where texts are counted that were not examined, or not all of them (`size`)."""
        series = self._series.get((reason,))
        if series is None:
            counter = self._meter.counter(
                f"{_PREFIX}_skipped",
                "Texts that were not examined: known from before (cached), empty, of an origin that is not wanted, "
                "in error; or of which only a part was read (size).",
                reason=reason,
            )
            series = self._series[reason,] = Series(counter)
        return series

    def histograms(self, origin: Origin) -> tuple[Observe, Observe]:
        """Where scores and seconds of texts of an origin are noted."""
        score = self._meter.histogram(
            f"{_PREFIX}_score", "Scores of texts that were examined.", _SCORE_BUCKETS, origin=origin.value
        )
        duration = self._meter.histogram(
            f"{_PREFIX}_duration_seconds",
            "Time to examine the texts of an origin that came together: their share of the time for all.",
            _DURATION_BUCKETS_S,
            origin=origin.value,
        )
        return score.observe, duration.observe

    def write(self) -> None:
        """Write down what was counted."""
        self._cached.count += self.seen - sum(series.count for series in self._idle)
        self.seen = 0
        for series in self._series.values():
            if series.count:
                series.counter.inc(series.count)
                series.count = 0
