"""The base table: PyPI `genai-prices`, compiled to our own rate records model by model, when one is asked for first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from processors.gen_ai_cost.book import Found
from processors.gen_ai_cost.matching import Guard, Index
from processors.gen_ai_cost.names import Ident, ProviderNames, candidates, names
from processors.gen_ai_cost.rates import Price, Rates, Schedule
from processors.gen_ai_cost.records import hand_written

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_PER_MILLION: Final = 1e-6
# Compiled prices; tiers are words of clients, so that there may be any number of them.
_REMEMBERED: Final = 4096
# A model that has no price at a service tier is asked for again without one.
_RECENT: Final = 128
_EPOCH: Final = date(1970, 1, 1)

# Kinds of tokens that we price, and the table's key for each.
_PRICE_KEYS: Final[Mapping[str, str]] = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "image_input": "input_image_mtok",
    "image_output": "output_image_mtok",
}

# Our service tiers, and the request contexts under which the table keeps their prices.
_CONTEXTS: Final[Mapping[str, tuple[Mapping[str, str], ...]]] = {
    "batch": ({"processing": "batch"},),
    "flex": ({"service_tier": "flex"},),
    "priority": ({"service_tier": "priority"},),
    "fast": ({"service_tier": "fast"}, {"speed": "fast"}),
}

# The table has no prices for models of this kind.
_FREE_OF_CHARGE: Final = ":free"
_FREE: Final = ((Rates(input=Price(0.0), output=Price(0.0)),),)


class _Match(NamedTuple):
    candidate: str
    table: str
    info: ModelInfo
    rule: str


@cache
def _loaded() -> tuple[dict[str, Provider], Guard, dict[str, Index]]:
    """The providers of the package, which matches are believed, and an index of each provider's models."""
    from genai_prices.data import providers  # noqa: PLC0415 - heavy, and only this table needs it

    tables: dict[str, Provider] = {provider.id: provider for provider in providers}
    guard = Guard(hand_written())
    return tables, guard, {name: Index(table.models, guard) for name, table in tables.items()}


