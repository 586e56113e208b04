"""Processor `tail_sampling`: keeps traces by what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

from pipeline.component import Host
from pipeline.errors import Refused
from pipeline.signals import Batch
from processors.tail_sampling.config import TailSamplingConfig
from processors.tail_sampling.decision_topic import DecisionTopic
from processors.tail_sampling.learning.memories import Memories
from processors.tail_sampling.marks import is_weighted
from processors.tail_sampling.policy import Setting
from processors.tail_sampling.policy_config import build_policies
from processors.tail_sampling.rules import Rules
from processors.tail_sampling.sampler import Sampler
from processors.tail_sampling.tally import Tally
from processors.tail_sampling.telemetry import SamplingMetrics
from processors.tail_sampling.tenants import Tenants
from processors.trace_buffer.holder import TraceHolder
from processors.trace_buffer.store import Store


class TailSampling(TraceHolder):
    """Keeps or drops whole traces by what is in them, once they are complete.

    Spans wait as the bytes they came as, bounded in memory; a trace is decided when it looks complete (`deadline`) or
    after a fixed time (`decision_wait`). It is kept if any policy keeps it, and spans that come later share its fate.
    Where policies of our own are used, or with `weights: true`, kept spans say what they stand for: `ot=th` in the
    tracestate, `penstock.sampling.rule` and `penstock.sampling.adjusted_count`. Under overload waits get shorter, then
    new traces are decided by their id alone; nothing is given up undecided.
    """

    type = "tail_sampling"
    behind: ClassVar[frozenset[str]] = frozenset({"gen_ai_normalizer", "gen_ai_latency", "gen_ai_cost"})
    ahead: ClassVar[frozenset[str]] = frozenset({"gen_ai_metrics", "span_metrics"})
    example = "{policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]}"
    Config = TailSamplingConfig
    config: TailSamplingConfig

    def __init__(self, config: TailSamplingConfig, host: Host) -> None:
        """Build rules and buffer. Raises StartError where `buffer.spill_directory` cannot be used."""
        super().__init__(config, host)
        share = self._share
        setting = Setting(
            weighted=is_weighted(config),
            share=share,
            legacy_invert_match=config.legacy_invert_match,
            memory=host.shared(Memories, Memories).of(host.pipeline),
        )
        policies = build_policies(config.policies, setting)
        rules = Rules(policies, setting, sample_on_first_match=config.sample_on_first_match, log=host.log)
        rules.bind(host.meter, host.id.name)
        self.sampler = Sampler(config, rules, self._new_store(), self.outlet, share=share)
        self._topic = self._decision_topic()
        self._tenants = Tenants(host.tenant_from)
        self._metrics = SamplingMetrics(host.meter, str(host.id))

    def _say_spill_failed(self, error: OSError) -> None:
        self._metrics.spill_failed()
        super()._say_spill_failed(error)

    def _decision_topic(self) -> DecisionTopic | None:
        config = self.config.decision_cache.topic
        if config is None:
            return None
        topic = DecisionTopic(config, self.host, self.sampler.adopt)
        self.sampler.log = self.outlet.log = topic
        return topic

    @classmethod
    def holds_for_long(cls, config: TailSamplingConfig) -> str:  # noqa: ARG003 - whatever the waits are
        """See `Processor`."""
        return "holds spans until their trace is decided"

    async def start(self) -> None:
        """Begin to decide; the traces of a predecessor follow with the first data, or when it stops."""
        if self._topic is not None:
            await self._topic.start()
        await super().start()

    async def _close(self) -> None:
        if self._topic is not None:
            await self._topic.stop()

    # What waits -------------------------------------------------------------------------------------------------------

    @property
    def _held(self) -> Store:
        return self.sampler.store

    def _check_pressure(self) -> None:
        if self.config.block_on_overflow and self.sampler.pressure >= 1:
            raise Refused("tail_sampling is full: traces wait for their decision")

    def _taking_in(self, batch: Batch, now_s: float) -> Iterator[None]:
        return self.sampler.adding(batch, now_s, self._tenants.of(batch.context))

    def _releasing(self, now_s: float) -> Iterator[None]:
        return self.sampler.ticking(now_s)

    def _emptying(self) -> Iterator[None]:
        drops = self.config.drop_pending_traces_on_shutdown
        now_s = self.host.clock.monotonic()
        return self.sampler.dropping(now_s) if drops else self.sampler.flushing(now_s)

    def _losing(self) -> Iterator[None]:
        return self.sampler.letting_go()

    def _leaving(self) -> Iterator[None]:
        return self.sampler.sending()

    def _succeed(self, predecessor: Self) -> None:
        self.sampler.take_over(predecessor.sampler)

    def _give_up(self) -> None:
        self.sampler.give_up()

    # What is told -----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        self._metrics.watch(lambda: self.sampler, lambda: self.outlet.held_bytes, self.host.clock.monotonic)

    def _uncounted_spans(self) -> int:
        return self.sampler.tally.dropped_spans

    def _ticked(self, took_s: float) -> None:
        self._metrics.tick(1000 * took_s)

    def _publish(self) -> None:
        tally, self.sampler.tally = self.sampler.tally, Tally()
        self._metrics.publish(tally)
        self.sampler.rules.publish()
