"""The count of data points that Prometheus cannot be given, and what the log says of them."""

from __future__ import annotations

from typing import Final

from pipeline.component import Host

_MAX_LOGGED: Final = 1000


class Drops:
    """Counts dropped points in `penstock_prometheus_dropped_points_total`; logs each metric and reason once."""

    def __init__(self, host: Host) -> None:
        """Start with nothing logged."""
        self._host = host
        self._logged: set[tuple[str, str]] = set()

    def drop(self, metric: str, reason: str, count: int, **fields: str) -> None:
        """Count `count` points of a metric that are dropped; `fields` say more in the log."""
        if self.is_news(metric, reason):
            self._host.log.warning(
                "Data point does not fit Prometheus. Dropping data.", reason=reason, metric=metric, **fields
            )
        self._host.meter.counter(
            "penstock_prometheus_dropped_points", "Data points that do not fit Prometheus.", reason=reason
        ).inc(count)

    def is_news(self, name: str, reason: str) -> bool:
        """Whether this was not logged yet; the memory of it is bounded, since names come from outside."""
        key = (name, reason)
        if key in self._logged:
            return False
        if len(self._logged) >= _MAX_LOGGED:
            self._logged.clear()
        self._logged.add(key)
        return True
