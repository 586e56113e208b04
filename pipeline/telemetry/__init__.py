"""Penstock's own metrics and logs."""

from pipeline.telemetry.log import Log
from pipeline.telemetry.meter import Meter, MetricsRegistry
from pipeline.telemetry.telemetry import Telemetry

__all__ = ["Log", "Meter", "MetricsRegistry", "Telemetry"]
