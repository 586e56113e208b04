"""Configuration of `gen_ai_cost`: prices of the operator's own, and what counts as money."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from pipeline.config import ConfigModel, InvalidKey
from processors.gen_ai_cost.rates import Usage

_PER_MTOK: Final = "_per_mtok"
# Beyond these nothing can be meant, and below them no product of a price, its factors and the tokens of a call is
# beyond what a float can hold.
_MOST_USD: Final = 1e9
_MOST: Final = 1e6
_LEAST: Final = 1e-6


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        value = _parse_moment(value)
    if isinstance(value, int | float):
        raise ValueError(f"{value} is no date; write for example 2026-07-01")  # noqa: TRY004 - pydantic's kind of error
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


def _parse_moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is no date; write for example 2026-07-01 or 2026-07-01T12:00:00Z') from None


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(datetime.isoformat, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
"""A date or a time, ISO 8601; UTC and midnight unless it says otherwise."""


def _code(value: str) -> str:
    if not re.fullmatch("[A-Z]{3}", value):
        raise ValueError(f'"{value}" is no currency; write its ISO 4217 code, such as EUR')
    return value


Currency = Annotated[str, AfterValidator(_code)]
"""A currency, by its ISO 4217 code."""


def _price(of: str) -> Any:
    return Field(default=None, ge=0, le=_MOST_USD, description=f"Price of a million {of}.")


class TokenPrices(ConfigModel):
    """Prices of tokens. A kind without one costs what the next wider kind costs."""

    input_per_mtok: float | None = _price("input tokens")
    output_per_mtok: float | None = _price("output tokens, reasoning included")
    cache_read_per_mtok: float | None = _price("input tokens that were read from a cache; else as input")
    cache_write_per_mtok: float | None = _price("input tokens that were written to a cache; else as input")
    cache_write_1h_per_mtok: float | None = _price(
        "input tokens that were written to a cache for an hour; else as other writes"
    )
    audio_input_per_mtok: float | None = _price("audio tokens of the input; else as input")
    audio_output_per_mtok: float | None = _price("audio tokens of the output; else as output")
    image_input_per_mtok: float | None = _price("image tokens of the input; else as input")
    image_output_per_mtok: float | None = _price("image tokens of the output; else as output")

    def per_mtok(self) -> dict[str, float]:
        """The prices that are set, by kind of token."""
        found = {kind: getattr(self, kind + _PER_MTOK) for kind in Usage._fields}
        return {kind: price for kind, price in found.items() if price is not None}


class Tier(TokenPrices):
    """Prices of requests above a size: the whole request pays them. What is not set stays as below it."""

    above_input_tokens: int = Field(ge=0, description="Holds for requests of more input tokens, cached ones included.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.per_mtok():
            raise InvalidKey("a tier needs at least one price, such as input_per_mtok", "above_input_tokens")
        return self


class Prices(TokenPrices):
    """All that a call can be charged for."""

    per_request: float | None = Field(
        default=None, ge=0, le=_MOST_USD, description="Price of a call, beside its tokens."
    )
    gpu_hour_usd: float | None = Field(
        default=None,
        ge=0,
        le=_MOST_USD,
        description="What an hour of one GPU costs, in USD: a call pays for the time that it takes.",
    )
    gpus: float = Field(default=1.0, gt=0, le=_MOST, description="GPUs that work on a call.")
    concurrency: float = Field(default=1.0, ge=_LEAST, description="Calls that share them at a time, on average.")
    tiers: list[Tier] = Field(default_factory=list, description="Prices of larger requests, the smallest first.")

    @property
    def is_priced(self) -> bool:
        """Whether there is any price."""
        return bool(self.per_mtok() or self.tiers) or self.per_request is not None or self.gpu_hour_usd is not None

    @model_validator(mode="after")
    def _gpus_have_a_price(self) -> Self:
        for key in ("gpus", "concurrency"):
            if self.gpu_hour_usd is None and key in self.model_fields_set:
                raise InvalidKey("this needs gpu_hour_usd, the price of an hour", key)
        return self

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        _check_order([tier.above_input_tokens for tier in self.tiers], "tiers", "above_input_tokens")
        for index, tier in enumerate(self.tiers):
            for kind in tier.per_mtok():
                if index + tier.above_input_tokens and kind not in self._first_prices():
                    raise InvalidKey(
                        f"there is no {kind}{_PER_MTOK} for smaller requests; set it beside tiers, or in a first tier "
                        "above_input_tokens: 0",
                        *("tiers", index, kind + _PER_MTOK),
                    )
        return self

    def _first_prices(self) -> dict[str, float]:
        """The prices of the smallest requests."""
        first = self.tiers[0].per_mtok() if self.tiers and not self.tiers[0].above_input_tokens else {}
        return self.per_mtok() | first


def _check_order(values: Sequence[Any], name: str, key: str) -> None:
    for index, (before, value) in enumerate(pairwise(values), start=1):
        if value <= before:
            raise InvalidKey(f"{name} must rise: this one is not above the one before", name, index, key)


class DatedPrices(Prices):
    """Prices from a date on."""

    valid_from: Moment = Field(alias="from", description="When they begin to hold: a date or a time, UTC.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.is_priced:
            raise InvalidKey("an entry of history needs at least one price, such as input_per_mtok", "from")
        return self


class Match(ConfigModel):
    """Which calls an entry is for; what is not set matches everything."""

    provider: str | None = Field(
        default=None, description="Provider, in any spelling; `*` and `?` stand for any letters and any letter."
    )
    model: str | None = Field(
        default=None,
        description="Model that answered (or was asked for, where the answer names none), as it stands in telemetry "
        "or without path and prefix; `*` and `?` as above.",
    )
    service_tier: str | None = Field(
        default=None, description="Service tier of the response (`batch`, `flex`, ...; `standard` for none)."
    )


class Model(ConfigModel):
    """A model of a provider."""

    provider: str = Field(default="", description="Provider; may be left out where the model's id says it.")
    model: str = Field(min_length=1, description="Model, by an id that a table knows.")


class Override(Prices):
    """A price of the operator's own. It replaces what tables say, wholly."""

    match: Match = Field(default_factory=Match, description="Which calls it is for. Absent: all.")
    multiplier: float | None = Field(
        default=None,
        ge=0,
        le=_MOST,
        description="Factor on the prices of this entry, or on those that would hold without it.",
    )
    same_as: Model | None = Field(default=None, description="Take the prices of another model.")
    history: list[DatedPrices] = Field(default_factory=list, description="Prices over time, the oldest first.")
    valid_from: Moment | None = Field(
        default=None, alias="from", description="The entry holds for calls that start then or later."
    )
    valid_to: Moment | None = Field(
        default=None, alias="to", description="The entry holds for calls that start before that."
    )
    currency: Currency | None = Field(
        default=None, description="Currency of the prices, an ISO 4217 code. Absent: USD."
    )
    usd_per_unit: float | None = Field(
        default=None, ge=_LEAST, le=_MOST, description="What one unit of the currency is worth in USD: a fixed rate."
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        said = [name for name, is_said in self._sources().items() if is_said]
        if len(said) > 1:
            raise InvalidKey(f"{said[0]} and {said[1]} cannot both say the price; make two entries of it", said[1])
        if not said and self.multiplier is None:
            raise InvalidKey("nothing here says a price; set for example input_per_mtok, multiplier or same_as")
        return self

    def _sources(self) -> dict[str, bool]:
        """What the price may come from, by the key that stands for it."""
        prices = Prices.model_fields.keys() & self.model_fields_set
        return {
            "same_as": self.same_as is not None,
            "history": bool(self.history),
            min(prices, default="input_per_mtok"): self.is_priced,
        }

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        _check_order([entry.valid_from for entry in self.history], "history", "from")
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise InvalidKey("it would end before it begins", "to")
        return self

    @model_validator(mode="after")
    def _currency_has_a_rate(self) -> Self:
        if (self.currency is None) != (self.usd_per_unit is None):
            missing = "usd_per_unit" if self.usd_per_unit is None else "currency"
            raise InvalidKey(f"currency and usd_per_unit go together; {missing} is missing", *self._set_of_currency())
        if self.currency is not None:
            self._check_amounts()
        return self

    def _set_of_currency(self) -> tuple[str]:
        return ("currency" if self.currency is not None else "usd_per_unit",)

    def _check_amounts(self) -> None:
        if not (self.is_priced or self.history):
            raise InvalidKey("there are no prices here that could be in this currency", "currency")
        if any(prices.gpu_hour_usd is not None for prices in (self, *self.history)):
            raise InvalidKey("gpu_hour_usd is in USD", "currency")


class Condition(ConfigModel):
    """An attribute of a call that an application answered by itself."""

    attribute: str = Field(min_length=1, description="Name of the attribute.")
    values: list[str] | None = Field(
        default=None, description="Values, as text (`true`, `hit`), in any case. Absent: any value that is not false."
    )


class GenAiCostConfig(ConfigModel):
    """Configuration of `gen_ai_cost`."""

    overrides: list[Override] = Field(
        default_factory=list, description="Prices of your own; the first entry that matches a call holds."
    )
    tables: list[Path] = Field(
        default_factory=list,
        description="Price tables in LiteLLM's JSON form (`model_prices_and_context_window.json`), asked after "
        "overrides and before the table that is built in.",
    )
    stated: Literal["prefer", "keep", "ignore"] = Field(
        default="keep",
        description="A cost that the telemetry states itself: `prefer` takes it in place of the computed one, `keep` "
        "leaves it where it is and counts how far the two are apart, `ignore` does not look.",
    )
    estimates: bool = Field(
        default=False,
        description="Estimate tokens from the texts of a call that says nothing of them (`penstock.cost.quality` is "
        "then `estimated`).",
    )
    not_billed: list[Condition] | None = Field(
        default=None,
        description="Calls that reached no provider: answers from an application's own cache. Absent: what known "
        "caches write.",
    )
