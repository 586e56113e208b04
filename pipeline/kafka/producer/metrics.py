"""What a producer has written, in the Collector's series (`kafka_exporter_*`)."""

from __future__ import annotations

from pipeline.kafka.producer.record_batch import ReadyBatch
from pipeline.telemetry.meter import DURATION_BUCKETS_S, Meter


class ProducerMetrics:
    """Counts batches by topic and partition. Which broker took them is not known: brokers move."""

    def __init__(self, meter: Meter) -> None:
        """Count with `meter`."""
        self._meter = meter

    def written(self, topic: str, partition: int, batch: ReadyBatch, time_s: float) -> None:
        """Count a batch that was acknowledged after `time_s` seconds."""
        labels = {"topic": topic, "partition": str(partition), "outcome": "success"}
        meter = self._meter
        meter.counter("otelcol_kafka_exporter_records", "Records that were written.", **labels).inc(
            batch.record_count()
        )
        meter.counter("otelcol_kafka_exporter_bytes", "Bytes that were written.", **labels).inc(batch.size())
        meter.counter(
            "otelcol_kafka_exporter_bytes_uncompressed", "Bytes that were written, uncompressed.", **labels
        ).inc(batch.raw_bytes)
        meter.histogram(
            "otelcol_kafka_exporter_write_latency",
            "Seconds until a batch was acknowledged.",
            DURATION_BUCKETS_S,
            **labels,
        ).observe(time_s)

    def failed(self, topic: str, partition: int, records: int) -> None:
        """Count records that could not be written; an exporter may try again."""
        labels = {"topic": topic, "partition": str(partition), "outcome": "failure"}
        self._meter.counter("otelcol_kafka_exporter_records", "Records that were written.", **labels).inc(records)
