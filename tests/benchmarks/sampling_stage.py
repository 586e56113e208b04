"""CPU time of tail sampling inside one process: bytes of requests in, bytes of kept traces out."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.config import load
from pipeline.heap import settle
from pipeline.signals import Batch, Delivery, Signal, end_all
from pipeline.signals.delivery import Outcome
from pipeline.signals.intake import parse
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.trace_buffer.dividing import join
from processors.trace_buffer.store import Store, StoreSettings
from tests.benchmarks import report
from tests.benchmarks.bars import Bar
from tests.benchmarks.payloads import TEXT_FREE, Shape
from tests.benchmarks.sampling_load import ATTRIBUTE, BASELINE, EVERYTHING, Load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.trace_buffer.packing import Piece

SPANS = 96
"""A request, so that 6 spans to a trace come out even."""
_REQUESTS = 60
_ROUNDS = 5
_WAIT_S = 10.0
_PER_BATCH = 1000
MOST_US = 12.5
"""Bytes in to bytes out, per span: 80,000 a second."""
MOST_DECISION_US = 20.0
_AROUND = (
    "yaml:{receivers: {nop: }, exporters: {nop: }, "
    "service: {pipelines: {traces/keep: {receivers: [nop], exporters: [nop]}}}}"
)


@dataclass(frozen=True, slots=True)
class Found:
    """Microseconds of CPU.

    Attributes:
        parse_us: per span, what intake needs before anything else.
        add_us: per span, from the parsed request into the buffer.
        out_us: per span of all, from the decisions to joined bytes.
        decision_us: per trace: the tick, with what leaves being joined left out.
    """

    parse_us: float
    add_us: float
    out_us: float
    decision_us: float
    spans_a_trace: int

    @property
    def us_per_span(self) -> float:
        """From the bytes of requests to the bytes of what is kept."""
        return self.parse_us + self.add_us + self.out_us + self.decision_us / self.spans_a_trace


class _Joined:
    """Joins what leaves as the outlet does, and takes the time."""

    def __init__(self) -> None:
        self.spent_ns = 0
        self._pieces: list[Any] = []
        self._deliveries: list[Delivery] = []
        self._spans = 0

    def add(self, pieces: list[Piece], deliveries: list[Delivery]) -> None:
        for head, body, count in pieces:
            self._pieces.append((head, body))
            self._spans += count
        self._deliveries += deliveries
        if self._spans >= _PER_BATCH:
            self.close()

    def close(self) -> None:
        began = time.process_time_ns()
        join(self._pieces)
        end_all(self._deliveries, Outcome.DELIVERED)
        self._pieces, self._deliveries, self._spans = [], [], 0
        self.spent_ns += time.process_time_ns() - began


def cases() -> dict[str, TailSamplingConfig]:
    """Configurations by name: what is kept, and how much there is to look at."""
    found: dict[str, dict[str, Any]] = {
        "status, latency, a fifth of all": {"policies": BASELINE},
        "the same with weights": {"policies": BASELINE, "weights": True},
        "status, latency, an attribute": {"policies": ATTRIBUTE},
        "all kept": {"policies": EVERYTHING},
    }
    built = {name: TailSamplingConfig.model_validate(setting) for name, setting in found.items()}
    return built | {"policies for LLM applications, weights": _for_llms()}


def _for_llms() -> TailSamplingConfig:
    """The configuration that comes with Penstock."""
    processors = load([_AROUND, "configs/overlays/sampling.yaml"]).processors.values()
    return next(item.config for item in processors if isinstance(item.config, TailSamplingConfig))


def _measurable(config: TailSamplingConfig) -> TailSamplingConfig:
    """With room for all requests of a round, which wait and are decided together."""
    buffer = config.buffer.model_copy(update={"max_bytes": 1 << 30})
    changes = {"num_traces": 10**6, "buffer": buffer, "decision_wait": _WAIT_S, "deadline": None}
    return config.model_copy(update=changes)


Results = dict[tuple[str, int], Found]
"""By case and spans a trace."""
HEADER = ("spans a trace", "us a span", "spans/s", "parse", "into the buffer", "out", "decision, us a trace")


def run() -> Results:
    """Measure all cases with one span and with six to a trace."""
    return {(name, spans): measure(config, spans) for name, config in cases().items() for spans in (1, 6)}


def rows(results: Results) -> Iterator[tuple[str, ...]]:
    """A row for each, as in `HEADER`."""
    for (name, spans), found in results.items():
        times = found.us_per_span, found.parse_us, found.add_us, found.out_us, found.decision_us
        total, *parts = map(report.microseconds, times)
        yield name, str(spans), total, f"{1e6 / found.us_per_span:,.0f}", *parts


def bars(results: Results) -> Iterator[Bar]:
    """Of the first case, which looks at no attribute."""
    first = next(iter(cases()))
    for (name, spans), found in results.items():
        if name == first:
            yield Bar(f"in process, {spans} spans a trace: microseconds a span", found.us_per_span, MOST_US)
            yield Bar(f"in process, {spans} spans a trace: decision, microseconds", found.decision_us, MOST_DECISION_US)


def measure(config: TailSamplingConfig, spans_a_trace: int, shape: Shape = TEXT_FREE) -> Found:
    """Medians of a few rounds, each with its requests waiting together."""
    config = _measurable(config)
    built = Setting(weighted=is_weighted(config))
    out = _Joined()
    store = Store(StoreSettings(config.buffer.max_bytes))
    sampler = Sampler(config, Rules(build_policies(config.policies, built), built), store, out)
    load = Load(shape, spans=SPANS, spans_a_trace=spans_a_trace)
    settle()
    rounds = [_round(sampler, out, list(load.take(_REQUESTS)), 1000.0 + 20 * n) for n in range(_ROUNDS + 1)]
    spans = _REQUESTS * SPANS
    parse_ns, add_ns, out_ns, tick_ns = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
    return Found(
        parse_ns / spans / 1e3,
        add_ns / spans / 1e3,
        out_ns / spans / 1e3,
        tick_ns / (spans / spans_a_trace) / 1e3,
        spans_a_trace,
    )


def _round(sampler: Sampler, out: _Joined, bodies: Sequence[bytes], now_s: float) -> tuple[int, int, int, int]:
    """Nanoseconds of parsing, adding, joining and deciding."""
    clock = time.process_time_ns
    parse_ns = add_ns = 0
    for body in bodies:
        began = clock()
        batch: Batch = parse(Signal.TRACES, body)
        parsed = clock()
        sampler.add(batch, now_s)
        parse_ns += parsed - began
        add_ns += clock() - parsed
    out.spent_ns = 0
    began = clock()
    sampler.tick(now_s + _WAIT_S + 1)
    ticked_ns = clock() - began - out.spent_ns
    out.close()
    assert not sampler.open
    return parse_ns, add_ns, out.spent_ns, ticked_ns
