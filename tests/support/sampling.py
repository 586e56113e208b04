"""Traffic of LLM applications with known totals, for tests and evaluations of sampling.

Costs have a heavy tail; there are bursts, late spans, roots that never come, giants, skewed clocks, spans sent twice,
conversations, and traces that were sampled before. The same `Traffic` gives the same traces.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final

from processors.sampling.thresholds import ALWAYS, BITS, NEVER, adjusted_count_of, randomness_digits, threshold_digits
from processors.sampling.thresholds import threshold_of as t_of

Scalar = str | int | float | bool
START_NS: Final = 1_790_000_000_000_000_000
"""When the traffic begins; `PlainSpan.arrived_s` counts from there."""
COST: Final = "penstock.cost.usd"
INPUT: Final = "gen_ai.usage.input_tokens"
OUTPUT: Final = "gen_ai.usage.output_tokens"
FIRST_TOKEN: Final = "gen_ai.response.time_to_first_chunk"
SCORED: Final = "gen_ai.evaluation.result"
UNSET, ERROR = 0, 2
_PRICES_USD: Final = {"gpt-4o-mini": 0.4e-6, "gpt-4o": 6e-6, "claude-sonnet-4": 9e-6, "o3": 30e-6}
"""By model, per token."""
_SECOND_NS: Final = 10**9
_TOOLS: Final = ("search", "fetch", "calculator", "sql")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the traffic is made of. Shares are of traces, in 0 to 1.

    Attributes:
        duration_s: within which traces begin.
        skew: exponent of how unequal tenants and templates are (Zipf); 0: all alike.
        steps: most steps of an agent; each is a call of a model, or a tool.
        sigma: of the logarithm of tokens: the larger, the heavier the tail of the costs.
        burst_share: of the traces, those that begin within one of `bursts` moments of 1 % of the duration.
        late_share: traces of which a span comes `late_s` after the others.
        orphan_share: traces whose root never comes.
        giant_share: traces of `giant_spans` spans.
        clock_skew_share: traces of which one service's clock is wrong by up to `clock_skew_s`, either way.
        duplicate_share: of the spans, those that are sent twice.
        session_share: traces that belong to a conversation, of `session_traces` on average.
        incoming_share: traces that were sampled before, with `th`, half of them with an `rv`; some of these thresholds
            are above what the randomness of their trace reaches (`wrong_share` of them).
        text_chars: of the prompt of each call of a model.
    """

    traces: int = 1000
    seed: int = 1
    duration_s: float = 600.0
    tenants: int = 50
    templates: int = 200
    skew: float = 1.1
    steps: int = 6
    sigma: float = 1.6
    error_share: float = 0.01
    flagged_share: float = 0.002
    low_score_share: float = 0.005
    scored_share: float = 0.05
    bursts: int = 3
    burst_share: float = 0.2
    late_share: float = 0.02
    late_s: float = 45.0
    orphan_share: float = 0.02
    giant_share: float = 0.0
    giant_spans: int = 2000
    clock_skew_share: float = 0.02
    clock_skew_s: float = 30.0
    duplicate_share: float = 0.01
    session_share: float = 0.3
    session_traces: float = 4.0
    incoming_share: float = 0.0
    wrong_share: float = 0.0
    text_chars: int = 0


@dataclass(slots=True)
class PlainSpan:
    """A span without its wire format. Times of the span are its sender's; `arrived_s` is ours, from the beginning."""

    span_id: bytes
    parent_span_id: bytes
    name: str
    service: str
    start_unix_ns: int
    end_unix_ns: int
    arrived_s: float
    status_code: int = UNSET
    attributes: dict[str, Scalar] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Scalar]]] = field(default_factory=list)

    @property
    def cost_usd(self) -> float:
        """What it cost; 0 for what is no call of a model."""
        return float(self.attributes.get(COST, 0.0))

    @property
    def tokens(self) -> int:
        """Input and output."""
        return int(self.attributes.get(INPUT, 0)) + int(self.attributes.get(OUTPUT, 0))


@dataclass(slots=True)
class PlainTrace:
    """A trace, and what is true of it.

    Attributes:
        threshold_in: T with which it was kept before, ALWAYS where it was not sampled; None: a `th` that is wrong.
        tracestate: on each span.
        spans: each once; `again` has those that are sent a second time.
    """

    trace_id: bytes
    tenant: str
    template: str
    model: str
    session: str = ""
    threshold_in: int | None = ALWAYS
    tracestate: str = ""
    is_error: bool = False
    is_flagged: bool = False
    is_low_score: bool = False
    is_giant: bool = False
    spans: list[PlainSpan] = field(default_factory=list)
    again: list[PlainSpan] = field(default_factory=list)

    @property
    def is_interesting(self) -> bool:
        """Whether everybody wants it kept: an error, flagged, or badly judged."""
        return self.is_error or self.is_flagged or self.is_low_score

    @property
    def cost_usd(self) -> float:
        """Of its spans, each once."""
        return sum(span.cost_usd for span in self.spans)

    @property
    def tokens(self) -> int:
        """Of its spans, each once."""
        return sum(span.tokens for span in self.spans)

    @property
    def adjusted_count_in(self) -> float:
        """How many traces it stands for already; 1 where a wrong `th` says nothing."""
        return adjusted_count_of(self.threshold_in) if self.threshold_in else 1.0


