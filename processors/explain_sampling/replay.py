"""Recorded traces through a configuration of `tail_sampling`, at the times of their recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.config import ConfigModel
from pipeline.signals import NO_CONTEXT, Delivery, Signal
from pipeline.signals.intake import parse
from processors.explain_sampling.reading import Arrival
from processors.explain_sampling.summary import Fate, Replayed, Rule
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.policies.containers import Container
from processors.tail_sampling.policy import NEVER, Decision, Policy, Setting, TraceFacts
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler, TenantOf
from processors.tail_sampling.tenants import Tenants
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store, StoreSettings

_SECOND_NS: Final = 10**9
_TICK_S: Final = 0.1
# Clocks begin well above zero: a moment of zero means that there is none.
_BEGIN_S: Final = 1000.0


@dataclass(slots=True)
class _Answers:
    """What policies said of the trace that is being decided."""

    trace: Any = None
    asked: dict[str, int] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)


class _Witness(Policy):
    """A policy whose answers are written down, and those of the policies inside it."""

    type = "witness"
    Config = ConfigModel

    def __init__(self, inner: Policy, answers: _Answers) -> None:
        super().__init__(inner.name, None, Setting())
        self.children = (inner,)
        self.drops, self.spends, self.vetoes = inner.drops, inner.spends, inner.vetoes
        self.is_instant, self.is_graded, self.is_known = inner.is_instant, inner.is_graded, inner.is_known
        self._inner = inner
        self._answers = answers
        if isinstance(inner, Container):
            inner.contain([_Witness(child, answers) for child in inner.children])

    def threshold(self, trace: TraceFacts, now_s: float) -> int:
        answers = self._answers
        if answers.trace is not trace:
            answers.trace, answers.asked, answers.rules = trace, {}, {}
        # The place in front of those inside.
        answers.asked[self.name] = NEVER
        threshold = answers.asked[self.name] = self._inner.threshold(trace, now_s)
        self.rule = self._inner.rule
        answers.rules[self.rule] = self.name
        return threshold


class _Rules(Rules):
    """Rules whose decisions are written down, the first of each trace."""

    def __init__(self, policies: Sequence[Policy], setting: Setting, answers: _Answers, *, first_match: bool) -> None:
        super().__init__(policies, setting, sample_on_first_match=first_match)
        self._answers = answers
        self.fates: dict[bytes, Fate] = {}

    def decide(self, trace: Any, now_s: float) -> Decision:
        decision = super().decide(trace, now_s)
        known = self.fates.get(trace.trace_id)
        # With each span that arrives (span-ingest) no rule may want a trace yet.
        if known is None or not known.decision.rule:
            answers = self._answers
            policy = answers.rules.get(decision.rule, "")
            waited_s = now_s - trace.arrived_s
            self.fates[trace.trace_id] = Fate(decision, trace.randomness, answers.asked, waited_s, policy)
        return decision


class _Nowhere:
    """What is kept is counted, not sent."""

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        """See `outlet.Out`."""


def _rules(policies: Sequence[Policy], parent: str = "") -> Iterator[Rule]:
    """To be filled: one for each policy, those inside behind their container."""
    siblings = frozenset(policy.name for policy in policies)
    for policy in policies:
        yield Rule(policy.name, policy.type, policy.drops, parent, siblings)
        yield from _rules(policy.children, policy.name)


def replay(config: TailSamplingConfig, arrivals: Sequence[Arrival], tenant_from: Sequence[str] = ()) -> Replayed:
    """Decide all traces, each when its time has come.

    Of `tenant_from` (`service.tenant_from`) only what resources say can be known: requests were not recorded.
    Early keeping is off, so that every policy is asked about every trace: what is kept is the same.
    """
    if config.deadline is not None:
        config = config.model_copy(update={"deadline": config.deadline.model_copy(update={"early_keep": False})})
    setting = Setting(is_weighted(config), legacy_invert_match=config.legacy_invert_match)
    policies, answers = build_policies(config.policies, setting), _Answers()
    filled = list(_rules(policies))
    witnesses = [_Witness(policy, answers) for policy in policies]
    rules = _Rules(witnesses, setting, answers, first_match=config.sample_on_first_match)
    sampler = Sampler(config, rules, Store(StoreSettings(config.buffer.max_bytes)), _Nowhere())
    _run(sampler, arrivals, Tenants(tenant_from).of(NO_CONTEXT))
    late = sampler.tally.late_spans
    return Replayed(rules.fates, filled, setting.weighted, (late[True], late[False]))


def _run(sampler: Sampler, arrivals: Sequence[Arrival], tenant_of: TenantOf) -> None:
    begin_ns = arrivals[0].at_ns
    now_s = _BEGIN_S
    for arrival in arrivals:
        at_s = _BEGIN_S + (arrival.at_ns - begin_ns) / _SECOND_NS
        _tick_until(sampler, now_s, at_s)
        now_s = at_s
        sampler.add(parse(Signal.TRACES, arrival.raw), now_s, tenant_of)
    while sampler.open:
        _tick_until(sampler, now_s, now_s + _TICK_S)
        now_s += _TICK_S


def _tick_until(sampler: Sampler, now_s: float, until_s: float) -> None:
    """Decide what is due; a long time in which nothing waits takes none."""
    while sampler.open and now_s + _TICK_S <= until_s:
        now_s += _TICK_S
        sampler.tick(now_s)
