"""Processor `probabilistic_sampler`: keeps spans and log records by chance, the same of a trace wherever it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar, Final, cast

from pipeline.component import Host, Processor
from pipeline.signals import Batch, LogRecord, Signal, Span
from processors.probabilistic_sampler.config import ProbabilisticSamplerConfig
from processors.probabilistic_sampler.cutting import MisalignedError, cut
from processors.probabilistic_sampler.modes import mode_of
from processors.probabilistic_sampler.records import RecordSampler
from processors.probabilistic_sampler.spans import SpanSampler
from processors.probabilistic_sampler.verdicts import Judge, Verdict

REASON: Final = "not_sampled"
PRIORITY: Final = "sampling.priority"
_PRIORITY_RAW: Final = PRIORITY.encode()
_PRIORITIES: Final = frozenset({PRIORITY})
_COUNTERS: Final = {
    Signal.TRACES: "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    Signal.LOGS: "otelcol_processor_probabilistic_sampler_count_logs_sampled",
}


class ProbabilisticSampler(Processor):
    """Keeps a percentage of traces or log records, by the trace id alone, and writes on them how likely that was."""

    type = "probabilistic_sampler"
    ahead: ClassVar[frozenset[str]] = frozenset({"gen_ai_metrics", "span_metrics"})
    signals = frozenset({Signal.TRACES, Signal.LOGS})
    example = "{sampling_percentage: 15, mode: proportional}"
    Config = ProbabilisticSamplerConfig
    config: ProbabilisticSamplerConfig

    def __init__(self, config: ProbabilisticSamplerConfig, host: Host) -> None:
        """Compute the threshold."""
        super().__init__(config, host)
        mode = mode_of(config.mode, config.sampling_percentage, config.hash_seed, config.sampling_precision)
        judge = Judge(mode, fail_closed=config.fail_closed)
        self._spans = SpanSampler(judge)
        self._records = RecordSampler(judge, config)

    def process(self, batch: Batch) -> Batch | None:
        """Keep or drop each record by itself."""
        records = batch.records()
        if batch.signal is Signal.LOGS:
            verdicts = self._records.verdicts(cast("Sequence[LogRecord]", records))
        else:
            verdicts = self._on_spans(batch, cast("Sequence[Span]", records))
        if not all(verdict.kept for verdict in verdicts):
            dropped = [record for record, verdict in zip(records, verdicts, strict=True) if not verdict.kept]
            self.drop(batch, dropped, REASON)
        self._count(batch.signal, verdicts)
        return batch

    def _on_spans(self, batch: Batch, spans: Sequence[Span]) -> list[Verdict]:
        priorities = None
        if batch.changed or _PRIORITY_RAW in batch.serialize():
            priorities = [span.some_attributes(_PRIORITIES).get(PRIORITY) for span in spans]
        fates = self._spans.fates([span.pb for span in spans], priorities)
        for span, (_, text) in zip(spans, fates, strict=True):
            if text is not None:
                span.trace_state = text
        return [fate.verdict for fate in fates]

    def process_bytes(self, batch: Batch) -> tuple[bytes, int] | None:
        """Take spans out of the request as it came. Log records, which get attributes, are better read as views."""
        if batch.signal is Signal.LOGS:
            return None
        raw = batch.serialize()
        if _PRIORITY_RAW in raw:
            return None
        message: Any = batch.message
        spans = [[list(scope.spans) for scope in group.scope_spans] for group in message.resource_spans]
        fates = self._spans.fates([span for scopes in spans for scope in scopes for span in scope])
        left = iter(fates)
        try:
            rest = cut(raw, [[[*islice(left, len(scope))] for scope in scopes] for scopes in spans])
        except MisalignedError:
            return None
        verdicts = [fate.verdict for fate in fates]
        kept = sum(verdict.kept for verdict in verdicts)
        self.count_dropped(batch.signal, len(verdicts) - kept, REASON)
        self._count(batch.signal, verdicts)
        return rest, kept

    def _count(self, signal: Signal, verdicts: Sequence[Verdict]) -> None:
        # Most are the same few objects, which are quickly counted as such.
        by_id = {id(verdict): verdict for verdict in verdicts}
        counts: Counter[tuple[str, bool]] = Counter()
        for identity, count in Counter(map(id, verdicts)).items():
            verdict = by_id[identity]
            counts[verdict.policy, verdict.kept] += count
        for (policy, kept), count in counts.items():
            labels = {"policy": policy, "sampled": "true" if kept else "false"}
            self.host.meter.counter(_COUNTERS[signal], f"{signal.value.capitalize()} by decision.", **labels).inc(count)
