"""The `otlp` receiver."""

from pipeline.receivers.otlp.config import OtlpConfig
from pipeline.receivers.otlp.receiver import OtlpReceiver

__all__ = ["OtlpConfig", "OtlpReceiver"]
