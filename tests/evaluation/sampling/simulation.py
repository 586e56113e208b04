"""Traffic through the real sampler, with a clock of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from pipeline.signals import Delivery, Signal
from pipeline.signals.intake import parse
from processors.sampling.thresholds import NEVER
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.policy import Decision, Policy, Setting, TraceFacts
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.packing import Piece
from processors.trace_buffer.store import Store, StoreSettings
from tests.support.sampling import PlainTrace
from tests.support.sampling_otlp import Sending, sendings

_TICK_S: Final = 0.1
_BEGIN_S: Final = 1000.0
_BUFFER_BYTES: Final = 1 << 30

WANTED: Final = """
  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
  - {name: flagged, type: attribute, attribute: {key: penstock.adversarial.label, values: attack}}
  - name: badly judged
    type: attribute
    attribute: {key: gen_ai.evaluation.score.value, event: gen_ai.evaluation.result, max: 0.3}
  - {name: expensive, type: weighted, weighted: {key: penstock.cost.usd, traces_per_second: 2}}
  - {name: baseline, type: probabilistic, probabilistic: {sampling_percentage: 1}}
"""
"""What is kept of LLM traffic: all that matters, more of what costs more, and some of everything."""


def config_of(policies: list[dict[str, Any]], **keys: Any) -> TailSamplingConfig:
    """Decided when the trace is over; a conversation shares one fate."""
    deadline = {"settle": 2.0, "idle": 10.0, "max_age": 120.0, "early_keep": False}
    return TailSamplingConfig(
        **{"deadline": deadline, "session": {}, "policies": policies, "num_traces": 1_000_000} | keys
    )


def within_budget(spans_per_second: float, **keys: Any) -> list[dict[str, Any]]:
    """What is wanted, within a budget."""
    budget = {"spans_per_second": spans_per_second, "policies": yaml.safe_load(WANTED)} | keys
    return [{"name": "within budget", "type": "budget", "budget": budget}]


@dataclass(slots=True)
class Verdict:
    """What the rules said of a trace: its threshold (NEVER: nobody wanted it), and the rule."""

    threshold: int | None = NEVER
    rule: str = ""
    kept: bool = False


class WitnessedRules(Rules):
    """Rules whose verdicts are written down.

    With `all_kept` every trace is decided as if it had the largest randomness there is, so that each shows the
    smallest threshold that any rule has for it.
    """

    def __init__(self, policies: Sequence[Policy], setting: Setting, *, all_kept: bool) -> None:
        """Write down from now on."""
        super().__init__(policies, setting)
        self._all_kept = all_kept
        self.verdicts: dict[bytes, Verdict] = {}

    def decide(self, trace: TraceFacts, now_s: float) -> Decision:
        """As ever."""
        if self._all_kept:
            trace.randomness = NEVER - 1
        decision = super().decide(trace, now_s)
        threshold = decision.threshold if decision.kept else NEVER
        self.verdicts[trace.trace_id] = Verdict(threshold, decision.rule, decision.kept)
        return decision


@dataclass(frozen=True, slots=True)
class SentSpan:
    """A span that was kept."""

    span_id: bytes
    tracestate: str
    attributes: dict[str, Any]


@dataclass(slots=True)
class Collected:
    """Where kept spans go: by trace, as they leave."""

    reads: bool
    spans: dict[bytes, list[SentSpan]] = field(default_factory=lambda: defaultdict(list))

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        """See `outlet.Out`."""
        for _, body, _ in pieces if self.reads else ():
            for span in ScopeSpans.FromString(body).spans:
                attributes = {
                    pair.key: pair.value.string_value or pair.value.double_value
                    for pair in span.attributes
                    if pair.key.startswith("penstock.sampling.")
                }
                self.spans[span.trace_id].append(SentSpan(span.span_id, span.trace_state, attributes))


@dataclass(slots=True)
class Outcome:
    """What became of the traffic."""

    verdicts: dict[bytes, Verdict]
    spans: dict[bytes, list[SentSpan]]
    late_spans: int


def simulate(
    traces: Sequence[PlainTrace], config: TailSamplingConfig, *, all_kept: bool = False, reads: bool = False
) -> Outcome:
    """Send the traces at their times through a sampler of this configuration; all are decided at the end.

    Args:
        traces: what is sent.
        config: of the processor.
        all_kept: whether decisions are made as if all had the largest randomness.
        reads: whether spans that leave are read.
    """
    setting = Setting(weighted=is_weighted(config))
    rules = WitnessedRules(build_policies(config.policies, setting), setting, all_kept=all_kept)
    out = Collected(reads)
    sampler = Sampler(config, rules, Store(StoreSettings(_BUFFER_BYTES)), out)
    now_s = _BEGIN_S
    for sending in sendings(traces):
        now_s = _advance(sampler, now_s, _BEGIN_S + sending.at_s)
        _add(sampler, sending, now_s)
    while sampler.open:
        now_s = _advance(sampler, now_s, now_s + 1)
    return Outcome(rules.verdicts, out.spans, sum(sampler.tally.late_spans.values()))


def _advance(sampler: Sampler, now_s: float, until_s: float) -> float:
    while now_s + _TICK_S <= until_s:
        now_s += _TICK_S
        sampler.tick(now_s)
    return until_s


def _add(sampler: Sampler, sending: Sending, now_s: float) -> None:
    sampler.add(parse(Signal.TRACES, sending.raw), now_s)
