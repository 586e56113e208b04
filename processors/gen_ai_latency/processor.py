"""The component: writes the times of each call's span."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from pipeline.component import Host, Processor
from pipeline.config import ConfigModel
from pipeline.signals import Batch, Signal, Span
from processors.gen_ai_latency.facts import load_facts
from processors.gen_ai_latency.reading import SOURCE, TOKENS_PER_S, TPOT, TTFT, SpanTimes


class GenAiLatencyConfig(ConfigModel):
    """Configuration of `gen_ai_latency`: there is nothing to set."""


class GenAiLatency(Processor):
    """Writes how long a model call's first token took, and each one after it.

    Reads what instrumentations leave in attributes and span events, in any unit, and writes
    `gen_ai.response.time_to_first_chunk` (s), `penstock.latency.time_per_output_token` (s),
    `penstock.latency.output_tokens_per_second`, the times a server measured, and in `penstock.latency.source` the fact
    that the first of them comes from. Nothing is written where nothing was measured.
    """

    type: ClassVar[str] = "gen_ai_latency"
    signals: ClassVar[frozenset[Signal]] = frozenset({Signal.TRACES})
    Config = GenAiLatencyConfig

    def __init__(self, config: GenAiLatencyConfig, host: Host) -> None:
        """Load the facts."""
        super().__init__(config, host)
        self._facts = facts = load_facts()
        listed = [*facts.first_token, *facts.decode, *(fact for entry in facts.server.values() for fact in entry)]
        self._keys = frozenset(fact.attribute for fact in listed if fact.attribute)
        self._events = facts.chunks | {fact.event for fact in facts.first_token if fact.event}

    def process(self, batch: Batch) -> Batch:
        """Write the times of the spans of a batch."""
        refused: Counter[str] = Counter()
        for span in batch.records():
            attributes = span.attributes
            # The second report of a call may know what the first did not; what sums up calls has no first token.
            if attributes.get("penstock.gen_ai.role") == "aggregate" or not isinstance(span, Span):
                continue
            if not self._keys.isdisjoint(attributes) or self._has_event(span):
                self._write(span, refused)
        for reason, count in refused.items():
            self.host.meter.counter(
                "penstock_latency_refused", "Times that cannot be true, by reason.", reason=reason
            ).inc(count)
        return batch

    def _has_event(self, span: Span) -> bool:
        return bool(span.pb.events) and any(event.name in self._events for event in span.pb.events)

    def _write(self, span: Span, refused: Counter[str]) -> None:
        attributes = span.attributes
        times = SpanTimes(span, self._facts, lambda reason: refused.update((reason,)))
        if times.has_server_facts:
            for target, facts in self._facts.server.items():
                server_s = times.server(facts)
                if server_s is not None:
                    attributes[target] = server_s
        first = times.first_token()
        if first is None:
            attributes.pop(TTFT)
        else:
            attributes[TTFT], source = first
            attributes.setdefault(SOURCE, source)
        self._write_rates(times, first[0] if first else None, span)

    def _write_rates(self, times: SpanTimes, first_token_s: float | None, span: Span) -> None:
        attributes = span.attributes
        per_token_s = times.per_token(first_token_s)
        if per_token_s is not None:
            attributes.setdefault(TPOT, per_token_s)
        tokens = attributes.get("gen_ai.usage.output_tokens")
        if first_token_s is not None and isinstance(tokens, int) and tokens > 0 and times.duration_s > 0:
            attributes[TOKENS_PER_S] = tokens / times.duration_s
