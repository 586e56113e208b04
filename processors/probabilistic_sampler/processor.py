"""Processor `probabilistic_sampler`: keeps spans and log records by chance, the same of a trace wherever it passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, cast

from pipeline.component import Host, Processor
from pipeline.signals import Batch, LogRecord, Record, Signal, Span
from processors.probabilistic_sampler.config import ProbabilisticSamplerConfig
from processors.probabilistic_sampler.modes import mode_of
from processors.probabilistic_sampler.records import RecordSampler
from processors.probabilistic_sampler.spans import PRIORITY_RAW, SpanSampler
from processors.probabilistic_sampler.verdicts import Judge, Verdict

REASON: Final = "not_sampled"
_COUNTERS: Final = {
    Signal.TRACES: "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    Signal.LOGS: "otelcol_processor_probabilistic_sampler_count_logs_sampled",
}


class ProbabilisticSampler(Processor):
    """Keeps a percentage of traces or log records, by the trace id alone, and writes on them how likely that was."""

    type = "probabilistic_sampler"
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
        verdicts = self._verdicts(batch, records)
        if not all(verdict.kept for verdict in verdicts):
            dropped = [record for record, verdict in zip(records, verdicts, strict=True) if not verdict.kept]
            self.drop(batch, dropped, REASON)
        self._count(batch.signal, verdicts)
        return batch

    def _verdicts(self, batch: Batch, records: Sequence[Record]) -> list[Verdict]:
        if batch.signal is Signal.LOGS:
            return self._records.verdicts(cast("Sequence[LogRecord]", records))
        may_have_priority = batch.changed or PRIORITY_RAW in batch.serialize()
        return self._spans.verdicts(cast("Sequence[Span]", records), may_have_priority=may_have_priority)

    def _count(self, signal: Signal, verdicts: Sequence[Verdict]) -> None:
        counts = Counter((verdict.policy, verdict.kept) for verdict in verdicts)
        for (policy, kept), count in counts.items():
            labels = {"policy": policy, "sampled": "true" if kept else "false"}
            self.host.meter.counter(_COUNTERS[signal], f"{signal.value.capitalize()} by decision.", **labels).inc(count)
