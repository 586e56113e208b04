"""Price tables kept as plain records: `supplement.json` (what the base table lacks) and `corrections.yaml` (where it
is wrong).

A record holds USD per million tokens by kind (`input`, `output`, `cache_read`, ...), `above` the same for requests with
more input tokens than its key says, `batch`, `flex`, `priority` and `fast` what a service tier changes, `per_request`
USD. `prices` makes a list of records by `from` (a day or a moment, UTC), `daily` one by `start` (a time of day, UTC);
`weekend` is what holds on Saturdays and Sundays (UTC) instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from processors.gen_ai_cost.book import Found
from processors.gen_ai_cost.data import load
from processors.gen_ai_cost.names import Ident, candidates, names
from processors.gen_ai_cost.rates import Price, Rates, Schedule, Usage

_PER_MILLION: Final = 1e-6
# Compiled prices; tiers are words of clients, so that there may be any number of them.
_REMEMBERED: Final = 4096
_SECOND_NS: Final = 10**9
_MIDNIGHT: Final = "00:00"
_SATURDAY: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Weekends are written out until then; afterwards the last one's week goes on.
_LAST_WEEK: Final = datetime(2032, 1, 1, tzinfo=UTC)

Record = Mapping[str, Any]


class RecordTable:
    """A table of records: provider (the conventions' name) -> model id -> record."""

    def __init__(self, name: str, records: Mapping[str, Mapping[str, Record]]) -> None:
        """Index the ids without regard to case."""
        self.name = name
        self._records = {
            provider: {model.lower(): record for model, record in models.items()}
            for provider, models in records.items()
        }
        self._schedule = lru_cache(maxsize=_REMEMBERED)(self._compile)

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The price of a model; a tier for which its record says nothing is not in this table."""
        provider = names().providers.get(ident.provider)
        if ident.unpriced or provider is None:
            return None
        for name in (provider.name, provider.like):
            models = self._records.get(name, {})
            for candidate in candidates(provider, ident.model) if models else ():
                if candidate in models:
                    schedule = self._schedule(name, candidate, tier)
                    return Found(schedule, tuple(self._steps(name, candidate))) if schedule else None
        return None

    def _compile(self, provider: str, model: str, tier: str) -> Schedule | None:
        label = f"{model}+{tier}" if tier else model
        return schedule_of(self._records[provider][model], tier, f"{provider}/{label}@{self.name.replace(' ', '-')}")

    def _steps(self, provider: str, model: str) -> Iterator[str]:
        yield f"{self.name}: {provider}/{model}"
        source = self._records[provider][model].get("source")
        if source:
            yield f"source: {source}"


def schedule_of(record: Record, tier: str, price_id: str) -> Schedule | None:
    """The rates of a record over time; None where it has none for the tier."""
    dated: Sequence[Record] = record.get("prices", [record])
    if tier and not any(tier in part for part in dated):
        return None
    hours = sorted({_MIDNIGHT} | {part["start"] for item in dated for part in item.get("daily", ())})
    ends = [*(_moment(item.get("from")) for item in dated[1:]), _LAST_WEEK]
    starts: list[int] = []
    rates: list[tuple[Rates, ...]] = []
    for item, end in zip(dated, ends, strict=True):
        week = tuple(_rates(_at_hour(item, hour), tier) for hour in hours)
        weekend = tuple([_rates({**item, **item["weekend"]}, tier)] * len(hours)) if "weekend" in item else None
        for start, is_weekend in _parts(_moment(item.get("from")), end, has_weekends=weekend is not None):
            starts.append(int(start.timestamp()) * _SECOND_NS)
            rates.append(weekend if is_weekend and weekend else week)
    return Schedule(price_id, tuple(rates), tuple(starts), tuple(_time_ns(hour) for hour in hours))


def _parts(start: datetime, end: datetime, *, has_weekends: bool) -> Iterator[tuple[datetime, bool]]:
    """The stretches between two moments that are weekend or are not: (start, is weekend)."""
    yield start, has_weekends and start.weekday() >= _SATURDAY
    if not has_weekends:
        return
    day = datetime.combine(start.date(), time(0, 0), UTC) + timedelta(days=1)
    while day < end:
        if day.weekday() in {0, _SATURDAY}:
            yield day, day.weekday() == _SATURDAY
        day += timedelta(days=1)


def _at_hour(record: Record, hour: str) -> Record:
    """A record as it is at a time of day: the last part that has begun, else the one that began the day before."""
    parts = sorted(record.get("daily", ()), key=lambda part: str(part["start"]))
    if not parts:
        return record
    begun = [part for part in parts if part["start"] <= hour]
    return {**record, **(begun or parts)[-1]}


def _rates(record: Record, tier: str) -> Rates:
    changes = record.get(tier) if tier else {}
    if changes is None:
        return Rates()
    prices = {kind: _price(kind, record, changes) for kind in Usage._fields}
    return Rates(**prices, per_request_usd=float(record.get("per_request", 0.0)))


def _price(kind: str, record: Record, changes: Record) -> Any:
    source = changes if kind in changes else record
    if source.get(kind) is None:
        return None
    above = {int(start): part[kind] for start, part in source.get("above", {}).items() if kind in part}
    starts = sorted(above)
    return Price(
        float(source[kind]) * _PER_MILLION, tuple(starts), tuple(float(above[start]) * _PER_MILLION for start in starts)
    )


def _moment(moment: date | None) -> datetime:
    if moment is None:
        return _EPOCH
    at = moment if isinstance(moment, datetime) else datetime.combine(moment, time(0, 0))
    return at.replace(tzinfo=UTC)


def _time_ns(hour: str) -> int:
    at = time.fromisoformat(hour)
    return (at.hour * 60 + at.minute) * 60 * _SECOND_NS


def supplement() -> RecordTable:
    """What the base table lacks and two other tables agree on (made by `scripts/price-supplement`)."""
    data = json.loads(files(__package__).joinpath("supplement.json").read_bytes())
    return RecordTable(f"supplement {data['made']}", data["prices"])


def corrections() -> RecordTable:
    """Where the base table is known to be wrong or to lack a vendor's rule: written by hand, each with its source."""
    data = hand_written()
    records: dict[str, dict[str, Record]] = {}
    for entry in data["corrections"]:
        for provider in entry["providers"]:
            records.setdefault(provider, {}).update(dict.fromkeys(entry["models"], entry))
    return RecordTable(f"corrections {data['made']}", records)


@cache
def hand_written() -> Any:
    """The file `corrections.yaml`."""
    return load("corrections.yaml")
