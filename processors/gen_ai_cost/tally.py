"""What was priced and what was not, counted by batch."""

from __future__ import annotations

from collections import Counter

from pipeline.telemetry.meter import Meter
from processors.gen_ai_cost.names import names
from processors.gen_ai_cost.stated import StatedCost

_OTHER = "other"
_NONE = "none"


class Tally:
    """Counts of one batch; `flush` adds them to the meter and begins again."""

    def __init__(self, meter: Meter) -> None:
        """Count on this meter."""
        self._meter = meter
        self.priced: Counter[str] = Counter()
        """Calls by `penstock.cost.quality`."""
        self.unpriced: Counter[tuple[str, str]] = Counter()
        """Calls by reason and provider as it was said."""
        self.free: Counter[str] = Counter()
        """Calls that cost nothing: `failed`, `not_billed`."""
        self._stated: Counter[str] = Counter()
        self._stated_usd = self._computed_usd = 0.0

    def stated(self, stated: StatedCost, computed_usd: float) -> None:
        """A call states a cost and has a computed one."""
        self._stated["yes" if stated.agrees(computed_usd) else "no"] += 1
        self._stated_usd += stated.usd
        self._computed_usd += computed_usd

    def flush(self) -> None:
        """Add the counts to the meter."""
        counter = self._meter.counter
        for quality, count in self.priced.items():
            counter("penstock_cost_priced_calls", "Model calls with a cost, by its quality.", quality=quality).inc(
                count
            )
        for (reason, provider), count in self.unpriced.items():
            labels = {"reason": reason, "provider": _label(provider)}
            counter("penstock_cost_unpriced_calls", "Model calls without a price.", **labels).inc(count)
        for why, count in self.free.items():
            counter("penstock_cost_free_calls", "Model calls that no provider bills.", why=why).inc(count)
        if self._stated:
            self._flush_stated()
        self.priced.clear()
        self.unpriced.clear()
        self.free.clear()

    def _flush_stated(self) -> None:
        counter = self._meter.counter
        for agrees, count in self._stated.items():
            description = "Calls with a stated and a computed cost, by whether they are within 1 %."
            counter("penstock_cost_stated_calls", description, agrees=agrees).inc(count)
        description = "Costs of calls that have a stated and a computed one, by which it is."
        counter("penstock_cost_stated_usd", description, source="stated").inc(self._stated_usd)
        counter("penstock_cost_stated_usd", description, source="computed").inc(self._computed_usd)
        self._stated.clear()
        self._stated_usd = self._computed_usd = 0.0


def _label(provider: str) -> str:
    """A provider of which there are but so many."""
    return names().provider(provider) or (_OTHER if provider else _NONE)
