"""The component: reads convention attributes, writes `penstock.cost.*`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from pipeline.clock import Clock
from pipeline.component import Host, Processor
from pipeline.signals import Attributes, Batch, Record, Signal, Value
from processors.gen_ai_cost.billing import NotBilled
from processors.gen_ai_cost.book import Unpriced
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.estimates import estimate
from processors.gen_ai_cost.overrides import Overrides
from processors.gen_ai_cost.rates import Cost, Rates, Schedule, Usage, cost_of
from processors.gen_ai_cost.stated import StatedCost, stated_costs
from processors.gen_ai_cost.tables import made, price_book
from processors.gen_ai_cost.tally import Tally
from processors.gen_ai_cost.usage import (
    DETAILS,
    INPUT,
    MOST_TOKENS,
    OUTPUT,
    TIERS,
    duration_s,
    has_failed,
    is_partial,
    tier_said,
    time_of,
    usage_of,
)

# Operations that a provider bills (gen_ai.operation.name), where no normaliser has said which spans are calls.
_BILLED: Final = frozenset(
    {
        "chat",
        "generate_content",
        "text_completion",
        "embeddings",
        "rerank",
        "speech",
        "transcription",
        "translation",
        "image_generation",
    }
)
_DAY_S: Final = 86_400
_ROLE: Final = "penstock.gen_ai.role"
_DIALECT: Final = "penstock.dialect"
# What clients put where names belong is remembered by the price book: no more of it than a name can have.
_NAME_LIMIT: Final = 257
_USD: Final = "penstock.cost.usd"
_QUALITY: Final = "penstock.cost.quality"
_PRICE_ID: Final = "penstock.cost.price_id"
_UNPRICED: Final = "penstock.cost.unpriced"
_INPUT_USD: Final = "penstock.cost.input_usd"
_OUTPUT_USD: Final = "penstock.cost.output_usd"
_PARTS: Final = {part: f"penstock.cost.{part}_usd" for part in Cost._fields}
_RESULTS: Final = (
    _USD,
    *_PARTS.values(),
    _QUALITY,
    _PRICE_ID,
    _UNPRICED,
    "penstock.cost.amount",
    "penstock.cost.currency",
)


class GenAiCost(Processor):
    """Prices each model call by its tokens, at the price that was in force when it started.

    Only calls themselves are priced (`penstock.gen_ai.role` is `leaf`; without a normaliser in front, spans whose
    operation is a call), so that a framework's span around a call is not paid twice. A call without a known price gets
    no cost, never 0, and the reason in `penstock.cost.unpriced`. Prices come from `overrides`, `tables` and the
    installed `genai-prices` table; nothing is fetched.
    """

    type: ClassVar[str] = "gen_ai_cost"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    Config = GenAiCostConfig

    def __init__(self, config: GenAiCostConfig, host: Host) -> None:
        """Load the price tables.

        Raises:
            StartError: a table of `tables` cannot be read.
        """
        super().__init__(config, host)
        self._book = price_book(config)
        self._schedule_of = self._book.schedule
        self._tally = Tally(host.meter)
        self._not_billed = NotBilled(config.not_billed)
        self._stated = stated_costs()
        looks_for_stated = config.stated != "ignore"
        self._rare = DETAILS.union(
            TIERS, _RESULTS, self._not_billed.keys, self._stated.keys if looks_for_stated else ()
        )
        """Attributes that a plain call has none of: tokens in, tokens out, and nothing else about money."""
        self._looks_for_stated = looks_for_stated
        self._watch_age()
        self._warn_of_loans()

    def _watch_age(self) -> None:
        for table, when in made(self._book.tables):
            age = partial(_age_days, self.host.clock, when)
            self.host.meter.watch("penstock_cost_table_age_days", "How old the prices are, by table.", age, table=table)

    def _warn_of_loans(self) -> None:
        for table in self._book.tables:
            if isinstance(table, Overrides):
                for index, model, reason in table.borrowed():
                    self.host.log.warning(
                        "an override takes its price from a model that has none",
                        entry=f"overrides[{index}].same_as",
                        provider=model.provider,
                        model=model.model,
                        reason=str(reason),
                    )

    def process(self, batch: Batch) -> Batch:
        """Price the calls of a batch."""
        is_traces = batch.signal is Signal.TRACES
        quick = self._quick
        exact = 0
        for record in batch.records():
            attributes = record.attributes
            role = attributes.get(_ROLE)
            if role == "leaf" or (role is None and is_traces and _is_call(attributes)):
                results = quick(record, attributes)
                if results is not None:
                    attributes.add(results)
                    exact += 1
                else:
                    _write(attributes, self._results(record, attributes))
        self._tally.priced["exact"] += exact
        self._tally.flush()
        return batch

    def _quick(self, record: Record, attributes: Attributes) -> dict[str, Value] | None:
        """What is written on a plain call: tokens in and out, at prices per token. None for what needs more thought."""
        get = attributes.get
        tokens_in, tokens_out = get(INPUT), get(OUTPUT)
        provider = get("gen_ai.provider.name")
        model = get("gen_ai.response.model") or get("gen_ai.request.model")
        if (
            tokens_in.__class__ is not int
            or tokens_out.__class__ is not int
            or not (0 <= tokens_in <= MOST_TOKENS and 0 <= tokens_out <= MOST_TOKENS)
            or provider.__class__ is not str
            or model.__class__ is not str
            or len(provider) + len(model) > _NAME_LIMIT
            or not self._rare.isdisjoint(attributes)
        ):
            return None
        schedule = self._schedule_of(provider, model, "")
        if not isinstance(schedule, Schedule):
            return None
        rates = schedule.always or schedule.at(time_of(record))
        if rates.plain is None:
            return None
        per_input, per_output = rates.plain
        input_usd, output_usd = tokens_in * per_input, tokens_out * per_output
        return {
            _USD: input_usd + output_usd,
            _INPUT_USD: input_usd,
            _OUTPUT_USD: output_usd,
            _QUALITY: "exact",
            _PRICE_ID: rates.price_id or schedule.price_id,
        }

    def _results(self, record: Record, attributes: Attributes) -> dict[str, Value]:
        """What is written on a call."""
        marker = self._not_billed.reason(attributes)
        if marker is not None:
            self._tally.free["not_billed"] += 1
            return _priced(_Bill(Cost(), "exact", f"not_billed@{marker}"))
        stated = self._stated.read(attributes) if self._looks_for_stated else None
        try:
            bill = self._bill(record, attributes)
        except Unpriced as unpriced:
            if stated is None or self.config.stated != "prefer":
                return self._unpriced(str(unpriced), record, attributes)
        else:
            if stated is None or self.config.stated != "prefer":
                self._tally.priced[bill.quality] += 1
            if stated is None:
                return _priced(bill)
            self._tally.stated(stated, bill.cost.total)
            if self.config.stated != "prefer":
                return _priced(bill)
        self._tally.priced["stated"] += 1
        return _as_stated(stated)

    def _unpriced(self, reason: str, record: Record, attributes: Attributes) -> dict[str, Value]:
        if reason == "no_usage" and has_failed(record, attributes):
            self._tally.free["failed"] += 1
            return {}
        self._tally.unpriced[reason, _provider(attributes)] += 1
        return {_UNPRICED: reason}

    def _bill(self, record: Record, attributes: Attributes) -> _Bill:
        """The cost by our tables.

        Raises:
            Unpriced: there is none, for the reason that it says.
        """
        usage = usage_of(attributes)
        is_enough = usage is not None and not is_partial(attributes)
        schedule = self._schedule_of(_provider(attributes), _model(attributes), tier_said(attributes)[:_NAME_LIMIT])
        if isinstance(schedule, Unpriced):
            raise schedule if usage is not None else Unpriced("no_usage")
        rates = schedule.at(time_of(record))
        quality = "exact"
        if not is_enough and rates.needs_tokens:
            usage, quality = self._estimate(record, attributes, usage), "estimated"
        seconds = duration_s(record) if rates.per_second_usd else 0.0
        if seconds is None:
            raise Unpriced("no_duration")
        cost = cost_of(usage or Usage(), rates, seconds)
        if cost is None:
            raise Unpriced("no_rate")
        return _Bill(cost, quality, rates.price_id or schedule.price_id, rates)

    def _estimate(self, record: Record, attributes: Attributes, said: Usage | None) -> Usage:
        found = None
        if self.config.estimates and not (said is None and has_failed(record, attributes)):
            found = estimate(attributes, said)
        if found is None:
            raise Unpriced("no_usage" if said is None else "partial_usage")
        return found


class _Bill(NamedTuple):
    cost: Cost
    quality: str
    price_id: str
    rates: Rates | None = None


def _age_days(clock: Clock, made_at: datetime) -> float:
    return (clock.time_ns() / 1e9 - made_at.timestamp()) / _DAY_S


def _is_call(attributes: Attributes) -> bool:
    """Whether a span that no normaliser has seen is a call; those that it has seen have a role when they count."""
    operation = attributes.get("gen_ai.operation.name")
    return operation.__class__ is str and operation in _BILLED and _DIALECT not in attributes


def _provider(attributes: Attributes) -> str:
    return _name(attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system"))


def _model(attributes: Attributes) -> str:
    return _name(attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model"))


def _name(value: Any) -> str:
    return value[:_NAME_LIMIT] if isinstance(value, str) else "" if value is None else str(value)[:_NAME_LIMIT]


def _priced(bill: _Bill) -> dict[str, Value]:
    cost = bill.cost
    results: dict[str, Value] = {_USD: cost.total}
    for part, usd in zip(Cost._fields, cost, strict=True):
        if usd or part in ("input", "output"):
            results[_PARTS[part]] = usd
    if bill.rates is not None and bill.rates.currency != "USD":
        results["penstock.cost.amount"] = cost.total / bill.rates.usd_per_unit
        results["penstock.cost.currency"] = bill.rates.currency
    return {**results, _QUALITY: bill.quality, _PRICE_ID: bill.price_id}


def _as_stated(stated: StatedCost) -> dict[str, Value]:
    parts = {_PARTS[part]: usd for part, usd in stated.parts.items()}
    return {_USD: stated.usd, **parts, _QUALITY: "stated", _PRICE_ID: f"stated@{stated.attribute}"}


def _write(attributes: Attributes, results: dict[str, Value]) -> None:
    """Write the results; those of an earlier pass that no longer hold go."""
    earlier = [key for key in _RESULTS if key in attributes]
    if not earlier:
        attributes.add(results)
        return
    for key in earlier:
        if key not in results:
            del attributes[key]
    attributes.update(results)
