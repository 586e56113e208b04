"""The processor: reads convention attributes, writes `penstock.cost.*`."""

from __future__ import annotations

from typing import Final

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.signals import Attributes, Batch, Signal, Span
from processors.gen_ai_cost.base_table import BaseTable
from processors.gen_ai_cost.book import PriceBook, Unpriced
from processors.gen_ai_cost.rates import Cost, Usage, cost_of

# Operations that a provider bills by tokens (gen_ai.operation.name).
_BILLED: Final = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
ROLE: Final = "penstock.gen_ai.role"
_TIER_KEYS: Final = ("openai.response.service_tier", "anthropic.response.service_tier", "gen_ai.response.service_tier")
# What clients put where names belong is remembered by the price table: no more of it than a name can have.
_NAME_LIMIT: Final = 257
_STANDARD_TIERS: Final = frozenset({"", "auto", "default", "standard"})


class GenAiCostConfig(ConfigModel):
    """No keys."""


class GenAiCost(Processor):
    """Prices each model call by its tokens, at the price that was in force when it started.

    Only calls themselves are priced (`penstock.gen_ai.role` is `leaf` or absent), so that a framework's span around a
    call is not paid twice. A call without a known price gets no cost, never 0, and the reason in
    `penstock.cost.unpriced`. Prices come from the installed `genai-prices` table; nothing is fetched.
    """

    type = "gen_ai_cost"
    signals = frozenset({Signal.TRACES})
    Config = GenAiCostConfig

    def __init__(self, config: GenAiCostConfig, host: Host) -> None:
        """Load the price table."""
        super().__init__(config, host)
        self._table = PriceBook([BaseTable()])

    def process(self, batch: Batch) -> Batch | None:
        """Price the spans of model calls."""
        for record in batch.records():
            attributes = record.attributes
            operation = attributes.get("gen_ai.operation.name")
            is_billed = isinstance(operation, str) and operation in _BILLED
            if is_billed and attributes.get(ROLE, "leaf") == "leaf":
                assert isinstance(record, Span)  # noqa: S101 - for the type checker: the signal is traces
                self._price(attributes, record.start_time_unix_nano)
        return batch

    def _price(self, attributes: Attributes, time_ns: int) -> None:
        try:
            cost, price_id = self._cost(attributes, time_ns)
        except Unpriced as unpriced:
            reason = str(unpriced)
            attributes["penstock.cost.unpriced"] = reason
            self.host.meter.counter("penstock_cost_unpriced_calls", "Model calls without a price.", reason=reason).inc()
            return
        if "penstock.cost.unpriced" in attributes:
            del attributes["penstock.cost.unpriced"]
        _write(attributes, cost, price_id)

    def _cost(self, attributes: Attributes, time_ns: int) -> tuple[Cost, str]:
        usage = usage_of(attributes)
        if usage is None:
            raise Unpriced("no_usage")
        model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model") or ""
        provider = attributes.get("gen_ai.provider.name") or attributes.get("gen_ai.system") or ""
        schedule = self._table.schedule(str(provider)[:_NAME_LIMIT], str(model)[:_NAME_LIMIT], _tier(attributes))
        if isinstance(schedule, Unpriced):
            raise schedule
        cost = cost_of(usage, schedule.at(time_ns))
        if cost is None:
            raise Unpriced("no_rate")
        return cost, schedule.price_id


def usage_of(attributes: Attributes) -> Usage | None:
    """The tokens of a call in convention attributes (1.41 or main); None when the source says nothing of them.

    Raises:
        Unpriced: counts below zero.
    """
    get = attributes.get
    read = _count(get("gen_ai.usage.cache_read.input_tokens"))
    written = _count(get("gen_ai.usage.cache_creation.input_tokens", get("gen_ai.usage.cache_write.input_tokens")))
    incoming, outgoing = get("gen_ai.usage.input_tokens"), get("gen_ai.usage.output_tokens")
    if not isinstance(incoming, int) and not isinstance(outgoing, int):
        return None
    if min(_number(incoming), _number(outgoing)) < 0:
        raise Unpriced("invalid_usage")
    total = _count(incoming)
    return Usage(
        # Parts that exceed the whole show a source which counts the uncached rest only.
        input=total if total >= read + written else total + read + written,
        output=_count(outgoing),
        cache_read=read,
        cache_write=written,
        cache_write_1h=_count(get("penstock.gen_ai.usage.cache_creation_1h.input_tokens")),
        audio_input=_count(get("gen_ai.usage.audio.input_tokens")),
        audio_output=_count(get("gen_ai.usage.audio.output_tokens")),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _tier(attributes: Attributes) -> str:
    for key in _TIER_KEYS:
        tier = attributes.get(key)
        if isinstance(tier, str):
            return "" if tier in _STANDARD_TIERS else tier[:_NAME_LIMIT]
    return ""


def _write(attributes: Attributes, cost: Cost, price_id: str) -> None:
    attributes["penstock.cost.usd"] = cost.total
    attributes["penstock.cost.input_usd"] = cost.input
    attributes["penstock.cost.output_usd"] = cost.output
    for name, part in (
        ("penstock.cost.cache_read_usd", cost.cache_read),
        ("penstock.cost.cache_write_usd", cost.cache_write),
        ("penstock.cost.other_usd", cost.other),
    ):
        if part:
            attributes[name] = part
    attributes["penstock.cost.quality"] = "exact"
    attributes["penstock.cost.price_id"] = price_id
