"""Probabilities that meet a rate: learned from past intervals, fixed within one.

Why what is kept stays unbiased: the factors that make a probability of a trace's weight are fixed before the trace is
seen. They follow from what came before it, kept or not, and from what was spent in expectation (the sum of
probabilities times costs), never from any randomness R; so the simulation of another set of trace ids goes through the
very same factors. That is Poisson sampling with known probabilities, trace by trace.

Inside an interval factors may only fall, when a fifth of its budget more is spent than was foreseen: a burst is met
within the interval in which it begins, with what is left of the budget.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final

from processors.sampling.thresholds import ALWAYS, BITS, NEVER
from processors.tail_sampling.learning.fairness import Demand, shares
from processors.tail_sampling.learning.tallies import Tally, expected, risen

_PARTS: Final = 16
"""Of an interval, by which the present rate is told."""
_LEAST_PART: Final = 1 / 4
"""Of a part, from which a rate is told; what is decided at one moment has come in the time before it."""
_AHEAD: Final = 0.2
"""Of an interval's budget, how much more than foreseen is spent before factors fall: what comes at once (all traces
that are decided in one second) is no burst."""
_NOISE_SIGMAS: Final = 2.0
"""Or, where an interval's budget is a few traces, standard deviations of what is spent (Poisson)."""
_LEFT_AT_LEAST: Final = 0.5
"""Of the rate, what is kept in the rest of an interval however much was spent before: next to nothing would spoil
estimates and lose what must be kept. All in all less than twice the budget of an interval is spent."""
_MOST_AT_ONCE: Final = 4
"""How many times lower factors get at once: what a moment looks like may be wrong, and the next moment is near."""
_IDLE_INTERVALS: Final = 4
"""Intervals without traces after which the past says nothing more."""
_PRECISE_BITS: Final = 16
_DIGIT_BITS: Final = 4


