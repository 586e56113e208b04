"""Exporter `debug`: telemetry as text that a person can read."""

from pipeline.exporters.debug.exporter import DebugConfig, DebugExporter

__all__ = ["DebugConfig", "DebugExporter"]
