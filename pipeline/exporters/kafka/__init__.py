"""The `kafka` exporter: telemetry as records of topics."""

from pipeline.exporters.kafka.exporter import KafkaExporter

__all__ = ["KafkaExporter"]
