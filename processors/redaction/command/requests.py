"""Export requests in OTLP/JSON, redacted as in a pipeline; for the command."""

from __future__ import annotations

import logging
from typing import Final

import orjson

from pipeline.component import Host
from pipeline.config import ComponentId
from pipeline.signals import Batch, Signal, otlp_json
from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry
from processors.redaction.config import RedactionConfig
from processors.redaction.processor import Redaction

_SIGNALS: Final = {
    "resourceSpans": Signal.TRACES,
    "resourceLogs": Signal.LOGS,
    "resourceMetrics": Signal.METRICS,
}
_VALUES: Final = "penstock_redaction_values_total"


def requests_in(text: str) -> list[tuple[Signal, bytes]]:
    """The requests of a text that is one, or has one on each line; empty where it is anything else."""
    if not text.lstrip().startswith("{"):
        return []
    found = [_request(line) for line in text.splitlines() if line.strip()]
    if None in found:
        found = [_request(text)]
    return [request for request in found if request is not None]


def _request(text: str) -> tuple[Signal, bytes] | None:
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    signal = next((_SIGNALS[key] for key in parsed if key in _SIGNALS), None) if isinstance(parsed, dict) else None
    return None if signal is None else (signal, text.encode())


class RequestRedactor:
    """Redacts requests with one processor."""

    def __init__(self, config: RedactionConfig, pipeline: str) -> None:
        """Build the processor as it stands in a pipeline."""
        self._registry = MetricsRegistry()
        name = ComponentId("redaction")
        log = Log(logging.getLogger(__name__), component=str(name))
        self._processor = Redaction(config, Host(name, log, Meter(self._registry, {}), pipeline=pipeline))

    def redact(self, signal: Signal, request: bytes) -> str:
        """The redacted request.

        Raises:
            Rejected: it is no request of OTLP.
        """
        batch = Batch.of_message(otlp_json.decode(signal, request), signal)
        self._processor.process(batch)
        batch.serialize()
        return otlp_json.encode(batch.message).decode()

    def counts(self) -> list[tuple[str, str, str, float]]:
        """What was done so far: (entity, place, action, how often)."""
        return sorted(
            (sample.labels["entity"], sample.labels["place"], sample.labels["action"], sample.value)
            for family in self._registry.collector.collect()
            for sample in family.samples
            if sample.name == _VALUES
        )
