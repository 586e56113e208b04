"""Exporter `prometheus`: metrics on a page that Prometheus scrapes."""

from pipeline.exporters.prometheus.exporter import PrometheusExporter

__all__ = ["PrometheusExporter"]
