"""Which records a batch becomes."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.errors import Code, Rejected
from pipeline.exporters.kafka.config import KafkaExporterConfig
from pipeline.exporters.kafka.records import RecordMaker
from pipeline.exporters.kafka.resource_hash import resource_key
from pipeline.kafka.producer import OutRecord
from pipeline.signals import Batch, Context, Signal, Value, intake, otlp_json
from pipeline.testing import log_request, logs, metrics, trace_request, traces
from pipeline.testing.builders import metric_request

TRACE_KEYS = [number.to_bytes(16, "big").hex().encode() for number in range(1, 4)]


def records(batch: Batch, **keys: Any) -> list[OutRecord]:
    return RecordMaker(KafkaExporterConfig.model_validate(keys), batch.signal).make(batch)


def spans(record: OutRecord) -> list[int]:
    """The attribute `n` of every span in a record."""
    request = ExportTraceServiceRequest.FromString(record.value or b"")
    return [
        span.attributes[0].value.int_value
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def with_metadata(**metadata: str) -> Context:
    return Context(metadata={key.replace("_", "-"): (value,) for key, value in metadata.items()})


def two_resources(first: dict[str, Any], second: dict[str, Any]) -> Batch:
    raw = trace_request({"n": 1}, resource=first).SerializeToString()
    raw += trace_request({"n": 2}, resource=second).SerializeToString()
    return intake.parse(Signal.TRACES, raw, Context())


def test_a_request_is_a_record_of_its_very_bytes() -> None:
    batch = traces({"n": 1}, {"n": 2})
    (record,) = records(batch)
    assert record.value is batch.serialize()
    assert record == OutRecord("otlp_spans", batch.serialize())


@pytest.mark.parametrize("batch", [traces({"n": 1}), logs("text"), metrics({"a": [1.0]})])
def test_topic_and_encoding_of_each_signal(batch: Batch) -> None:
    name = batch.signal.value
    (record,) = records(batch, **{name: {"topic": f"own_{name}", "encoding": "otlp_json"}})
    assert record.topic == f"own_{name}"
    assert otlp_json.decode(batch.signal, record.value or b"") == batch.message


def test_log_bodies() -> None:
    assert [each.value for each in records(logs("one", "two"), logs={"encoding": "text"})] == [b"one", b"two"]


def test_topic_from_metadata_key() -> None:
    keys: dict[str, Any] = {"traces": {"topic_from_metadata_key": "X-Topic"}, "topic_from_attribute": "service.name"}
    (record,) = records(traces({"n": 1}, context=with_metadata(x_topic="chosen")), **keys)
    assert record.topic == "chosen"
    (record,) = records(traces({"n": 1}), **keys)
    assert record.topic == "shop"


def test_topic_from_attribute_divides_a_request() -> None:
    found = records(two_resources({"team": "red"}, {"team": "blue"}), topic_from_attribute="team")
    assert [(each.topic, spans(each)) for each in found] == [("red", [1]), ("blue", [2])]


def test_resources_without_the_attribute_go_to_the_topic_of_the_signal() -> None:
    found = records(two_resources({"team": "red"}, {"team": 5}), topic_from_attribute="team")
    assert [(each.topic, spans(each)) for each in found] == [("red", [1]), ("otlp_spans", [2])]


def test_message_key_from_metadata_key() -> None:
    keys = {"traces": {"message_key_from_metadata_key": "X-Key"}}
    (record,) = records(traces({"n": 1}, context=with_metadata(x_key="tenant")), **keys)
    assert record.key == b"tenant"
    (record,) = records(traces({"n": 1}), **keys)
    assert record.key is None


def test_partition_traces_by_id() -> None:
    found = records(traces({"n": 1}, {"n": 2}, {"n": 3}), partition_traces_by_id=True)
    assert [(each.key, spans(each)) for each in found] == list(zip(TRACE_KEYS, ([1], [2], [3]), strict=True))


def test_a_request_of_one_trace_keeps_its_bytes() -> None:
    batch = traces({"n": 1})
    (record,) = records(batch, partition_traces_by_id=True)
    assert record.value is batch.serialize()


@pytest.mark.parametrize(
    ("batch", "key"),
    [
        (traces({"n": 1}), "partition_traces_by_resource_attributes"),
        (metrics({"a": [1.0]}), "partition_metrics_by_resource_attributes"),
        (logs("text"), "partition_logs_by_resource_attributes"),
    ],
)
def test_partition_by_resource_attributes(batch: Batch, key: str) -> None:
    twice = intake.parse(batch.signal, batch.serialize() * 2, Context())
    resource = trace_request({}).resource_spans[0].resource.SerializeToString()
    (record,) = records(twice, **{key: True})
    assert record.key == resource_key(resource)
    assert record.value == batch.serialize() * 2


def test_other_resources_are_other_records() -> None:
    raw = b"".join(metric_request({"a": [1.0]}, resource={"host": name}).SerializeToString() for name in ("one", "two"))
    found = records(intake.parse(Signal.METRICS, raw, Context()), partition_metrics_by_resource_attributes=True)
    assert len({each.key for each in found}) == len(found) == 2


def test_partition_logs_by_trace_id() -> None:
    request = log_request("one", "two", "three")
    for record, trace in zip(request.resource_logs[0].scope_logs[0].log_records, (1, 1, 0), strict=True):
        record.trace_id = bytes([trace]) * 16 if trace else b""
    found = records(
        intake.parse(Signal.LOGS, request.SerializeToString(), Context()),
        partition_logs_by_trace_id=True,
        logs={"encoding": "text"},
    )
    assert [(each.key, each.value) for each in found] == [
        (b"01" * 16, b"one"),
        (b"01" * 16, b"two"),
        (None, b"three"),
    ]


def test_headers() -> None:
    context = Context(metadata={"x-tenant": ("a", "b"), "other": ("c",), "penstock.dead_letter.reason": ("rejected",)})
    (record,) = records(
        traces({"n": 1}, context=context),
        record_headers={"fixed": "value"},
        signal_header=True,
        include_metadata_keys=["X-Tenant", "missing"],
    )
    assert record.headers == (
        ("fixed", b"value"),
        ("otelcol.signal", b"traces"),
        ("X-Tenant", b"a"),
        ("X-Tenant", b"b"),
        ("penstock.dead_letter.reason", b"rejected"),
    )


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
@pytest.mark.parametrize("by_id", [False, True])
def test_records_are_kept_below_the_limit(encoding: str, by_id: bool) -> None:
    made: list[dict[str, Value]] = [{"n": number, "text": "x" * 700} for number in range(20)]
    batch = traces(*made)
    found = records(
        batch,
        producer={"max_message_bytes": 4000},
        traces={"encoding": encoding},
        partition_traces_by_id=by_id,
    )
    assert all(each.size_bytes <= 4000 for each in found)
    assert len(found) == 20 if by_id else 4 <= len(found) < 20
    numbers = [
        number
        for each in found
        for number in spans(
            each
            if encoding == "otlp_proto"
            else each._replace(value=otlp_json.decode(Signal.TRACES, each.value or b"").SerializeToString())
        )
    ]
    assert numbers == list(range(20))


@pytest.mark.parametrize("encoding", ["otlp_proto", "otlp_json"])
def test_a_single_span_over_the_limit_is_rejected_before_anything_is_sent(encoding: str) -> None:
    batch = traces({"n": 1}, {"n": 2, "text": "x" * 5000})
    with pytest.raises(Rejected, match="max_message_bytes") as caught:
        records(batch, producer={"max_message_bytes": 4000}, traces={"encoding": encoding})
    assert caught.value.divisible
    assert caught.value.code is Code.RESOURCE_EXHAUSTED


def test_a_log_body_over_the_limit() -> None:
    with pytest.raises(Rejected, match="max_message_bytes"):
        records(logs("x" * 5000), producer={"max_message_bytes": 4000}, logs={"encoding": "raw"})
