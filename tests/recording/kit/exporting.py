"""Providers of traces and logs that export over OTLP/HTTP to where the recorder listens; all is sent at the end."""

from __future__ import annotations

import atexit
import logging

from opentelemetry import _logs, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def export_traces() -> TracerProvider:
    """A tracer provider for the whole process."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    atexit.register(provider.force_flush)
    return provider


def export_logs() -> LoggerProvider:
    """A logger provider for the whole process."""
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    _logs.set_logger_provider(provider)
    atexit.register(provider.force_flush)
    return provider


def export_python_logs(name: str, provider: LoggerProvider) -> None:
    """Also what is logged below a name of Python's `logging`."""
    logger = logging.getLogger(name)
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
