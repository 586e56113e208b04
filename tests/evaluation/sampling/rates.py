"""Budgets under load: fair shares of tenants, and steps of traffic."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from processors.sampling.thresholds import randomness_of
from processors.tail_sampling.learning.fairness import level_of
from processors.tail_sampling.policies.budget import Budget, BudgetConfig
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.rules import Rules
from processors.trace_buffer.trace import Trace
from tests.evaluation.sampling.goals import Goal

_INTERVAL_S: Final = 15.0
_MOST_SPANS: Final = 9
_MEAN_SPANS: Final = (1 + _MOST_SPANS) / 2
_TENANTS: Final = 50
_NOISY: Final = "tenant 0"
_STEP: Final = 10
_BEFORE: Final = 4


@dataclass(frozen=True, slots=True)
class Decided:
    """One trace: when, whose, how large, with which probability it was kept, and whether it was."""

    at_s: float
    tenant: str
    spans: int
    kept: bool


def decide(
    config: dict[str, Any],
    spans_per_second: Callable[[float], float],
    seconds: float,
    tick_s: float,
    tenants: list[float],
) -> Iterator[Decided]:
    """Traces of one to nine spans that come at a rate; those of a tick are decided at once, as they are when they wait.

    Args:
        config: of the budget.
        spans_per_second: by time.
        seconds: how long.
        tick_s: time between decisions.
        tenants: share of each.
    """
    rng = random.Random(7)
    setting = Setting(weighted=True)
    rules = Rules([Budget("budget", BudgetConfig(**config), setting)], setting)
    names = [f"tenant {number}" for number in range(len(tenants))]
    arrives_s = 0.0
    for tick in range(1, round(seconds / tick_s) + 1):
        now_s = tick * tick_s
        while arrives_s < now_s:
            arrives_s += rng.expovariate(spans_per_second(arrives_s) / _MEAN_SPANS)
            trace_id = rng.randbytes(16)
            trace = Trace(trace_id, randomness_of(trace_id), arrives_s, rules.begin())
            trace.tenant = rng.choices(names, tenants)[0]
            trace.span_count = rng.randint(1, _MOST_SPANS)
            yield Decided(now_s, trace.tenant, trace.span_count, rules.decide(trace, now_s).kept)


def fairness(seconds: float) -> list[Goal]:
    """One tenant has nine tenths of the traffic, the others are as unequal as words; all want more than there is."""
    others = [0.1 / (number**1.1) for number in range(1, _TENANTS)]
    scale = 0.1 / sum(others)
    tenants = [0.9, *(share * scale for share in others)]
    budget = {"spans_per_second": 500, "interval": _INTERVAL_S, "fair_by": ["tenant"]}
    wanted: dict[str, float] = defaultdict(float)
    got: dict[str, float] = defaultdict(float)
    for one in decide(budget, lambda _: 5000, seconds, 0.2, tenants):
        if one.at_s > 2 * _INTERVAL_S:
            wanted[one.tenant] += one.spans
            got[one.tenant] += one.spans * one.kept
    measured_s = seconds - 2 * _INTERVAL_S
    level = level_of({name: (0.0, asked, 1.0) for name, asked in wanted.items()}, 500 * measured_s)
    quiet = [name for name in wanted if name != _NOISY]
    ratios = {name: got[name] / min(wanted[name], level) for name in quiet}
    limited = [name for name in quiet if wanted[name] > level]
    return [
        Goal("fairness: least share a quiet tenant gets of its max-min share", min(ratios.values()), least=0.95),
        Goal("fairness: quiet tenants that want more than the level", len(limited), least=1, unit=""),
        Goal("fairness: share the noisy tenant gets of its own", got[_NOISY] / level, most=1.1),
        Goal("fairness: what is spent of the budget", sum(got.values()) / (500 * measured_s), least=0.9, most=1.1),
    ]


def step(phases: Sequence[float], tick_s: float) -> list[Goal]:
    """Traffic rises to ten times within an interval: at its beginning, in its middle and near its end."""
    most, above, late = 0.0, 0, 0
    for phase in phases:
        after = _spent_after(phase, tick_s)
        most, above = max(most, *after), max(above, sum(share > 1.1 for share in after))
        late = max([late, *(number for number, share in enumerate(after) if not 0.9 <= share <= 1.1)])
    return [
        Goal("budget, step x10: most that is spent in an interval", most, most=2.0, unit="x"),
        Goal("budget, step x10: intervals above the target by a tenth", above, most=1, unit=""),
        Goal("budget, step x10: intervals until it is met within a tenth", late + 1, most=3, unit=""),
    ]


def _spent_after(phase: float, tick_s: float) -> list[float]:
    """Of the budget, by interval, from the one in which traffic rises."""
    begin_s = (_BEFORE + phase) * _INTERVAL_S
    spent: dict[int, float] = defaultdict(float)
    budget = {"spans_per_second": 500, "interval": _INTERVAL_S}

    def spans_per_second(at_s: float) -> float:
        return 600.0 * (_STEP if at_s >= begin_s else 1)

    for one in decide(budget, spans_per_second, 12 * _INTERVAL_S, tick_s, [1]):
        spent[int((one.at_s - tick_s) / _INTERVAL_S)] += one.spans * one.kept / (500 * _INTERVAL_S)
    return [spent[number] for number in range(_BEFORE, 12)]
