"""How plain times are read on spans, by the attributes about time that stand on them."""

from __future__ import annotations

from typing import Final, NamedTuple

from processors.gen_ai_latency.facts import ANY, Fact, Facts
from processors.gen_ai_latency.rates import CHOICES, ERROR
from processors.gen_ai_latency.targets import SOURCE, TOKENS_PER_S, TPOT
from processors.gen_ai_latency.units import PER_UNIT

RESPONSE: Final = "gen_ai.response.id"
_MOST_WAYS: Final = 512
"""Sets of attributes whose ways are kept: libraries write a few dozen."""


class Way(NamedTuple):
    """How the times of a span are read."""

    first: str
    """Attribute of the time to the first token; "" where chunks tell."""
    first_unit_s: float
    total: str
    """Attribute of the time of the whole call by the same clock; "" without."""
    total_unit_s: float
    rate: str
    """Attribute of tokens per second; "" without."""


class Ways(dict[frozenset[str], Way | None]):
    """The ways by those of the deciding attributes that stand on a span, made when first asked for.

    None where the times are not plain: in no fixed unit, on some conditions only, or perhaps a lie.
    """

    def __init__(self, facts: Facts) -> None:
        """Make ways from these facts."""
        super().__init__()
        self._facts = facts
        doubts = [lie.conditions[0] for lie in facts.universal_lies if lie.conditions]
        ids = [doubt for doubt in doubts if doubt.key == RESPONSE and doubt.pattern.endswith("*")]
        self.lying_ids = tuple(doubt.pattern[:-1] for doubt in ids)
        """Beginnings of the ids of responses of which no time is believed at once."""
        others = {doubt.key for doubt in doubts if doubt not in ids}
        self.deciding = facts.keys | others | {SOURCE, TPOT, TOKENS_PER_S, ERROR, CHOICES}
        is_decided = len(doubts) == len(facts.universal_lies)
        self._lies = {
            name: tuple(lie for lie in lies if lie.fact != ANY) for name, lies in facts.doubtful.items() if is_decided
        }
        self.chunks = {name: lies for name, lies in self._lies.items() if name.startswith(("event ", "log "))}
        """The lies that chunks may be, apart from those that any fact may be."""

    def __missing__(self, keys: frozenset[str]) -> Way | None:
        """The way for spans that have these of the deciding attributes."""
        if len(self) >= _MOST_WAYS:
            self.clear()
        way = self[keys] = self._way(keys)
        return way

    def _way(self, keys: frozenset[str]) -> Way | None:
        rates = [name for name in self._facts.rates if name in keys]
        facts = [fact for fact in self._facts.first_token if fact.attribute in keys]
        if not keys <= {*rates, *(fact.attribute for fact in facts)} or not all(map(self._is_plain, facts[:1])):
            return None
        first = facts[0] if facts else Fact(attribute="")
        total = first.total
        return Way(
            first=first.attribute,
            first_unit_s=PER_UNIT[first.unit],
            total=total.attribute if total else "",
            total_unit_s=PER_UNIT[total.unit] if total else 0.0,
            rate=rates[0] if rates else "",
        )

    def _is_plain(self, fact: Fact) -> bool:
        is_conditional = fact.path or fact.units or fact.when or fact.attempt or fact.gap or fact.needs_stream
        units = {fact.unit, fact.total.unit} if fact.total else {fact.unit}
        return not is_conditional and units <= PER_UNIT.keys() and self._lies.get(fact.name) == ()
