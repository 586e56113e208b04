"""What is written on a call: its cost, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from pipeline.signals import Attributes, Record, Value
from processors.gen_ai_cost.billing import NotBilled
from processors.gen_ai_cost.book import PriceBook, Unpriced
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.estimates import estimate
from processors.gen_ai_cost.rates import Cost, Rates, Schedule, Usage, cost_of
from processors.gen_ai_cost.stated import StatedCost, stated_costs
from processors.gen_ai_cost.tally import Tally
from processors.gen_ai_cost.usage import (
    CACHED,
    DETAILS,
    INPUT,
    MOST_TOKENS,
    OUTPUT,
    TIERS,
    cached,
    detailed_usage,
    duration_s,
    has_failed,
    is_partial,
    tier_said,
    time_of,
    usage_of,
)

# What clients put where names belong is remembered by the price book: no more of it than a name can have.
_NAME_LIMIT: Final = 257
_USD: Final = "penstock.cost.usd"
_INPUT_USD: Final = "penstock.cost.input_usd"
_OUTPUT_USD: Final = "penstock.cost.output_usd"
_QUALITY: Final = "penstock.cost.quality"
_PRICE_ID: Final = "penstock.cost.price_id"
_UNPRICED: Final = "penstock.cost.unpriced"
_READ_USD: Final = "penstock.cost.cache_read_usd"
_WRITE_USD: Final = "penstock.cost.cache_write_usd"
_TIERS: Final = frozenset(TIERS)
_AMOUNT: Final = "penstock.cost.amount"
_CURRENCY: Final = "penstock.cost.currency"
_PARTS: Final = {part: f"penstock.cost.{part}_usd" for part in Cost._fields}
RESULTS: Final = frozenset({_USD, *_PARTS.values(), _QUALITY, _PRICE_ID, _UNPRICED, _AMOUNT, _CURRENCY})
"""All attributes that are written."""


class _Bill(NamedTuple):
    cost: Cost
    quality: str
    price_id: str
    rates: Rates


class Pricing:
    """Prices calls by a price book and a configuration, and counts what became of them."""

    def __init__(self, config: GenAiCostConfig, book: PriceBook, tally: Tally) -> None:
        """Load what is known of stated costs and of caches."""
        self._schedule_of = book.schedule
        self._tally = tally
        self._estimates = config.estimates
        self._prefers_stated = config.stated == "prefer"
        self._not_billed = NotBilled(config.not_billed)
        self._stated = stated_costs()
        self._stated_keys = frozenset() if config.stated == "ignore" else self._stated.keys
        self._special = RESULTS.union(self._stated_keys) if self._prefers_stated else RESULTS
        """Attributes after which a call takes more than arithmetic."""
        self._usual = CACHED.union(TIERS, self._stated_keys) - self._special
        """Attributes of which some are on most calls of some clients: they take no more than multiplication."""
        self._rare = RESULTS.union(self._not_billed.keys, self._stated_keys, DETAILS, TIERS)
        """Attributes that a plain call has none of: tokens in, tokens out, and nothing else about money."""

    def quick(self, record: Record, attributes: Attributes) -> Mapping[str, Value] | None:
        """What is written on a call that takes nothing but arithmetic and has no results yet; None for others."""
        get = attributes.get
        tokens_in, tokens_out = get(INPUT), get(OUTPUT)
        provider = get("gen_ai.provider.name") or get("gen_ai.system")
        model = get("gen_ai.response.model") or get("gen_ai.request.model")
        if (
            tokens_in.__class__ is not int
            or tokens_out.__class__ is not int
            or not (0 <= tokens_in <= MOST_TOKENS and 0 <= tokens_out <= MOST_TOKENS)
            or provider.__class__ is not str
            or model.__class__ is not str
            or len(provider) + len(model) > _NAME_LIMIT
        ):
            return None
        if self._rare.isdisjoint(attributes):
            schedule = self._schedule_of(provider, model, "")
            if schedule.__class__ is Schedule and (rates := schedule.always) is not None and rates.is_plain:
                # As `_plain`, for most calls, at half of its cost.
                price = rates.flat or rates.at(tokens_in)
                input_usd, output_usd = tokens_in * price.input, tokens_out * price.output
                return {
                    _USD: input_usd + output_usd,
                    _INPUT_USD: input_usd,
                    _OUTPUT_USD: output_usd,
                    _QUALITY: "exact",
                    _PRICE_ID: rates.price_id or schedule.price_id,
                }
            return self._plain(record, provider, model, "", tokens_in, tokens_out)
        found = self._rare.intersection(attributes)
        results: Mapping[str, Any] | None = None
        if found <= self._usual:
            read, written = cached(attributes)
            if read + written <= tokens_in:
                tier = "" if _TIERS.isdisjoint(found) else tier_said(attributes)[:_NAME_LIMIT]
                results = self._plain(record, provider, model, tier, tokens_in, tokens_out, read, written)
        if results is None:
            results = self._detailed(record, attributes, found, Usage(tokens_in, tokens_out), provider, model)
        if results is not None and not found.isdisjoint(self._stated_keys):
            stated = self._stated.read(attributes)
            if stated is not None:
                self._tally.stated(stated, results[_USD])
        return results

    def _plain(
        self,
        record: Record,
        provider: str,
        model: str,
        tier: str,
        tokens: int,
        outgoing: int,
        read: int = 0,
        written: int = 0,
    ) -> Mapping[str, Value] | None:
        """As `quick`, of a call of text, with or without a cache; as `cost_of`, and cheaper."""
        schedule = self._schedule_of(provider, model, tier)
        if schedule.__class__ is not Schedule:
            return None
        rates = schedule.always or schedule.at(time_of(record))
        if not rates.is_plain:
            return None
        price = rates.flat or rates.at(tokens)
        input_usd, output_usd = (tokens - read - written) * price.input, outgoing * price.output
        read_usd, write_usd = read * price.cache_read, written * price.cache_write
        results: dict[str, Value] = {
            _USD: input_usd + output_usd + read_usd + write_usd,
            _INPUT_USD: input_usd,
            _OUTPUT_USD: output_usd,
            _QUALITY: "exact",
            _PRICE_ID: rates.price_id or schedule.price_id,
        }
        if read_usd:
            results[_READ_USD] = read_usd
        if write_usd:
            results[_WRITE_USD] = write_usd
        return results

    def _detailed(
        self,
        record: Record,
        attributes: Attributes,
        found: AbstractSet[str],
        usage: Usage,
        provider: str,
        model: str,
    ) -> Mapping[str, Any] | None:
        """As `quick`, with counts of parts, a service tier or a stated cost; `found` are those of interest."""
        if not found.isdisjoint(self._special) or self._is_free(found, attributes):
            return None
        tier = "" if _TIERS.isdisjoint(found) else tier_said(attributes)[:_NAME_LIMIT]
        schedule = self._schedule_of(provider, model, tier)
        if not isinstance(schedule, Schedule):
            return None
        rates = schedule.always or schedule.at(time_of(record))
        if rates.per_second_usd:
            return None
        if not DETAILS.isdisjoint(found):
            usage = detailed_usage(usage.input, usage.output, attributes)
        cost = cost_of(usage, rates)
        if cost is None:
            return None
        return _priced(cost, "exact", rates.price_id or schedule.price_id, rates)

    def _is_free(self, found: AbstractSet[str], attributes: Attributes) -> str | None:
        """The attribute that says that the call reached no provider; `found` are those of interest that it has."""
        return None if found.isdisjoint(self._not_billed.keys) else self._not_billed.reason(attributes)

    def results(self, record: Record, attributes: Attributes) -> Mapping[str, Value]:
        """What is written on any call; counts it."""
        found = self._rare.intersection(attributes)
        marker = self._is_free(found, attributes)
        if marker is not None:
            self._tally.free["not_billed"] += 1
            return _priced(Cost(), "exact", f"not_billed@{marker}", None)
        stated = None if found.isdisjoint(self._stated_keys) else self._stated.read(attributes)
        bill = self._bill(record, attributes)
        if stated is not None and isinstance(bill, _Bill):
            self._tally.stated(stated, bill.cost.total)
        if stated is not None and self._prefers_stated:
            self._tally.priced["stated"] += 1
            return _as_stated(stated)
        if isinstance(bill, _Bill):
            self._tally.priced[bill.quality] += 1
            return _priced(*bill)
        return self._without_price(bill, record, attributes)

    def _without_price(self, reason: str, record: Record, attributes: Attributes) -> Mapping[str, Value]:
        if reason == "no_usage" and has_failed(record, attributes):
            self._tally.free["failed"] += 1
            return {}
        self._tally.unpriced[reason, _provider(attributes)] += 1
        return {_UNPRICED: reason}

    def _bill(self, record: Record, attributes: Attributes) -> _Bill | str:
        """The cost by our tables, or the reason why there is none."""
        try:
            usage = usage_of(attributes)
        except Unpriced as reason:
            return str(reason)
        schedule = self._schedule_of(_provider(attributes), _model(attributes), tier_said(attributes)[:_NAME_LIMIT])
        if isinstance(schedule, Unpriced):
            return str(schedule) if usage is not None else "no_usage"
        rates = schedule.at(time_of(record))
        quality = "exact"
        is_enough = usage is not None and not is_partial(attributes, output_costs=rates.output_costs)
        if not is_enough and rates.needs_tokens:
            estimated = self._estimate(record, attributes, usage)
            if estimated is None:
                return "no_usage" if usage is None else "partial_usage"
            usage, quality = estimated, "estimated"
        seconds = duration_s(record) if rates.per_second_usd else 0.0
        if seconds is None:
            return "no_duration"
        cost = cost_of(usage or Usage(), rates, seconds)
        return _Bill(cost, quality, rates.price_id or schedule.price_id, rates) if cost is not None else "no_rate"

    def _estimate(self, record: Record, attributes: Attributes, said: Usage | None) -> Usage | None:
        if not self._estimates or (said is None and has_failed(record, attributes)):
            return None
        return estimate(attributes, said)


def _provider(attributes: Attributes) -> str:
    return _name(attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system"))


def _model(attributes: Attributes) -> str:
    return _name(attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model"))


def _name(value: Any) -> str:
    return value[:_NAME_LIMIT] if isinstance(value, str) else ""


def _priced(cost: Cost, quality: str, price_id: str, rates: Rates | None) -> Mapping[str, Value]:
    input_usd, output_usd, read_usd, write_usd, other_usd = cost
    usd = input_usd + output_usd + read_usd + write_usd + other_usd
    results: dict[str, Value] = {_USD: usd, _INPUT_USD: input_usd, _OUTPUT_USD: output_usd}
    if read_usd:
        results[_READ_USD] = read_usd
    if write_usd:
        results[_WRITE_USD] = write_usd
    if other_usd:
        results["penstock.cost.other_usd"] = other_usd
    if rates is not None and rates.currency != "USD":
        results[_AMOUNT] = usd / rates.usd_per_unit
        results[_CURRENCY] = rates.currency
    results[_QUALITY] = quality
    results[_PRICE_ID] = price_id
    return results


def _as_stated(stated: StatedCost) -> Mapping[str, Value]:
    parts = {_PARTS[part]: usd for part, usd in stated.parts.items()}
    return {_USD: stated.usd, **parts, _QUALITY: "stated", _PRICE_ID: f"stated@{stated.attribute}"}


def write(attributes: Attributes, results: Mapping[str, Value]) -> None:
    """Write the results; those of an earlier pass that no longer hold go."""
    earlier = RESULTS.intersection(attributes)
    if not earlier:
        if results:
            attributes.add(results)
        return
    for key in earlier.difference(results):
        del attributes[key]
    attributes.update(results)
