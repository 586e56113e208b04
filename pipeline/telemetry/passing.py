"""What is counted of every processor: items in, items out. The engine does it, or who holds data back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.telemetry.meter import Meter


def count_incoming(meter: Meter, signal: str, items: int) -> None:
    """The processor has so many spans, log records or data points more."""
    series = meter.counter("otelcol_processor_incoming_items", "Items passed to the processor.", otel_signal=signal)
    series.inc(items)


def count_outgoing(meter: Meter, signal: str, items: int) -> None:
    """So many were passed on."""
    meter.counter("otelcol_processor_outgoing_items", "Items emitted from the processor.", otel_signal=signal).inc(
        items
    )
