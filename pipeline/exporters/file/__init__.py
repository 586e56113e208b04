"""Exporter `file`: telemetry into files, as OTLP JSON lines or length-prefixed protobuf."""

from pipeline.exporters.file.config import FileConfig
from pipeline.exporters.file.exporter import FileExporter

__all__ = ["FileConfig", "FileExporter"]
