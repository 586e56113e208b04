"""Log records, which have no tracestate: attributes stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.signals import Attributes, LogRecord
from pipeline.signals.plain import as_text
from processors.probabilistic_sampler.config import ProbabilisticSamplerConfig
from processors.probabilistic_sampler.modes import HashSeed, Mode
from processors.probabilistic_sampler.verdicts import Judge, Source, Told, Verdict
from processors.sampling.hashing import ID_BYTES
from processors.sampling.thresholds import (
    randomness_digits,
    randomness_from,
    rounded_threshold_of,
    threshold_digits,
    threshold_from,
)

THRESHOLD: Final = "sampling.threshold"
RANDOMNESS: Final = "sampling.randomness"


class RecordSampler:
    """Decides on log records, and writes threshold and randomness on those that are kept."""

    def __init__(self, judge: Judge, config: ProbabilisticSamplerConfig) -> None:
        """Decide with `judge`, by trace id or attribute as configured."""
        self._judge = judge
        self._by_trace_id = config.attribute_source == "traceID"
        self._attribute = config.from_attribute
        self._priority = config.sampling_priority
        self._digits = config.sampling_precision

    def verdicts(self, records: Sequence[LogRecord]) -> list[Verdict]:
        """The fate of each; those that are kept have been written on."""
        return [self._verdict(record) for record in records]

    def _verdict(self, record: LogRecord) -> Verdict:
        attributes = record.attributes
        source = self._source(record, attributes)
        verdict = self._judge.verdict(_told(attributes), source, self._forced(attributes))
        if verdict.kept and verdict.writes:
            _write(attributes, verdict, has_randomness=source is not None)
        return verdict

    def _source(self, record: LogRecord, attributes: Attributes) -> Source | None:
        mode = self._judge.mode
        if not isinstance(mode, HashSeed):
            return _of_id(mode, record)
        if self._by_trace_id and (found := _of_id(mode, record)):
            return found
        if self._attribute and self._attribute in attributes:
            value = attributes[self._attribute]
            data = value if isinstance(value, bytes) else as_text(value).encode()
            if data:
                return Source(mode.randomness_of_bytes(data), self._attribute)
        return None

    def _forced(self, attributes: Attributes) -> int | None:
        """T of the record's own percentage; None where it has none, or none that is a probability."""
        percentage = attributes.get(self._priority) if self._priority else None
        if isinstance(percentage, bool) or not isinstance(percentage, int | float):
            return None
        return rounded_threshold_of(percentage / 100, self._digits)


def _of_id(mode: Mode, record: LogRecord) -> Source | None:
    trace_id = record.trace_id
    if len(trace_id) != ID_BYTES or not any(trace_id):
        return None
    return Source(mode.randomness_of_ids([trace_id])[0], mode.policy)


def _told(attributes: Attributes) -> Told:
    threshold = randomness = None
    is_malformed = False
    if (digits := attributes.get(THRESHOLD)) and isinstance(digits, str):
        threshold = threshold_from(digits)
        is_malformed = threshold is None
    if (digits := attributes.get(RANDOMNESS)) and isinstance(digits, str):
        randomness = randomness_from(digits)
        is_malformed = is_malformed or randomness is None
    return Told(threshold, randomness, is_malformed)


def _write(attributes: Attributes, verdict: Verdict, *, has_randomness: bool) -> None:
    if verdict.randomness is not None and has_randomness:
        attributes[RANDOMNESS] = randomness_digits(verdict.randomness)
    if verdict.threshold is None:
        attributes.pop(THRESHOLD)
    else:
        attributes[THRESHOLD] = threshold_digits(verdict.threshold)
