"""What came in a time, as much of it as it takes to say what a threshold would have let through.

Of each trace two numbers count: its weight (how much it matters) and its cost (what it takes of the budget). At a
factor f a trace is kept with probability min(1, weight * f), so that cost * min(1, weight * f) is spent in expectation.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Final

_PARTS: Final = 8
"""Bins in which a doubling of the weight is divided."""
_WIDEST: Final = 64
"""Weights count as 2^-64 to 2^64: a tally has at most 1,032 bins, in practice a few dozen."""
_LIGHTEST: Final = 2.0**-_WIDEST
_FADED_SHARE: Final = 1e-9
"""Of all costs; a bin with less, into which nothing falls any more, is left out."""
_CHANGE_SIGMAS: Final = 4.0
_NEW_SHARE: Final = 0.3
_NEGLIGIBLE_TRACES: Final = 0.01


class Tally:
    """Costs of traces by weight.

    Attributes:
        cost: of all traces.
        square: of the costs, summed: the variance of `cost` where traces come independently of one another (Poisson).
        bins: by a small range of weights: cost, and cost times weight. Inside a bin all count as of its mean weight.
    """

    __slots__ = ("bins", "cost", "square")

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.cost = self.square = 0.0
        self.bins: dict[int, list[float]] = {}

    def add(self, weight: float, cost: float) -> None:
        """One trace. The weight is above zero; lighter ones than can be told apart count as the lightest."""
        # Shares of the smallest numbers would be zero.
        weight = max(weight, _LIGHTEST)
        mantissa, exponent = math.frexp(weight)
        number = max(-_WIDEST, min(_WIDEST, exponent)) * _PARTS + int(mantissa * 2 * _PARTS)
        self.cost += cost
        self.square += cost * cost
        found = self.bins.get(number)
        if found is None:
            self.bins[number] = [cost, cost * weight]
        else:
            found[0] += cost
            found[1] += cost * weight

    def merge(self, other: Tally, share: float = 1.0) -> None:
        """Add what another has seen, or a share of it."""
        self.cost += other.cost * share
        self.square += other.square * share
        for number, (cost, weighted) in other.bins.items():
            found = self.bins.setdefault(number, [0.0, 0.0])
            found[0] += cost * share
            found[1] += weighted * share

    def scaled(self, share: float) -> Tally:
        """As many times what it has seen."""
        made = Tally()
        if self.bins:
            made.merge(self, share)
        return made

    def spent_at(self, factor: float) -> float:
        """What is spent of these traces in expectation."""
        if factor == math.inf:
            return self.cost
        return sum(min(cost, weighted * factor) for cost, weighted in self.bins.values())

    def factor_for(self, amount: float) -> float:
        """The factor at which `amount` is spent in expectation; infinite where all traces cost no more than that."""
        if self.cost <= amount:
            return math.inf
        lightest_first = sorted(self.bins.values(), key=_mean_weight)
        # Of the bins so far; to subtract from the whole would lose the digits of the light ones.
        rests = list(accumulate(weighted for _, weighted in lightest_first))
        certain, rest = 0.0, rests[-1]
        for (cost, weighted), rest in zip(reversed(lightest_first), reversed(rests), strict=True):
            if certain + cost / weighted * rest >= amount:
                break
            certain += cost
        return max(0.0, amount - certain) / rest

    @property
    def is_negligible(self) -> bool:
        """Whether it is less than a hundredth of a trace: nobody comes any more."""
        return self.cost * self.cost <= _NEGLIGIBLE_TRACES * self.square


def risen(before: Tally, lately: Tally, times: float) -> Tally:
    """What came lately, in a shorter time, so many times over; what came before where noise explains the difference."""
    if lately.cost * times - before.cost > _CHANGE_SIGMAS * times * math.sqrt(lately.square):
        return lately.scaled(times)
    return before


def _mean_weight(entry: list[float]) -> float:
    cost, weighted = entry
    return weighted / cost


def expected(past: Tally, last: Tally) -> Tally:
    """What to expect of the next interval by the intervals before the last and by the last one.

    Noise is smoothed (exponentially, three tenths for the last interval); a change that noise does not explain is
    believed at once, so that a step is followed within one interval.
    """
    if not past.bins and not last.bins:
        return past
    noise = math.sqrt(max(past.square, last.square))
    if abs(last.cost - past.cost) > _CHANGE_SIGMAS * noise:
        return last
    made = past.scaled(1 - _NEW_SHARE)
    made.merge(last, _NEW_SHARE)
    least = _FADED_SHARE * made.cost
    made.bins = {number: found for number, found in made.bins.items() if found[0] > least}
    return made
