"""Connector `span_metrics`: calls, durations and events of spans as metrics."""

from pipeline.connectors.span_metrics.connector import SpanMetrics

__all__ = ["SpanMetrics"]
