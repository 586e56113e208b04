"""The price table: PyPI `genai-prices`, compiled to our own rate records, with our normalisation of names in front."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import yaml

from processors.gen_ai_cost.rates import Price, Rates, Schedule

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

# Distinct (provider, model, tier) that are remembered, unknown ones included: ids come from clients and have no bound.
_CACHE_ENTRIES: Final = 10_000
# No id of a model comes near.
_LONGEST_MODEL: Final = 256
_PER_MILLION: Final = 1e-6

# Keys of the table's price records for the kinds of tokens we price.
_PRICE_KEYS: Final[Mapping[str, str]] = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
}


class Unpriced(LookupError):  # noqa: N818 - an outcome with its reason
    """No price; the text is the reason written to `penstock.cost.unpriced`."""


class PriceTable:
    """Finds the schedule of rates for a provider and a model, as they stand in telemetry."""

    def __init__(self) -> None:
        """Load the table and the spellings."""
        from genai_prices.data import providers  # noqa: PLC0415 - 28 MB that only this processor needs

        self._providers: dict[str, Provider] = {provider.id: provider for provider in providers}
        self._names = _names()
        self._version = version("genai-prices")
        self.schedule = lru_cache(maxsize=_CACHE_ENTRIES)(self._schedule)

    def _schedule(self, provider: str, model: str, tier: str) -> Schedule | Unpriced:
        """The rates of a model by service tier (`""`: standard), or why there are none. Cached as `schedule`."""
        try:
            table, info = self._find(provider.strip().lower(), model.strip())
        except Unpriced as reason:
            return reason
        return _compile(info, tier, price_id=f"{table}/{info.id}@genai-prices-{self._version}")

    def _find(self, provider: str, model: str) -> tuple[str, ModelInfo]:
        if not model:
            raise Unpriced("no_model")
        if len(model) > _LONGEST_MODEL:
            raise Unpriced("unknown_model")
        if provider in self._names.self_hosted:
            raise Unpriced("self_hosted")
        table = self._provider(provider, model)
        everyone = list(self._providers.values())
        for candidate in self._names.candidates(model):
            info = table.find_model(candidate, all_providers=everyone)
            if info is not None:
                return table.id, info
        raise Unpriced("unknown_model")

    def _provider(self, provider: str, model: str) -> Provider:
        known = self._names.providers.get(provider, provider)
        if known in self._providers:
            return self._providers[known]
        if provider:
            raise Unpriced("unknown_provider")
        for table in self._providers.values():
            if table.model_match is not None and table.model_match.is_match(model.lower()):
                return table
        raise Unpriced("no_provider")


class _Names:
    """The data file `names.yaml`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.providers: dict[str, str] = data["providers"]
        self.self_hosted = frozenset(data["self_hosted"])
        self._prefixes = [re.compile(pattern) for pattern in data["model_prefixes"]]

    def candidates(self, model: str) -> Iterator[str]:
        """The id as it stands, then without each known prefix."""
        yield model
        for prefix in self._prefixes:
            match = prefix.match(model)
            if match:
                model = match[1]
                yield model


@cache
def _names() -> _Names:
    return _Names(yaml.safe_load(files(__package__).joinpath("names.yaml").read_text(encoding="utf-8")))


def _compile(info: ModelInfo, tier: str, *, price_id: str) -> Schedule:
    """All that the table says of one model and tier, as rates between dates and, where needed, hours of the day."""
    starts, hours = {date(1970, 1, 1)}, {time(0, 0)}
    for constraint in _constraints(info):
        if hasattr(constraint, "start_date"):
            starts.add(constraint.start_date)
        else:
            hours.update((_utc(constraint.start_time), _utc(constraint.end_time)))
    days, moments = sorted(starts), sorted(hours)
    return Schedule(
        price_id=price_id,
        rates=tuple(tuple(_rates(info, datetime.combine(day, at, UTC), tier) for at in moments) for day in days),
        starts_ns=tuple(int(datetime.combine(day, time(0, 0), UTC).timestamp()) * 10**9 for day in days),
        daily_ns=tuple(((at.hour * 60 + at.minute) * 60 + at.second) * 10**9 for at in moments),
    )


def _constraints(info: ModelInfo) -> Iterator[Any]:
    prices: Iterable[Any] = info.prices if isinstance(info.prices, list) else ()
    for item in (*prices, *(info.price_variants or ())):
        if item.constraint is not None:
            yield item.constraint


def _utc(moment: time) -> time:
    zoned = datetime.combine(date(2000, 1, 1), moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return zoned.astimezone(UTC).time()


def _rates(info: ModelInfo, at: datetime, tier: str) -> Rates:
    context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier} if tier else None
    record = info.get_prices(at, context)
    per_thousand = getattr(record, "requests_kcount", None)
    prices: dict[str, Any] = {name: _price(record, key) for name, key in _PRICE_KEYS.items()}
    return Rates(**prices, per_request_usd=float(per_thousand) / 1000 if per_thousand is not None else 0.0)


def _price(record: ModelPrice, key: str) -> Price | None:
    value = getattr(record, key, None)
    if value is None:
        return None
    if hasattr(value, "base"):
        return Price(
            base=float(value.base) * _PER_MILLION,
            starts=tuple(tier.start for tier in value.tiers),
            tiers=tuple(float(tier.price) * _PER_MILLION for tier in value.tiers),
        )
    return Price(base=float(value) * _PER_MILLION)
