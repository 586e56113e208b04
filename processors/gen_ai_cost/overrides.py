"""The operator's own prices, as a price table: it stands before all others and knows what stands under it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import translate
from typing import Any, Final

from processors.gen_ai_cost.book import Found, PriceBook, Unpriced
from processors.gen_ai_cost.config import Model, Override, Prices
from processors.gen_ai_cost.names import Ident, identify, names, tier_of
from processors.gen_ai_cost.pieces import Pieces
from processors.gen_ai_cost.rates import Layer, Price, Rates, Schedule, Usage, overlay

_PER_MILLION: Final = 1e-6
_SECONDS_PER_HOUR: Final = 3600
_SECOND_NS: Final = 10**9
_STANDARD: Final = "standard"
_WILD: Final = re.compile(r"[*?]")


class Overrides:
    """The entries of `overrides`, in their order: the first that matches a call, at the time of the call, holds.

    Entries that scale or borrow a price take it from the entries after them that have prices of their own, else from
    the tables below: one factor holds, as one entry does.
    """

    name = "overrides"

    def __init__(self, entries: Sequence[Override], below: PriceBook) -> None:
        """Compile the entries; `below` has the tables that stand under them."""
        self._rows = [_Row(index, entry) for index, entry in enumerate(entries)]
        self._pieces = Pieces(row.needs for row in self._rows)
        self._below = below

    def find(self, ident: Ident, tier: str) -> Found | None:
        """The price that an entry gives, None where none matches."""
        steps: list[str] = []
        layers = list(self._layers(_Question(ident, tier, steps.append), 0))
        if not any(layer.is_own for layer in layers):
            return None
        return Found(overlay([layer.layer for layer in layers]), tuple(steps))

    def borrowed(self) -> Iterator[tuple[int, Model, Unpriced]]:
        """The entries whose `same_as` has no price: (position, model, reason)."""
        for row in self._rows:
            model = row.entry.same_as
            if model is None:
                continue
            found = self._under(_Question(identify(model.provider, model.model), ""), row.index + 1)
            if isinstance(found, Unpriced):
                yield row.index, model, found

    def _layers(self, asked: _Question, first: int) -> Iterator[_Found]:
        """Schedules by time, the strongest first, down to one that holds always."""
        for index in self._pieces.possible(*asked.models):
            row = self._rows[index]
            if index < first or (first and row.is_relative) or not row.matches(asked):
                continue
            asked.note(f"overrides[{row.index}]: {row.rule}")
            yield from (_Found(layer, is_own=True) for layer in self._of_row(row, asked))
            if row.is_endless:
                return
        schedule = self._below.schedule(asked.ident.raw_provider, asked.ident.raw_model, asked.tier)
        if isinstance(schedule, Schedule):
            yield _Found(Layer(0, None, schedule), is_own=False)

    def _of_row(self, row: _Row, asked: _Question) -> Iterator[Layer]:
        if not row.is_relative:
            yield from row.own_layers(asked.ident)
            return
        under = self._under(row.asks(asked), row.index + 1)
        if isinstance(under, Unpriced):
            asked.note(f"overrides[{row.index}]: what it stands on has no price ({under})")
            return
        factor = 1.0 if row.entry.multiplier is None else row.entry.multiplier
        asked.note(f"overrides[{row.index}]: {factor:g} times {under.price_id}")
        yield Layer(row.start_ns, row.end_ns, under.scaled(factor, f"{under.price_id}+overrides[{row.index}]"))

    def _under(self, asked: _Question, first: int) -> Schedule | Unpriced:
        found = [found.layer for found in self._layers(asked, first)]
        if found:
            return overlay(found)
        below = self._below.schedule(asked.ident.raw_provider, asked.ident.raw_model, asked.tier)
        return below if isinstance(below, Unpriced) else Unpriced("no_rate")


class _Question:
    """A model and a service tier, in the spellings that entries are compared with."""

    def __init__(self, ident: Ident, tier: str, note: Callable[[str], Any] = str) -> None:
        """`note` takes lines for `penstock price`."""
        self.ident = ident
        self.tier = tier
        self.note = note
        self.providers = {ident.raw_provider.strip().lower(), ident.provider}
        self.models = {ident.raw_model.strip().lower(), ident.model.lower()}


@dataclass(frozen=True, slots=True)
class _Found:
    layer: Layer
    is_own: bool
    """Whether an entry said it, and not a table below."""


class _Row:
    """One entry, compiled."""

    def __init__(self, index: int, entry: Override) -> None:
        self.index = index
        self.entry = entry
        self.start_ns = _ns(entry.valid_from) if entry.valid_from else 0
        self.end_ns = _ns(entry.valid_to) if entry.valid_to else None
        self.is_relative = not (entry.is_priced or entry.history)
        self._provider, self._model = _pattern(entry.match.provider), _pattern(entry.match.model)
        self._named = names().provider(entry.match.provider or "")
        tier = entry.match.service_tier
        self._tier = None if tier is None else "" if tier == _STANDARD else tier_of(tier)

    @property
    def is_endless(self) -> bool:
        """Whether it holds at all times, so that nothing after it does."""
        return self.start_ns == 0 and self.end_ns is None and not self.entry.history

    @property
    def needs(self) -> Collection[str] | None:
        """What has to be in a model's name, None where that cannot be said."""
        glob = (self.entry.match.model or "").strip().lower()
        return [max(_WILD.split(glob), key=len)] if glob else None

    @property
    def rule(self) -> str:
        """The entry for a reader: what it matches."""
        match = self.entry.match
        parts = {"provider": match.provider, "model": match.model, "service tier": match.service_tier}
        said = ", ".join(f"{name} {value!r}" for name, value in parts.items() if value is not None)
        return f"matches {said or 'everything'}"

    def matches(self, asked: _Question) -> bool:
        """Whether the entry is for such a call: names as they came, or as they are brought to one spelling."""
        if self._tier is not None and self._tier != asked.tier:
            return False
        if self._model is not None and not any(map(self._model, asked.models)):
            return False
        if self._provider is None or (self._named and self._named == asked.ident.provider):
            return True
        return any(map(self._provider, asked.providers))

    def asks(self, asked: _Question) -> _Question:
        """What a relative entry stands on: another model, or the same one."""
        other = self.entry.same_as
        return asked if other is None else _Question(identify(other.provider, other.model), asked.tier, asked.note)

    def own_layers(self, ident: Ident) -> Iterator[Layer]:
        """The prices of the entry itself, over time."""
        price_id = f"{ident.raw_provider or ident.provider}/{ident.raw_model}@overrides[{self.index}]"
        blocks: list[tuple[int, Prices]] = [(_ns(block.valid_from), block) for block in self.entry.history]
        if not blocks:
            blocks = [(self.start_ns, self.entry)]
        ends = [start_ns for start_ns, _ in blocks[1:]] + [self.end_ns]
        for (start_ns, block), end_ns in zip(blocks, ends, strict=True):
            start_ns = max(start_ns, self.start_ns)  # noqa: PLW2901 - clipped to the entry
            end_ns = _sooner(end_ns, self.end_ns)  # noqa: PLW2901 - clipped to the entry
            if end_ns is None or start_ns < end_ns:
                yield Layer(start_ns, end_ns, Schedule(price_id, ((_rates(block, self.entry),),)))