class BaseTable:
    """Prices of genai-prices. Nothing is compiled before it is asked for, and all that was asked for is kept.

    With `resold`, the prices of models that a provider resells: those of their makers. They are a weaker source than
    any table which knows the provider's own price.
    """

    def __init__(self, *, resold: bool = False) -> None:
        """Load the table: about 0.2 s and 10 MB, once for a process."""
        self._tables, self._guard, self._indexes = _loaded()
        self._is_resold = resold
        self._source = f"genai-prices {version('genai-prices')}"
        self.name = f"{self._source}, prices of makers" if resold else self._source
        self._compiled: Callable[[str, str, str], Schedule | None] = lru_cache(maxsize=_REMEMBERED)(self._compile)
        self._match = lru_cache(maxsize=_RECENT)(self._first)

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The price of a model; a tier for which the table has no price of its own is not in this table."""
        provider = names().providers.get(ident.provider)
        if ident.unpriced or provider is None or provider.table not in self._tables:
            return None
        match = self._match(provider, ident.model, ident.raw_model.strip().lower())
        if match is not None:
            return self._found(provider, match, tier)
        if provider.free and ident.model.endswith(provider.free) and not self._is_resold:
            free = Schedule(f"{provider.name}/*{provider.free}", _FREE)
            return Found(free, (f"{provider.name}: ids that end with {provider.free!r} cost nothing",))
        return None

    def _first(self, provider: ProviderNames, model: str, raw: str) -> _Match | None:
        """The model that an id means, in whichever of its forms the table knows first."""
        forms = candidates(provider, model, undated=True)
        makers = self._makers(provider)
        for form in forms if raw in forms else (*forms, raw):
            for name in makers:
                found = (
                    None
                    if self._guard.ignores(name, form)
                    else self._indexes[name].find(form, is_exact=provider.is_exact)
                )
                if found is not None:
                    return _Match(form, name, *found)
        return None

    def _makers(self, provider: ProviderNames) -> Sequence[str]:
        own = self._tables[provider.table]
        return self._guard.makers.get(own.id, own.fallback_model_providers or ()) if self._is_resold else (own.id,)

    def _found(self, provider: ProviderNames, match: _Match, tier: str) -> Found | None:
        if tier and self._is_resold and tier not in provider.maker_tiers:
            # Another vendor's discounts do not hold for whoever resells its models.
            return None
        schedule = self._compiled(match.table, match.info.id, tier)
        if schedule is None:
            return None
        return Found(schedule, (f"{self.name}: {match.candidate!r} is {match.table}/{match.info.id} by {match.rule}",))

    def _compile(self, table: str, model: str, tier: str) -> Schedule | None:
        info = next(info for info in self._tables[table].models if info.id == model)
        if (tier and not any(_variants(info, tier))) or _is_empty(info):
            return None
        label = f"{model}+{tier}" if tier else model
        return compile_model(info, tier, price_id=f"{table}/{label}@{self._source.replace(' ', '-')}")


def compile_model(info: ModelInfo, tier: str, *, price_id: str) -> Schedule:
    """All that the table says of one model and tier, as rates between dates and, where needed, hours of the day."""
    starts, hours = {_EPOCH}, {time(0, 0)}
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


def _variants(info: ModelInfo, tier: str) -> Iterator[Any]:
    contexts = _CONTEXTS.get(tier, ())
    return (variant for variant in info.price_variants or () if variant.when in contexts)


def _is_empty(info: ModelInfo) -> bool:
    """Whether the table knows the model and no price of it."""
    prices = [item.prices for item in info.prices] if isinstance(info.prices, list) else [info.prices]
    return not any(any(_priced(price)) for price in prices) and not info.id.endswith(_FREE_OF_CHARGE)


def _constraints(info: ModelInfo) -> Iterator[Any]:
    prices = info.prices if isinstance(info.prices, list) else ()
    for item in (*prices, *(info.price_variants or ())):
        if item.constraint is not None:
            yield item.constraint


def _utc(moment: time) -> time:
    zoned = datetime.combine(date(2000, 1, 1), moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return zoned.astimezone(UTC).time()


def _rates(info: ModelInfo, at: datetime, tier: str) -> Rates:
    standard = info.get_prices(at)
    prices: dict[str, Any] = {name: _price(standard, key) for name, key in _PRICE_KEYS.items()}
    if tier:
        prices.update(_tier_prices(info, at, tier, prices))
    priced = list(_priced(standard))
    if "embed" in info.id or (priced and all(key.startswith(("input_", "cache_")) for key in priced)):
        # Embeddings and classifiers: what a client counts as output is not billed.
        prices["output"] = Price(0.0)
    elif not priced and info.id.endswith(_FREE_OF_CHARGE):
        prices["input"] = prices["output"] = Price(0.0)
    per_thousand = getattr(standard, "requests_kcount", None)
    return Rates(**prices, per_request_usd=float(per_thousand) / 1000 if per_thousand is not None else 0.0)


def _priced(record: ModelPrice) -> Iterator[str]:
    return (key for key, value in vars(record).items() if value is not None)


def _tier_prices(info: ModelInfo, at: datetime, tier: str, standard: Mapping[str, Price | None]) -> dict[str, Price]:
    """What a tier changes. Before the day from which the table knows it, the relation of that day to standard holds."""
    active = [
        variant for variant in _variants(info, tier) if variant.constraint is None or variant.constraint.active(at)
    ]
    if active:
        return {name: price for name, key in _PRICE_KEYS.items() for price in _first(active, key)}
    first = min(_variants(info, tier), key=lambda variant: variant.constraint.start_date)
    start = datetime.combine(first.constraint.start_date, time(0, 0), UTC)
    then = {name: _price(info.get_prices(start), key) for name, key in _PRICE_KEYS.items()}
    changed = {}
    for name, key in _PRICE_KEYS.items():
        base, price, now = then[name], _price(first.prices, key), standard[name]
        if base is not None and base.base and price is not None and now is not None:
            changed[name] = price if now == base else now.scaled(price.base / base.base)
    return changed


def _first(variants: list[Any], key: str) -> list[Price]:
    found = (price for variant in variants if (price := _price(variant.prices, key)) is not None)
    return [price for price in (next(found, None),) if price is not None]


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