def threshold_near(probability: float) -> int:
    """T of a probability, in few digits: within 2^-16 of it, relatively. Above zero it is never NEVER.

    The specification recommends four digits behind the leading `f`. The threshold says what the probability is, so
    that rounding makes no error.
    """
    if probability >= 1.0:
        return ALWAYS
    if probability <= 0.0:
        return NEVER
    bits = _PRECISE_BITS - math.frexp(probability)[1]
    bits = min(BITS, -(-bits // _DIGIT_BITS) * _DIGIT_BITS)
    return NEVER - (max(1, round(math.ldexp(probability, bits))) << (BITS - bits))


@dataclass(frozen=True, slots=True)
class Factors:
    """What probabilities are made of.

    Attributes:
        must: the probability of what is to be kept as long as the budget holds.
        may: probability of all else, for each unit of its weight; infinite: all of it.
    """

    must: float = 1.0
    may: float = 1.0


@dataclass(slots=True)
class _Flow:
    """What came of one key."""

    must: Tally = field(default_factory=Tally)
    may: Tally = field(default_factory=Tally)

    def merge(self, other: _Flow, share: float = 1.0) -> None:
        self.must.merge(other.must, share)
        self.may.merge(other.may, share)

    def scaled(self, share: float) -> _Flow:
        return _Flow(self.must.scaled(share), self.may.scaled(share))

    def followed_by(self, last: _Flow) -> _Flow:
        return _Flow(expected(self.must, last.must), expected(self.may, last.may))

    def or_risen(self, lately: _Flow, times: float) -> _Flow:
        """What came lately, so many times over, where that is more by more than noise explains."""
        return _Flow(risen(self.must, lately.must, times), risen(self.may, lately.may, times))

    @property
    def is_negligible(self) -> bool:
        return self.must.is_negligible and self.may.is_negligible


def _braked(before: Factors, planned: Factors, *, is_too_much: bool) -> Factors:
    """The lower ones, but not much lower at once; what must be kept is kept unless it alone is too much."""
    may = max(min(before.may, planned.may), before.may / _MOST_AT_ONCE) if before.may < math.inf else planned.may
    return Factors(min(before.must, planned.must) if is_too_much else before.must, may)


_Flows = dict[Hashable, _Flow]
_OTHERS: Final = None
"""Key of those for whom there is no place."""


class Pace:
    """Probabilities at which the expected costs of what is kept meet a rate, fairly divided among keys (tenants)."""

    def __init__(
        self, rate_per_s: float, interval_s: float, *, first: float = 1.0, most: float = math.inf, max_keys: int = 1000
    ) -> None:
        """Begin without a past.

        Args:
            rate_per_s: costs that may be spent in a second.
            interval_s: how long probabilities stay as they are.
            first: factor of the first interval, and of keys that were never seen.
            most: no factor is larger.
            max_keys: keys that are told apart; all others are one.
        """
        self._amount = rate_per_s * interval_s
        self._interval_s = interval_s
        self._most = most
        self._max_keys = max_keys
        self._past: _Flows = {}
        self._present: _Flows = {}
        self._fresh: _Flows = {}
        self._before: _Flows = {}
        self._latest: _Flows = {}
        self._latest_times = 1.0
        self._known: set[Hashable] = set()
        self._factors: dict[Hashable, Factors] = {}
        self._unseen = Factors(may=first)
        self._generous = Factors(may=most)
        self._begin_s = self._part_s = self._braked_s = self._next_s = -math.inf
        self._spent = self._spent_must = self._spread = 0.0
        self._alarm = math.inf
        self._alarms = 1

    def probability(self, key: Hashable, weight: float, cost: float, now_s: float, *, must: bool = False) -> float:
        """How likely a trace is kept, and note that it came.

        Args:
            key: whose share it takes.
            weight: relative to those of others, above zero; of no account with `must`.
            cost: what it takes of the rate.
            now_s: monotonic time, never less than in the call before.
            must: whether it is to be kept as long as the budget holds.
        """
        if now_s >= self._next_s or self._spent > self._alarm:
            self._turn(now_s)
        flow = self._fresh.get(key)
        if flow is None:
            key = self._known_as(key)
            flow = self._fresh.setdefault(key, _Flow())
        factors = self._factors.get(key, self._unseen)
        if must:
            flow.must.add(1.0, cost)
            found = factors.must
            self._spent_must += found * cost
        else:
            flow.may.add(weight, cost)
            found = min(1.0, weight * factors.may)
        spent = found * cost
        self._spent += spent
        self._spread += spent * cost
        return found

    def _known_as(self, key: Hashable) -> Hashable:
        if key not in self._known:
            if len(self._known) >= self._max_keys:
                return _OTHERS
            self._known.add(key)
        return key

    def _turn(self, now_s: float) -> None:
        """An edge of an interval or of a part of it, or more has been spent than was foreseen."""
        if self._begin_s == -math.inf:
            self._begin_s = self._part_s = now_s
        elif now_s >= self._begin_s + self._interval_s:
            self._close(now_s)
        else:
            if self._spent > self._foreseen(now_s) + self._alarms * self._ahead():
                self._brake(now_s)
                if self._alarms == 1:
                    self._end_part(now_s)
                    self._before, self._present, self._braked_s = self._present, {}, now_s
                self._alarms += 1
            if now_s >= self._next_s:
                self._end_part(now_s)
        part_s = self._interval_s / _PARTS
        self._next_s = self._begin_s + (math.floor((now_s - self._begin_s) / part_s) + 1) * part_s
        self._alarm = self._foreseen(now_s) + self._alarms * self._ahead()

    def _ahead(self) -> float:
        """How much more than foreseen may be spent."""
        return max(_AHEAD * self._amount, _NOISE_SIGMAS * math.sqrt(self._spread))

    def _foreseen(self, now_s: float) -> float:
        return self._amount * (now_s - self._begin_s) / self._interval_s

    def _end_part(self, now_s: float) -> None:
        part_s = min(self._interval_s, max(self._interval_s / _PARTS, now_s - self._part_s))
        self._latest, self._latest_times = self._fresh, self._interval_s / part_s
        for key, flow in self._fresh.items():
            self._present.setdefault(key, _Flow()).merge(flow)
        self._fresh = {}
        self._part_s = now_s

    def _close(self, now_s: float) -> None:
        """The end of an interval: what follows is planned from all that came until now."""
        self._end_part(now_s)
        passed = int((now_s - self._begin_s) / self._interval_s)
        lately = {key: flow.scaled(1.0) for key, flow in self._present.items()} if self._alarms > 1 else {}
        lately_s = max(self._interval_s / _PARTS, self._begin_s + self._interval_s - self._braked_s)
        for key, flow in self._before.items():
            self._present.setdefault(key, _Flow()).merge(flow)
        strangers = self._strangers(self._present)
        flows: _Flows = {}
        for key in self._past.keys() | self._present.keys():
            last = self._present.get(key) or _Flow()
            flow = self._past[key].followed_by(last) if key in self._past else last
            for _ in range(min(passed - 1, _IDLE_INTERVALS)):
                flow = flow.followed_by(_Flow())
            if key in lately and passed == 1:
                # Of an interval in which more came than was foreseen, what came since that was seen says more.
                flow = flow.or_risen(lately[key], self._interval_s / lately_s)
            if not flow.is_negligible:
                flows[key] = flow
        self._past, self._before, self._present, self._known = flows, {}, {}, set(flows)
        self._begin_s += passed * self._interval_s
        self._spent = self._spent_must = self._spread = 0.0
        self._alarms = 1
        self._factors, self._unseen = self._planned(flows, strangers, self._amount)

    def _brake(self, now_s: float) -> None:
        """Lower what is kept for the rest of the interval to what is left of the budget."""
        least_s = _LEAST_PART * self._interval_s / _PARTS
        left_s = max(least_s, self._begin_s + self._interval_s - now_s)
        fresh_s = max(least_s, now_s - self._part_s)
        is_too_much = self._spent_must > self._foreseen(now_s) + self._ahead()
        flows: _Flows = {}
        # At the beginning, this interval is all there is to know.
        known, known_s = self._past, self._interval_s
        if not known:
            known, known_s = self._so_far(), max(least_s, now_s - self._begin_s)
        for key in known.keys() | self._latest.keys() | self._fresh.keys():
            fresh, latest = self._fresh.get(key, _Flow()), self._latest.get(key, _Flow())
            latest_times = self._latest_times * left_s / self._interval_s
            if key in known:
                rest = known[key].scaled(left_s / known_s)
                flows[key] = rest.or_risen(latest, latest_times).or_risen(fresh, left_s / fresh_s)
                if not is_too_much:
                    # More of it is told when it has come; what may be kept is not to make room for it before.
                    flows[key].must = rest.must
            else:
                flows[key] = fresh.scaled(left_s / fresh_s) if key in self._fresh else latest.scaled(latest_times)
        left = max(self._amount - self._spent, _LEFT_AT_LEAST * self._amount * left_s / self._interval_s)
        planned, unseen = self._planned(flows, self._strangers(flows), left)
        for key, plan in planned.items():
            self._factors[key] = _braked(self._factors.get(key, self._unseen), plan, is_too_much=is_too_much)
        self._unseen = _braked(self._unseen, unseen, is_too_much=is_too_much)

    def _so_far(self) -> _Flows:
        """What came in this interval."""
        found: _Flows = {}
        for part in (self._before, self._present, self._fresh):
            for key, flow in part.items():
                found.setdefault(key, _Flow()).merge(flow)
        return found

    def _strangers(self, flows: _Flows) -> _Flows:
        """Those who came for the first time; at the beginning, when all do, that says nothing of what will come."""
        return {key: flow for key, flow in flows.items() if key not in self._past} if self._past else {}

    def _planned(self, flows: _Flows, strangers: _Flows, amount: float) -> tuple[dict[Hashable, Factors], Factors]:
        """Factors of each key, and of keys that come for the first time: as many and like those that just did."""
        everybody: _Flows = dict(flows)
        demands = {key: self._demand(flow) for key, flow in flows.items()}
        stranger = _Flow()
        for flow in strangers.values():
            stranger.merge(flow, 1 / len(strangers))
        if strangers:
            everybody[_Stranger] = stranger
            demands[_Stranger] = self._demand(stranger, len(strangers))
        granted = shares(demands, amount)
        factors = {
            key: Factors(
                granted[key].must / flow.must.cost if flow.must.cost else 1.0,
                min(self._most, flow.may.factor_for(granted[key].may)),
            )
            for key, flow in everybody.items()
        }
        return factors, factors.pop(_Stranger, self._generous)

    def _demand(self, flow: _Flow, tenants: int = 1) -> Demand:
        return Demand(flow.must.cost, flow.may.spent_at(self._most), tenants)

    @property
    def factors(self) -> Mapping[Hashable, Factors]:
        """Those of the present interval, by key."""
        return self._factors


class _Stranger:
    """Key of those who come for the first time."""