def _sooner(one_ns: int | None, other_ns: int | None) -> int | None:
    ends = [end_ns for end_ns in (one_ns, other_ns) if end_ns is not None]
    return min(ends, default=None)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * _SECOND_NS


def _pattern(glob: str | None) -> Callable[[str], Any] | None:
    """Only `*` and `?` are wild: ids have brackets in them."""
    return None if glob is None else re.compile(translate(glob.strip().lower().replace("[", "[[]"))).match


def _rates(block: Prices, entry: Override) -> Rates:
    unit_usd = entry.usd_per_unit or 1.0
    prices: dict[str, Any] = {kind: _price(block, kind, unit_usd * _PER_MILLION) for kind in Usage._fields}
    if all(price is None for price in prices.values()):
        # A call that is paid as such has tokens that cost nothing more.
        prices |= {"input": Price(0.0), "output": Price(0.0)}
    rates = Rates(
        **prices,
        per_request_usd=(block.per_request or 0.0) * unit_usd,
        per_second_usd=(block.gpu_hour_usd or 0.0) * block.gpus / block.concurrency / _SECONDS_PER_HOUR,
        currency=entry.currency or "USD",
        usd_per_unit=unit_usd,
    )
    return rates if entry.multiplier is None else rates.scaled(entry.multiplier)


def _price(block: Prices, kind: str, scale: float) -> Price | None:
    """The price of a kind of tokens over the size of requests; a tier that does not name it leaves it as it is."""
    base = block.per_mtok().get(kind)
    starts: list[int] = []
    steps: list[float] = []
    for tier in block.tiers:
        price = tier.per_mtok().get(kind)
        if price is None:
            continue
        if tier.above_input_tokens == 0:
            base = price
        else:
            starts.append(tier.above_input_tokens)
            steps.append(price * scale)
    return None if base is None else Price(base * scale, tuple(starts), tuple(steps))