@dataclass(slots=True)
class Totals:
    """What estimates are held against: sums over traces, each times what it stands for already."""

    traces: float = 0.0
    spans: float = 0.0
    tokens: float = 0.0
    cost_usd: float = 0.0
    errors: float = 0.0

    def add(self, trace: PlainTrace, weight: float) -> None:
        """Count one trace as `weight` traces."""
        self.traces += weight
        self.spans += weight * len(trace.spans)
        self.tokens += weight * trace.tokens
        self.cost_usd += weight * trace.cost_usd
        self.errors += weight * trace.is_error


def totals(traces: Sequence[PlainTrace]) -> Totals:
    """The truth about these traces."""
    found = Totals()
    for trace in traces:
        found.add(trace, trace.adjusted_count_in)
    return found


def totals_by_tenant(traces: Sequence[PlainTrace]) -> dict[str, Totals]:
    """The truth about each tenant."""
    found: dict[str, Totals] = {}
    for trace in traces:
        found.setdefault(trace.tenant, Totals()).add(trace, trace.adjusted_count_in)
    return found


def generate(traffic: Traffic) -> list[PlainTrace]:
    """The traces, in the order in which they begin."""
    return _Maker(traffic).run()


def with_other_ids(traces: Sequence[PlainTrace], seed: int) -> Iterator[PlainTrace]:
    """The same traces with other randomness: new trace ids and sessions, and tracestates that go with them.

    Spans are shared with the traces given. A wrong `th` becomes none.
    """
    rng = random.Random(seed)
    for trace in traces:
        trace_id, tracestate = _identity(rng, trace.threshold_in or ALWAYS)
        session = trace.session and f"{trace.session.split('/')[0]}/{seed}"
        yield replace(
            trace, trace_id=trace_id, tracestate=tracestate, session=session, threshold_in=trace.threshold_in or ALWAYS
        )


class _Zipf:
    """Draws names of which few are frequent."""

    def __init__(self, rng: random.Random, name: str, count: int, skew: float) -> None:
        self._rng = rng
        self._names = [f"{name}-{number:03}" for number in range(count)]
        self._sums = list(accumulate((number + 1) ** -skew for number in range(count)))

    def draw(self) -> str:
        return self._rng.choices(self._names, cum_weights=self._sums)[0]


