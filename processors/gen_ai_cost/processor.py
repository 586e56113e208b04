"""The component: reads convention attributes, writes `penstock.cost.*`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import ClassVar, Final

from pipeline.clock import Clock
from pipeline.component import Host, Processor
from pipeline.signals import Attributes, Batch, Signal
from processors.gen_ai_cost.config import GenAiCostConfig
from processors.gen_ai_cost.overrides import Overrides
from processors.gen_ai_cost.pricing import Pricing, write
from processors.gen_ai_cost.tables import made, price_book
from processors.gen_ai_cost.tally import Tally
from processors.marks import DIALECT, ROLE

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
_NO_CALL: Final = frozenset({"gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.tool.name"})
# Conventions before 1.27 had no operation: such a span is a call by what it counts.
_COUNTS: Final = ("gen_ai.request.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
_DAY_S: Final = 86_400


class GenAiCost(Processor):
    """Prices each model call by its tokens, at the price that was in force when it started.

    Only calls themselves are priced (`penstock.gen_ai.role` is `leaf`; without a normaliser in front, spans whose
    operation is a call), so that a framework's span around a call is not paid twice. A call without a known price gets
    no cost, never 0, and the reason in `penstock.cost.unpriced`. Prices come from `overrides`, `tables` and the
    installed `genai-prices` table; nothing is fetched.
    """

    type: ClassVar[str] = "gen_ai_cost"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES, Signal.LOGS})
    behind: ClassVar[frozenset[str]] = frozenset({"gen_ai_normalizer"})
    Config = GenAiCostConfig

    def __init__(self, config: GenAiCostConfig, host: Host) -> None:
        """Load the price tables.

        Raises:
            StartError: a table of `tables` cannot be read.
        """
        super().__init__(config, host)
        self._book = price_book(config)
        self._tally = Tally(host.meter)
        self._pricing = Pricing(config, self._book, self._tally)
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
        quick = self._pricing.quick
        exact = 0
        for record in batch.records():
            attributes = record.attributes
            role = attributes.get(ROLE)
            if role == "leaf" or (role is None and is_traces and _is_call(attributes)):
                results = quick(record, attributes)
                if results is not None:
                    attributes.add(results)
                    exact += 1
                else:
                    write(attributes, self._pricing.results(record, attributes))
        self._tally.priced["exact"] += exact
        self._tally.flush()
        return batch


def _age_days(clock: Clock, made_at: datetime) -> float:
    return (clock.time_ns() / 1e9 - made_at.timestamp()) / _DAY_S


def _is_call(attributes: Attributes) -> bool:
    """Whether a span that no normaliser has seen is a call; those that it has seen have a role when they count."""
    operation = attributes.get("gen_ai.operation.name")
    if operation is None:
        counts = _COUNTS[0] in attributes and _COUNTS[1] in attributes and _COUNTS[2] in attributes
        return counts and _NO_CALL.isdisjoint(attributes) and DIALECT not in attributes
    return operation.__class__ is str and operation in _BILLED and DIALECT not in attributes
