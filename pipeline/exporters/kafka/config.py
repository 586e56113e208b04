"""The keys of the `kafka` exporter: the Collector's."""

from __future__ import annotations

from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.config import ConfigModel, InvalidKey, refused
from pipeline.delivery import DeliveryConfig
from pipeline.kafka.encodings import DEFAULT, check_encoding
from pipeline.kafka.producer.settings import ProducerSettings
from pipeline.kafka.settings import KafkaClient
from pipeline.kafka.topic_names import WRONG_NAME, is_topic_name
from pipeline.signals import Signal

SIGNAL_HEADER: Final = "otelcol.signal"
"""Name of the header that says which signal a record holds."""


class SignalKeys(ConfigModel):
    """Where the records of a signal go, and what they hold."""

    signal: ClassVar[Signal]

    topic: str = Field("", description="Topic of the records.")
    encoding: str = Field(DEFAULT, description="What the records hold: `otlp_proto` or `otlp_json`.")
    topic_from_metadata_key: str = Field("", description="Key of the client metadata whose value is the topic.")
    message_key_from_metadata_key: str = Field(
        "", description="Key of the client metadata whose value is the records' key."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            check_encoding(self.signal, self.encoding)
        except ValueError as error:
            raise InvalidKey(str(error), "encoding") from None
        if self.topic and not is_topic_name(self.topic):
            raise InvalidKey(WRONG_NAME, "topic")
        return self


class TracesKeys(SignalKeys):
    """Where spans go."""

    signal = Signal.TRACES
    topic: str = Field("otlp_spans", description="Topic of the records.")


class MetricsKeys(SignalKeys):
    """Where data points go."""

    signal = Signal.METRICS
    topic: str = Field("otlp_metrics", description="Topic of the records.")


class LogsKeys(SignalKeys):
    """Where log records go."""

    signal = Signal.LOGS
    topic: str = Field("otlp_logs", description="Topic of the records.")
    encoding: str = Field(
        DEFAULT,
        description="What the records hold: `otlp_proto` or `otlp_json`; or one body each, as `raw`, `text`, "
        "`text_<charset>` or `json`.",
    )


class StickyKeyKeys(ConfigModel):
    """Records go by the hash of their key; those without one stay with a partition until a batch of it is full."""

    hasher: Literal["sarama_compat", "murmur2"] = Field(
        "sarama_compat", description="`sarama_compat`: FNV-1a as the Collector; `murmur2`: as Kafka's Java clients."
    )


class NoKeys(ConfigModel):
    """Turned on by being there."""


class RecordPartitioner(ConfigModel):
    """Which partition a record goes to; one of these."""

    sticky_key: StickyKeyKeys | None = Field(None, description="By the hash of the key; the default.")
    round_robin: NoKeys | None = Field(None, description="Each record to the next partition, whatever its key.")
    least_backup: NoKeys | None = Field(
        None, description="To the partition for which the fewest records wait, whatever their key."
    )
    extension: str | None = refused("there are no partitioner extensions; use sticky_key, round_robin or least_backup")

    @model_validator(mode="after")
    def _check(self) -> Self:
        chosen = [name for name in ("sticky_key", "round_robin", "least_backup") if getattr(self, name) is not None]
        if len(chosen) > 1:
            raise InvalidKey(f"at most one partitioner can be chosen, found {' and '.join(chosen)}", chosen[-1])
        return self


class KafkaExporterConfig(KafkaClient, DeliveryConfig):
    """Settings of the exporter `kafka`."""

    traces: TracesKeys = Field(TracesKeys(), description="Topic, encoding and key of spans.")
    metrics: MetricsKeys = Field(MetricsKeys(), description="Topic, encoding and key of data points.")
    logs: LogsKeys = Field(LogsKeys(), description="Topic, encoding and key of log records.")
    profiles: dict[str, object] | None = refused(
        "there is no signal `profiles` in this release",
        accept=({"topic": "otlp_profiles", "encoding": "otlp_proto", "topic_from_metadata_key": ""},),
    )
    topic: str = Field("", description="Deprecated: topic of the signals that name none.")
    encoding: str = Field("", description="Deprecated: encoding of the signals that name none.")
    topic_from_attribute: str = Field(
        "", description="Resource attribute whose value is the topic, where the resource has it."
    )
    include_metadata_keys: tuple[str, ...] = Field(
        (), description="Keys of the client metadata that become headers of the records."
    )
    record_headers: dict[str, str] = Field({}, description="Headers of every record.")
    signal_header: bool = Field(
        False, description=f"Whether records have a header `{SIGNAL_HEADER}`: traces, metrics or logs."
    )
    partition_traces_by_id: bool = Field(False, description="One record for each trace; its key is the trace id.")
    partition_traces_by_resource_attributes: bool = Field(
        False, description="One record for each resource; its key is a hash of the resource's attributes."
    )
    partition_metrics_by_resource_attributes: bool = Field(
        False, description="One record for each resource; its key is a hash of the resource's attributes."
    )
    partition_logs_by_resource_attributes: bool = Field(
        False, description="One record for each resource; its key is a hash of the resource's attributes."
    )
    partition_logs_by_trace_id: bool = Field(
        False, description="One record for each trace; its key is the trace id, none for log records without one."
    )
    record_partitioner: RecordPartitioner = Field(RecordPartitioner(), description="Which partition a record goes to.")
    producer: ProducerSettings = Field(ProducerSettings(), description="How records are written.")

    def keys_of(self, signal: Signal) -> SignalKeys:
        """The keys of a signal, with the old ones in their place."""
        keys: SignalKeys = getattr(self, signal.value)
        given = keys.model_fields_set
        old = {"topic": self.topic, "encoding": self.encoding}
        return keys.model_copy(update={name: value for name, value in old.items() if value and name not in given})

    @model_validator(mode="after")
    def _check_partitions(self) -> Self:
        if self.partition_logs_by_resource_attributes and self.partition_logs_by_trace_id:
            raise InvalidKey(
                "partition_logs_by_resource_attributes and partition_logs_by_trace_id cannot both be enabled",
                "partition_logs_by_trace_id",
            )
        if self.partition_traces_by_id and self.partition_traces_by_resource_attributes:
            raise InvalidKey(
                "partition_traces_by_id and partition_traces_by_resource_attributes cannot both be enabled",
                "partition_traces_by_resource_attributes",
            )
        for signal in Signal:
            chosen = [name for name in type(self).model_fields if name.startswith(f"partition_{signal.value}_by_")]
            if getattr(self, signal.value).message_key_from_metadata_key and any(getattr(self, n) for n in chosen):
                raise InvalidKey(
                    f"message_key_from_metadata_key cannot be combined with {' or '.join(chosen)}",
                    signal.value,
                    "message_key_from_metadata_key",
                )
        return self

    @model_validator(mode="after")
    def _check_topic(self) -> Self:
        if self.topic and not is_topic_name(self.topic):
            raise InvalidKey(WRONG_NAME, "topic")
        return self

    @model_validator(mode="after")
    def _check_encoding(self) -> Self:
        for signal in Signal:
            try:
                check_encoding(signal, self.keys_of(signal).encoding)
            except ValueError as error:
                raise InvalidKey(str(error), "encoding") from None
        return self

    @model_validator(mode="after")
    def _check_headers(self) -> Self:
        if self.signal_header:
            for key, names in (
                ("record_headers", self.record_headers),
                ("include_metadata_keys", self.include_metadata_keys),
            ):
                if SIGNAL_HEADER in names:
                    raise InvalidKey(f"{SIGNAL_HEADER} is the name of signal_header's own header", key)
        return self

    @model_validator(mode="after")
    def _check_batching(self) -> Self:
        batch = self.sending_queue.batch
        if batch is None or not batch.enabled:
            return self
        kept = {key.lower() for key in batch.partition.metadata_keys}
        used = {key.lower() for key in self.include_metadata_keys}
        for signal in Signal:
            keys: SignalKeys = getattr(self, signal.value)
            used |= {key.lower() for key in (keys.topic_from_metadata_key, keys.message_key_from_metadata_key) if key}
        if missing := sorted(used - kept):
            raise InvalidKey(
                "batches are made of requests with other metadata, too, which would be lost; add to metadata_keys: "
                + ", ".join(missing),
                "sending_queue",
                "batch",
            )
        return self
