"""Receiver `otlpjsonfile`: telemetry out of files of OTLP JSON lines."""

from pipeline.receivers.otlpjsonfile.config import OtlpJsonFileConfig
from pipeline.receivers.otlpjsonfile.receiver import OtlpJsonFileReceiver

__all__ = ["OtlpJsonFileConfig", "OtlpJsonFileReceiver"]
