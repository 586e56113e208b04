"""Rates of one model and the arithmetic on them: pure functions, no table and no telemetry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

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

    def scaled(self, factor: float) -> Price:
        """The price times `factor`."""
        return Price(self.base * factor, self.starts, tuple(price * factor for price in self.tiers))


class Usage(NamedTuple):
    """Tokens of one call. `input` contains cache reads, cache writes, audio and images; `cache_write` the 1 h part."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0


class PerToken(NamedTuple):
    """One number for each kind of token: prices in USD, or tokens of which each is of one kind only."""

    input: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    audio_input: float
    image_input: float
    output: float
    audio_output: float
    image_output: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What each kind of token costs; None where the table names no price of its own.

    `per_second_usd` is for hardware that is paid by time: what the seconds of a call cost. All prices are in USD; those
    that were given in another `currency`, of which one unit is `usd_per_unit` USD, too. `price_id` is set where it is
    not that of the schedule.
    """

    input: Price | None = None
    output: Price | None = None
    cache_read: Price | None = None
    cache_write: Price | None = None
    cache_write_1h: Price | None = None
    audio_input: Price | None = None
    audio_output: Price | None = None
    image_input: Price | None = None
    image_output: Price | None = None
    per_request_usd: float = 0.0
    per_second_usd: float = 0.0
    currency: str = "USD"
    usd_per_unit: float = 1.0
    price_id: str = ""
    sizes: tuple[PerToken, ...] = field(init=False, repr=False, compare=False)
    """The prices by size of request: `sizes[i]` above `_starts[i - 1]` input tokens."""
    _starts: tuple[int, ...] = field(init=False, repr=False, compare=False)
    flat: PerToken | None = field(init=False, repr=False, compare=False)
    """The prices, where they are the same for requests of any size."""
    is_plain: bool = field(init=False, repr=False, compare=False)
    """Whether there are prices in USD for what goes in and what comes out, and nothing else is charged."""

    def __post_init__(self) -> None:
        """Work out what does not depend on the request."""
        starts = sorted({start for price in self.prices().values() if price is not None for start in price.starts})
        sizes = tuple(self._at(tokens) for tokens in (0, *(start + 1 for start in starts)))
        flat = None if starts else sizes[0]
        object.__setattr__(self, "_starts", tuple(starts))
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "flat", flat)
        has_prices = self.input is not None and self.output is not None
        has_more = self.per_request_usd or self.per_second_usd or self.currency != "USD"
        object.__setattr__(self, "is_plain", has_prices and not has_more)

    def prices(self) -> dict[str, Any]:
        """The `Price` of each kind, or None, by the kind's name."""
        return {kind: getattr(self, kind) for kind in Usage._fields}

    def at(self, input_tokens: int) -> PerToken:
        """The prices for a request of so many input tokens.

        A kind without a price of its own costs what the next wider kind costs: cached tokens as input, 1 h writes as
        writes, audio and images as text.
        """
        return self.sizes[bisect_left(self._starts, input_tokens)]

    def _at(self, tokens: int) -> PerToken:
        per_input, per_output = _at(self.input, tokens, 0.0), _at(self.output, tokens, 0.0)
        per_write = _at(self.cache_write, tokens, per_input)
        return PerToken(
            input=per_input,
            cache_read=_at(self.cache_read, tokens, per_input),
            cache_write=per_write,
            cache_write_1h=_at(self.cache_write_1h, tokens, per_write),
            audio_input=_at(self.audio_input, tokens, per_input),
            image_input=_at(self.image_input, tokens, per_input),
            output=per_output,
            audio_output=_at(self.audio_output, tokens, per_output),
            image_output=_at(self.image_output, tokens, per_output),
        )

    def covers(self, usage: Usage) -> bool:
        """Whether there is a price for every token."""
        if self.input is None and usage.input and not _only(usage.input, self, usage, _INPUT_KINDS):
            return False
        return self.output is not None or not usage.output or _only(usage.output, self, usage, _OUTPUT_KINDS)

    @property
    def needs_tokens(self) -> bool:
        """Whether a cost depends on the number of tokens."""
        return self.flat is None or any(self.flat) or self.input is None or self.output is None

    @property
    def output_costs(self) -> bool:
        """Whether there is a price on what comes out; there is none on embeddings."""
        return self.output is not None and bool(self.output.base)

    def scaled(self, factor: float) -> Rates:
        """Everything times `factor`."""
        prices = {kind: price and price.scaled(factor) for kind, price in self.prices().items()}
        return replace(
            self,
            **prices,
            per_request_usd=self.per_request_usd * factor,
            per_second_usd=self.per_second_usd * factor,
        )


_INPUT_KINDS: Final = ("cache_read", "cache_write", "audio_input", "image_input")
_OUTPUT_KINDS: Final = ("audio_output", "image_output")


def _only(total: int, rates: Rates, usage: Usage, kinds: tuple[str, ...]) -> bool:
    """Whether all of `total` is of kinds that have prices of their own."""
    priced: int = sum(getattr(usage, kind) for kind in kinds if getattr(rates, kind) is not None)
    return priced >= total


def _at(price: Price | None, tokens: int, otherwise: float) -> float:
    return price.at(tokens) if price is not None else otherwise


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


def split(usage: Usage) -> PerToken:
    """The tokens of a call, each counted once: parts never make up more than the whole."""
    cache_read, cache_write = usage.cache_read, usage.cache_write
    rest = max(0, usage.input - cache_read - cache_write)
    audio_input = min(usage.audio_input, rest)
    image_input = min(usage.image_input, rest - audio_input)
    audio_output = min(usage.audio_output, usage.output)
    image_output = min(usage.image_output, usage.output - audio_output)
    long_write = min(usage.cache_write_1h, cache_write)
    return PerToken(
        input=rest - audio_input - image_input,
        cache_read=cache_read,
        cache_write=cache_write - long_write,
        cache_write_1h=long_write,
        audio_input=audio_input,
        image_input=image_input,
        output=usage.output - audio_output - image_output,
        audio_output=audio_output,
        image_output=image_output,
    )


