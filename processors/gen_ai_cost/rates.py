"""Rates of one model and the arithmetic on them: pure functions, no table and no telemetry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_DAY_NS: Final = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Price:
    """USD per token. With `starts`, the whole request pays `tiers[i]` once its input is above `starts[i]` tokens."""

    base: float
    starts: tuple[int, ...] = ()
    tiers: tuple[float, ...] = ()

    def at(self, input_tokens: int) -> float:
        """The price for a request of so many input tokens, cached ones included; a threshold itself is still below."""
        above = bisect_left(self.starts, input_tokens)
        return self.tiers[above - 1] if above else self.base


@dataclass(frozen=True, slots=True)
class Rates:
    """What each kind of token costs; None where the table names no price of its own."""

    input: Price | None = None
    output: Price | None = None
    cache_read: Price | None = None
    cache_write: Price | None = None
    cache_write_1h: Price | None = None
    audio_input: Price | None = None
    audio_output: Price | None = None
    per_request_usd: float = 0.0


class Usage(NamedTuple):
    """Tokens of one call. `input` contains cache reads, cache writes and audio; `cache_write` contains the 1 h part."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_output: int = 0


class Cost(NamedTuple):
    """USD by part; the parts add up to `total`."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    other: float = 0.0

    @property
    def total(self) -> float:
        """The whole call."""
        return self.input + self.output + self.cache_read + self.cache_write + self.other


def cost_of(usage: Usage, rates: Rates) -> Cost | None:
    """Price a call; None when there are tokens for which the table has no price.

    A kind without a price of its own costs what the next wider kind costs: cached tokens as input, 1 h writes as
    writes, audio as text.
    """
    tokens = usage.input
    per_input = rates.input.at(tokens) if rates.input else None
    per_output = rates.output.at(tokens) if rates.output else None
    if (usage.input and per_input is None) or (usage.output and per_output is None):
        return None
    per_input, per_output = per_input or 0.0, per_output or 0.0
    if not any(usage[2:]):
        return Cost(tokens * per_input, usage.output * per_output, other=rates.per_request_usd)
    audio_input = usage.audio_input if rates.audio_input else 0
    audio_output = usage.audio_output if rates.audio_output else 0
    plain = max(0, tokens - usage.cache_read - usage.cache_write - audio_input)
    per_write = _at(rates.cache_write, tokens, per_input)
    short_write = max(0, usage.cache_write - usage.cache_write_1h)
    return Cost(
        input=plain * per_input + audio_input * _at(rates.audio_input, tokens, per_input),
        output=max(0, usage.output - audio_output) * per_output
        + audio_output * _at(rates.audio_output, tokens, per_output),
        cache_read=usage.cache_read * _at(rates.cache_read, tokens, per_input),
        cache_write=short_write * per_write + usage.cache_write_1h * _at(rates.cache_write_1h, tokens, per_write),
        other=rates.per_request_usd,
    )


def _at(price: Price | None, tokens: int, otherwise: float) -> float:
    return price.at(tokens) if price is not None else otherwise


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rates of one model over time: by date, and within a day where prices depend on the hour.

    `rates[i][j]` holds from `starts_ns[i]` (Unix time, nanoseconds) and, each day, from `daily_ns[j]` (after midnight
    UTC) on.
    """

    price_id: str
    rates: tuple[tuple[Rates, ...], ...]
    starts_ns: tuple[int, ...] = (0,)
    daily_ns: tuple[int, ...] = field(default=(0,))

    def at(self, time_ns: int) -> Rates:
        """The rates in force."""
        date = max(0, bisect_right(self.starts_ns, time_ns) - 1)
        return self.rates[date][bisect_right(self.daily_ns, time_ns % _DAY_NS) - 1]