class _Maker:
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._rng = random.Random(traffic.seed)
        self._tenants = _Zipf(self._rng, "tenant", traffic.tenants, traffic.skew)
        self._templates = _Zipf(self._rng, "template", traffic.templates, traffic.skew)
        self._models = _Zipf(self._rng, "", len(_PRICES_USD), traffic.skew)
        self._sessions = 0

    def run(self) -> list[PlainTrace]:
        return [self._trace(begin_s) for begin_s in sorted(self._begins())]

    def _begins(self) -> Iterator[float]:
        traffic, rng = self._traffic, self._rng
        bursts = [rng.uniform(0, 0.99 * traffic.duration_s) for _ in range(traffic.bursts)]
        for _ in range(traffic.traces):
            if bursts and rng.random() < traffic.burst_share:
                yield rng.choice(bursts) + rng.uniform(0, 0.01 * traffic.duration_s)
            else:
                yield rng.uniform(0, traffic.duration_s)

    def _happens(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share

    def _trace(self, begin_s: float) -> PlainTrace:
        traffic, rng = self._traffic, self._rng
        trace = PlainTrace(b"", self._tenants.draw(), self._templates.draw(), self._model())
        if self._happens(traffic.session_share):
            self._sessions += self._sessions == 0 or rng.random() * traffic.session_traces < 1
            trace.session = f"conversation-{self._sessions}"
        self._sampled_before(trace)
        trace.is_giant = self._happens(traffic.giant_share)
        self._fill(trace, begin_s)
        self._mark(trace)
        self._disturb(trace)
        return trace

    def _model(self) -> str:
        return list(_PRICES_USD)[int(self._models.draw()[1:])]

    def _sampled_before(self, trace: PlainTrace) -> None:
        traffic, rng = self._traffic, self._rng
        threshold = t_of(rng.choice((0.5, 0.25, 0.1))) if self._happens(traffic.incoming_share) else ALWAYS
        if threshold and self._happens(traffic.wrong_share):
            trace.trace_id = rng.randbytes(9) + rng.randrange(threshold).to_bytes(BITS // 8, "big")
            trace.tracestate, trace.threshold_in = f"ot=th:{threshold_digits(threshold)}", None
        else:
            trace.trace_id, trace.tracestate = _identity(rng, threshold)
            trace.threshold_in = threshold

    def _fill(self, trace: PlainTrace, begin_s: float) -> None:
        traffic, rng = self._traffic, self._rng
        count = traffic.giant_spans if trace.is_giant else 1 + rng.randint(1, traffic.steps)
        root_id, at_s = rng.randbytes(8), begin_s
        attributes: dict[str, Scalar] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
        for _ in range(count - 1):
            took_s = rng.lognormvariate(-1, 0.8)
            trace.spans.append(self._step(trace, root_id, at_s, took_s))
            at_s += took_s + 0.01
        trace.spans.append(_span(rng, b"", "invoke_agent support", "agent", begin_s, at_s, attributes, span_id=root_id))

    def _step(self, trace: PlainTrace, parent: bytes, begin_s: float, took_s: float) -> PlainSpan:
        rng = self._rng
        if rng.random() < 0.25:
            tool = rng.choice(_TOOLS)
            attributes: dict[str, Scalar] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
            return _span(rng, parent, f"execute_tool {tool}", "tools", begin_s, begin_s + took_s, attributes)
        read, written = (int(rng.lognormvariate(mu, self._traffic.sigma)) + 1 for mu in (6.0, 4.5))
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": trace.model,
            "gen_ai.prompt.name": trace.template,
            "gen_ai.prompt.version": "1",
            "penstock.gen_ai.role": "leaf",
            INPUT: read,
            OUTPUT: written,
            COST: (read + 4 * written) * _PRICES_USD[trace.model],
            FIRST_TOKEN: round(took_s * rng.uniform(0.1, 0.5), 4),
            "penstock.adversarial.score": round(rng.betavariate(1, 20), 3),
            "penstock.adversarial.label": "pass",
        }
        if self._traffic.text_chars:
            attributes["gen_ai.input.messages"] = rng.randbytes(self._traffic.text_chars // 2).hex()
        return _span(rng, parent, f"chat {trace.model}", "agent", begin_s, begin_s + took_s, attributes)

    def _mark(self, trace: PlainTrace) -> None:
        """What makes some traces matter more than others."""
        traffic, rng = self._traffic, self._rng
        calls = [span for span in trace.spans if COST in span.attributes] or trace.spans
        if self._happens(traffic.error_share):
            trace.is_error, failed = True, rng.choice(trace.spans)
            failed.status_code, failed.attributes["error.type"] = ERROR, "timeout"
        if self._happens(traffic.flagged_share):
            trace.is_flagged = True
            rng.choice(calls).attributes |= {"penstock.adversarial.label": "attack", "penstock.adversarial.score": 0.97}
        trace.is_low_score = self._happens(traffic.low_score_share)
        if trace.is_low_score or self._happens(traffic.scored_share):
            score = rng.uniform(0, 0.3) if trace.is_low_score else rng.uniform(0.5, 1)
            label = "fail" if trace.is_low_score else "pass"
            judged: dict[str, Scalar] = {
                "gen_ai.evaluation.name": "relevance",
                "gen_ai.evaluation.score.value": round(score, 3),
                "gen_ai.evaluation.score.label": label,
            }
            rng.choice(calls).events.append((SCORED, judged))

    def _disturb(self, trace: PlainTrace) -> None:
        """What networks and clocks do; what is true of the trace stays so."""
        traffic, rng = self._traffic, self._rng
        has_children = len(trace.spans) > 1
        # A root that carries the error is needed for the trace to be one.
        if has_children and trace.spans[-1].status_code != ERROR and self._happens(traffic.orphan_share):
            del trace.spans[-1]
        if self._happens(traffic.late_share):
            rng.choice(trace.spans).arrived_s += traffic.late_s
        if self._happens(traffic.clock_skew_share):
            wrong_ns = int(rng.uniform(-traffic.clock_skew_s, traffic.clock_skew_s) * _SECOND_NS)
            for span in trace.spans:
                if span.service == "tools":
                    span.start_unix_ns += wrong_ns
                    span.end_unix_ns += wrong_ns
        for span in trace.spans:
            if self._happens(traffic.duplicate_share):
                trace.again.append(replace(span, arrived_s=span.arrived_s + rng.uniform(0.5, 5)))


def _span(
    rng: random.Random,
    parent: bytes,
    name: str,
    service: str,
    begin_s: float,
    end_s: float,
    attributes: Mapping[str, Scalar],
    span_id: bytes = b"",
) -> PlainSpan:
    """A span that arrives a moment after its end, as exporters of SDKs send it."""
    start_ns, end_ns = (START_NS + int(moment_s * _SECOND_NS) for moment_s in (begin_s, end_s))
    span_id = span_id or rng.randbytes(8)
    return PlainSpan(
        span_id, parent, name, service, start_ns, end_ns, end_s + rng.uniform(0.05, 0.6), attributes=dict(attributes)
    )


def _identity(rng: random.Random, threshold: int) -> tuple[bytes, str]:
    """A trace id, and the tracestate of a trace that was kept at this threshold."""
    randomness = rng.randrange(threshold, NEVER)
    if not threshold:
        return rng.randbytes(9) + randomness.to_bytes(BITS // 8, "big"), ""
    th = f"ot=th:{threshold_digits(threshold)}"
    if rng.random() < 0.5:
        return rng.randbytes(16), f"{th};rv:{randomness_digits(randomness)}"
    return rng.randbytes(9) + randomness.to_bytes(BITS // 8, "big"), th
