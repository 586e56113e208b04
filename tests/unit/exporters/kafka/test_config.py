"""What the keys of the `kafka` exporter may say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.exporters.kafka import KafkaExporter
from pipeline.exporters.kafka.config import KafkaExporterConfig
from pipeline.kafka.producer.settings import ProducerSettings
from pipeline.registry import Kind
from pipeline.signals import Signal
from pipeline.testing import make_host


def config(**keys: Any) -> KafkaExporterConfig:
    return KafkaExporterConfig.model_validate(keys)


def test_defaults_are_the_collectors_but_for_acknowledgements() -> None:
    found = config()
    assert [(found.keys_of(signal).topic, found.keys_of(signal).encoding) for signal in Signal] == [
        (f"otlp_{'spans' if signal is Signal.TRACES else signal.value}", "otlp_proto") for signal in Signal
    ]
    producer = found.producer
    assert (producer.max_message_bytes, producer.flush_max_messages, producer.linger) == (1_000_000, 10_000, 0.01)
    assert (producer.compression, producer.required_acks, producer.allow_auto_topic_creation) == ("none", -1, True)


def test_the_old_topic_and_encoding_stand_where_a_signal_says_nothing() -> None:
    found = config(topic="all", encoding="otlp_json", logs={"topic": "own"}, metrics={"encoding": "otlp_proto"})
    assert {signal: (found.keys_of(signal).topic, found.keys_of(signal).encoding) for signal in Signal} == {
        Signal.TRACES: ("all", "otlp_json"),
        Signal.LOGS: ("own", "otlp_json"),
        Signal.METRICS: ("all", "otlp_proto"),
    }


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"traces": {"encoding": "raw"}}, "unknown traces encoding"),
        ({"traces": {"encoding": "jaeger_proto"}}, "not supported"),
        ({"encoding": "text"}, "unknown"),
        (
            {"partition_logs_by_resource_attributes": True, "partition_logs_by_trace_id": True},
            "partition_logs_by_resource_attributes and partition_logs_by_trace_id cannot both be enabled",
        ),
        (
            {"partition_traces_by_id": True, "partition_traces_by_resource_attributes": True},
            "partition_traces_by_id and partition_traces_by_resource_attributes cannot both be enabled",
        ),
        (
            {"partition_traces_by_id": True, "traces": {"message_key_from_metadata_key": "k"}},
            "message_key_from_metadata_key cannot be combined",
        ),
        ({"record_partitioner": {"round_robin": {}, "least_backup": {}}}, "at most one partitioner"),
        ({"record_partitioner": {"extension": "mine"}}, "no partitioner extensions"),
        ({"signal_header": True, "record_headers": {"otelcol.signal": "x"}}, "signal_header's own header"),
        ({"signal_header": True, "include_metadata_keys": ["otelcol.signal"]}, "signal_header's own header"),
        ({"include_metadata_keys": ["x-a", "X-B"], "sending_queue": {"batch": {}}}, "metadata_keys: x-a, x-b"),
        ({"traces": {"topic_from_metadata_key": "t"}, "sending_queue": {"batch": {}}}, "metadata_keys: t"),
        ({"profiles": {"topic": "p"}}, "no signal `profiles`"),
        ({"traces": {"topic": "my spans"}}, "the name of the topic is not allowed"),
        ({"topic": "a/b"}, "the name of the topic is not allowed"),
        ({"producer": {"max_broker_write_bytes": 10}}, "max_broker_write_bytes must not be less"),
        ({"producer": {"required_acks": 2}}, "Input should be 0, 1 or -1"),
        ({"producer": {"flush_max_messages": 0}}, "greater than or equal to 1"),
        ({"producer": {"compression": "brotli"}}, "'none', 'gzip', 'snappy', 'lz4' or 'zstd'"),
        ({"producer": {"compression": "gzip", "compression_params": {"level": 10}}}, "unsupported parameters"),
        ({"producer": {"compression": "lz4", "compression_params": {"level": 3}}}, "unsupported parameters"),
        ({"producer": {"compression": "snappy", "compression_params": {"level": -1}}}, "unsupported parameters"),
    ],
)
def test_what_is_wrong(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**keys)
    assert reason in str(caught.value)


def test_batching_with_the_keys_that_records_are_made_of() -> None:
    batch = {"partition": {"metadata_keys": ["X-Tenant", "topic"]}}
    found = config(
        include_metadata_keys=["x-tenant"],
        traces={"topic_from_metadata_key": "Topic"},
        sending_queue={"batch": batch},
    )
    assert found.sending_queue.batch is not None


@pytest.mark.parametrize(("acks", "number"), [("all", -1), (-1, -1), (0, 0), (1, 1)])
def test_acknowledgements(acks: object, number: int) -> None:
    producer = ProducerSettings.model_validate({"required_acks": acks})
    assert producer.required_acks == number
    assert producer.is_idempotent is (number == -1)


def test_old_keys_are_said_to_be_old(caplog: pytest.LogCaptureFixture) -> None:
    KafkaExporter(config(topic="all", traces={"topic": "own"}), make_host("kafka", kind=Kind.EXPORTER))
    (record,) = caplog.records
    assert (record.levelname, record.message) == (
        "WARNING",
        "Key is deprecated. Use those of the signals instead.",
    )
