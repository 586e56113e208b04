"""Exporter `prometheus_remote_write`: metrics written to Prometheus, Mimir and their like."""

from pipeline.exporters.prometheus_remote_write.exporter import PrometheusRemoteWriteExporter

__all__ = ["PrometheusRemoteWriteExporter"]