def cost_of(usage: Usage, rates: Rates, duration_s: float = 0.0) -> Cost | None:
    """Price a call; None when there are tokens for which the table has no price."""
    if (rates.input is None or rates.output is None) and not rates.covers(usage):
        return None
    price = rates.at(usage.input)
    count = split(usage)
    return Cost(
        input=count.input * price.input + count.audio_input * price.audio_input + count.image_input * price.image_input,
        output=count.output * price.output
        + count.audio_output * price.audio_output
        + count.image_output * price.image_output,
        cache_read=count.cache_read * price.cache_read,
        cache_write=count.cache_write * price.cache_write + count.cache_write_1h * price.cache_write_1h,
        other=rates.per_request_usd + rates.per_second_usd * duration_s,
    )


class Charge(NamedTuple):
    """One line of a bill: a quantity of tokens, calls or seconds."""

    name: str
    quantity: float
    usd_per_unit: float

    @property
    def usd(self) -> float:
        """What it comes to."""
        return self.quantity * self.usd_per_unit


def charges(usage: Usage, rates: Rates, duration_s: float = 0.0) -> Iterator[Charge]:
    """What `cost_of` adds up, line by line, for people."""
    counts, prices = split(usage), rates.at(usage.input)
    for kind, count, price in zip(PerToken._fields, counts, prices, strict=True):
        if count:
            yield Charge(f"{kind.replace('_', ' ')} tokens", count, price)
    if rates.per_request_usd:
        yield Charge("call", 1, rates.per_request_usd)
    if rates.per_second_usd:
        yield Charge("seconds", duration_s, rates.per_second_usd)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rates of one model over time: by date, and within a day where prices depend on the hour.

    `rates[i][j]` holds from `starts_ns[i]` (Unix time, nanoseconds) and, each day, from `daily_ns[j]` (after midnight
    UTC) on; before `starts_ns[0]` the first holds.
    """

    price_id: str
    rates: tuple[tuple[Rates, ...], ...]
    starts_ns: tuple[int, ...] = (0,)
    daily_ns: tuple[int, ...] = field(default=(0,))
    always: Rates | None = field(init=False, repr=False, compare=False)
    """The rates, where they have never changed."""

    def __post_init__(self) -> None:
        """Work out what does not depend on time."""
        first = self.rates[0][0]
        is_one = all(rates == first for day in self.rates for rates in day)
        object.__setattr__(self, "always", first if is_one else None)

    def at(self, time_ns: int) -> Rates:
        """The rates in force."""
        return self.always or self.holding(time_ns, time_ns % _DAY_NS)

    def holding(self, date_ns: int, daily_ns: int) -> Rates:
        """The rates at a time of the day in the time that a date falls into."""
        date = max(0, bisect_right(self.starts_ns, date_ns) - 1)
        return self.rates[date][bisect_right(self.daily_ns, daily_ns) - 1]

    def interval(self, time_ns: int) -> tuple[int, int | None]:
        """From when (0: ever since) to when (None: for ever) the prices of the day of a time hold."""
        first = last = max(0, bisect_right(self.starts_ns, time_ns) - 1)
        while first and self.rates[first - 1] == self.rates[first]:
            first -= 1
        while last + 1 < len(self.rates) and self.rates[last + 1] == self.rates[last]:
            last += 1
        end_ns = self.starts_ns[last + 1] if last + 1 < len(self.rates) else None
        return (self.starts_ns[first] if first else 0), end_ns

    def scaled(self, factor: float, price_id: str) -> Schedule:
        """All rates times `factor`, under another id."""
        rates = tuple(tuple(replace(rates.scaled(factor), price_id="") for rates in day) for day in self.rates)
        return replace(self, price_id=price_id, rates=rates)


class Layer(NamedTuple):
    """A schedule that holds from `start_ns` (0: ever since) to before `end_ns` (None: for ever)."""

    start_ns: int
    end_ns: int | None
    schedule: Schedule

    def holds(self, time_ns: int) -> bool:
        """Whether it holds then."""
        return self.start_ns <= time_ns and (self.end_ns is None or time_ns < self.end_ns)


_NONE: Final = Rates()


def overlay(layers: Sequence[Layer]) -> Schedule:
    """One schedule of several, of which the first that holds counts; when none does there are no rates."""
    first = layers[0]
    if first.start_ns <= 0 and first.end_ns is None:
        return first.schedule
    edges = {0, *(layer.start_ns for layer in layers), *(layer.end_ns or 0 for layer in layers)}
    starts_ns = sorted(edges.union(*(layer.schedule.starts_ns for layer in layers)))
    daily_ns = sorted({0}.union(*(layer.schedule.daily_ns for layer in layers)))
    return Schedule(
        price_id=first.schedule.price_id,
        rates=tuple(tuple(_top(layers, start_ns, moment_ns) for moment_ns in daily_ns) for start_ns in starts_ns),
        starts_ns=tuple(starts_ns),
        daily_ns=tuple(daily_ns),
    )


def _top(layers: Sequence[Layer], start_ns: int, daily_ns: int) -> Rates:
    for layer in layers:
        if layer.holds(start_ns):
            rates = layer.schedule.holding(start_ns, daily_ns)
            return replace(rates, price_id=rates.price_id or layer.schedule.price_id)
    return _NONE
