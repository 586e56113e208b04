"""The component on whole batches: every place, every kind of value, failures, metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.component import Host
from pipeline.signals import Batch, DataPoint, LogRecord, Span
from pipeline.signals.intake import parse
from pipeline.testing import configured, log_request, logs, make_host, metric_value, metrics, traces
from processors.redaction.processor import REASON, Redaction

MAIL = "jane.sample@example.com"
CARD = 4242424242424242


def redaction(host: Host | None = None, **config: Any) -> Redaction:
    processor: Redaction = configured(Redaction, host, **config)
    return processor


def redacted_span(batch: Batch, processor: Redaction | None = None) -> Span:
    (processor or redaction()).process(batch)
    span = batch.records()[0]
    assert isinstance(span, Span)
    return span


def test_attribute_values_of_every_shape() -> None:
    batch = traces(
        {
            "text": f"mail {MAIL}",
            "list": ["a", MAIL, 1],
            "map": {"to": MAIL, "deep": [{"x": MAIL}], MAIL: 1},
            "bytes": f"mail {MAIL}".encode(),
            "binary": b"\xff\xfe mail " + MAIL.encode() + b"\x00",
            "number": CARD,
            "tokens": 53,
            "flag": True,
            "ratio": 0.25,
        }
    )
    assert dict(redacted_span(batch).attributes) == {
        "text": "mail <EMAIL>",
        "list": ["a", "<EMAIL>", 1],
        "map": {"to": "<EMAIL>", "deep": [{"x": "<EMAIL>"}], "<EMAIL>": 1},
        "bytes": b"mail <EMAIL>",
        "binary": b"\xff\xfe mail <EMAIL>\x00",
        "number": "<CREDIT_CARD>",
        "tokens": 53,
        "flag": True,
        "ratio": 0.25,
        "penstock.redaction.count": 8,
    }


def test_attribute_keys() -> None:
    span = redacted_span(traces({f"to: {MAIL}": 1, "to: john@example.org": 2, "plain": 3}))
    assert dict(span.attributes) == {
        "plain": 3,
        "to: <EMAIL>": 1,
        "to: <EMAIL>#2": 2,
        "penstock.redaction.count": 2,
    }


def test_names_status_events_links_resource_and_scope() -> None:
    batch = traces({}, name=f"chat {MAIL}", resource={"owner": MAIL}, scope=f"lib {MAIL}")
    message = batch.message.resource_spans[0].scope_spans[0]  # type: ignore[union-attr]
    message.spans[0].status.message = f"cannot reach {MAIL}"
    message.spans[0].events.add(name=f"event {MAIL}").attributes.add(
        key="exception.stacktrace"
    ).value.string_value = f'File "a.py"\nValueError: {MAIL}'
    message.spans[0].links.add(trace_id=bytes(16)).attributes.add(key="why").value.string_value = MAIL
    message.scope.attributes.add(key="maintainer").value.string_value = MAIL
    span = redacted_span(batch)
    assert MAIL.encode() not in batch.serialize()
    assert span.name == "chat <EMAIL>"
    assert span.status_message == "cannot reach <EMAIL>"
    assert span.events[0].name == "event <EMAIL>"
    assert span.events[0].attributes == {"exception.stacktrace": 'File "a.py"\nValueError: <EMAIL>'}
    assert span.links[0].attributes == {"why": "<EMAIL>"}
    assert span.resource.attributes == {"owner": "<EMAIL>"}
    assert span.scope.attributes == {"maintainer": "<EMAIL>"}
    assert span.scope.name == "lib <EMAIL>"
    assert span.attributes["penstock.redaction.count"] == 5


@pytest.mark.parametrize("body", [f"mail {MAIL}", {"content": [f"mail {MAIL}"]}, f"mail {MAIL}".encode()])
def test_log_bodies(body: Any) -> None:
    batch = logs(body, attributes={"to": MAIL})
    batch.message.resource_logs[0].scope_logs[0].log_records[0].event_name = MAIL  # type: ignore[union-attr]
    redaction().process(batch)
    record = batch.records()[0]
    assert isinstance(record, LogRecord)
    assert MAIL.encode() not in batch.serialize()
    assert type(record.body) is type(body)
    assert record.event_name == "<EMAIL>"
    assert record.attributes == {"to": "<EMAIL>", "penstock.redaction.count": 3}


def test_metrics_points_exemplars_and_descriptions() -> None:
    batch = metrics({f"sent.{MAIL}": [1.0]})
    metric = batch.message.resource_metrics[0].scope_metrics[0].metrics[0]  # type: ignore[union-attr]
    metric.description = f"to {MAIL}"
    point = metric.gauge.data_points[0]
    point.attributes.add(key="to").value.string_value = MAIL
    point.exemplars.add().filtered_attributes.add(key="to").value.string_value = MAIL
    redaction().process(batch)
    record = batch.records()[0]
    assert isinstance(record, DataPoint)
    assert MAIL.encode() not in batch.serialize()
    assert record.attributes == {"index": 0, "to": "<EMAIL>"}


def test_clean_records_keep_their_bytes() -> None:
    batch = traces({"gen_ai.input.messages": "What is a mutex?", "gen_ai.usage.input_tokens": 53})
    before = batch.serialize()
    redaction().process(batch)
    assert batch.serialize() is before


def test_ids_of_responses_and_tool_calls_are_not_touched() -> None:
    ids = {
        "gen_ai.response.id": "078-05-1120",
        "gen_ai.tool.call.id": "078-05-1120",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "078-05-1120",
        "gen_ai.prompt.3.tool_calls.0.id": "078-05-1120",
    }
    assert dict(redacted_span(traces(ids)).attributes) == ids


def test_an_id_of_a_user_becomes_a_pseudonym() -> None:
    ids = {"user.id": MAIL, "session.id": "8f3a", "enduser.id": f"mail {MAIL.upper()}"}
    new = redacted_span(traces(ids)).attributes
    assert re.fullmatch("<EMAIL:[0-9a-f]{6}>", str(new["user.id"]))
    assert new["enduser.id"] == f"mail {new['user.id']!s}"
    assert new["session.id"] == "8f3a"


def test_a_value_split_across_stream_chunks() -> None:
    batch = traces({})
    span = batch.message.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]
    pieces = ["Write to ja", "ne.sam", "ple@exa", "mple.com or call +1 415", "-555-0137 now", " bye"]
    for piece in pieces:
        event = span.events.add(name="gen_ai.content.completion.chunk")
        event.attributes.add(key="content").value.string_value = piece
        event.attributes.add(key="index").value.int_value = 1
    redacted = redacted_span(batch)
    texts = [event.attributes["content"] for event in redacted.events]
    assert texts == ["Write to <EMAIL>", "", "", " or call <PHONE>", " now", " bye"]
    assert redacted.attributes["penstock.redaction.count"] == 2


def test_a_second_pass_changes_nothing() -> None:
    processor = redaction(entities="all")
    batch = traces({"text": f"phone {MAIL}, card {CARD}", "json": json.dumps({"card": CARD})})
    processor.process(batch)
    before = batch.serialize()
    processor.process(batch)
    assert batch.serialize() == before


def test_the_default_policy_leaves_network_addresses() -> None:
    text = f"from 203.0.113.42 to {MAIL}"
    assert redacted_span(traces({"a": text})).attributes["a"] == "from 203.0.113.42 to <EMAIL>"
    processor = redaction(entities="all")
    assert redacted_span(traces({"a": text}), processor).attributes["a"] == "from <IP_ADDRESS> to <EMAIL>"


def test_a_value_over_the_limit_is_replaced_whole() -> None:
    host = make_host("redaction")
    span = redacted_span(traces({"a": "x@y" * 10, "b": "fine"}), redaction(host, max_value_hits=5))
    assert dict(span.attributes) == {"a": "<REDACTED>", "b": "fine", "penstock.redaction.count": 1}
    assert (
        metric_value(host, "penstock_redaction_values_total", entity="REDACTED", action="replace", place="span") == 1.0
    )


def test_the_size_limit_counts_bytes_and_leaves_values_without_candidates() -> None:
    attributes = {"exact": "あa@b" + "x" * 14, "over": "あa@b" + "x" * 15, "clean": "x " * 50}
    span = redacted_span(traces(attributes), redaction(max_value_bytes=20))
    assert dict(span.attributes) == attributes | {"over": "<REDACTED>", "penstock.redaction.count": 1}


def test_a_stream_over_the_limit_is_replaced_whole() -> None:
    batch = traces({})
    span = batch.message.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]
    for _ in range(2):
        event = span.events.add(name="chunk")
        event.attributes.add(key="content").value.string_value = "x@y" * 4
    redacted = redacted_span(batch, redaction(max_value_bytes=20))
    assert [event.attributes["content"] for event in redacted.events] == ["<REDACTED>", "<REDACTED>"]


@pytest.mark.parametrize("name", ["_texts_of_record", "_rewrite_record"])
def test_a_record_that_fails_is_dropped_and_its_neighbours_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_host("redaction")
    processor = redaction(host)
    stage = processor._stages[0]
    step = getattr(stage, name)

    def fail_on_one(record: Any, *args: Any) -> Any:
        if record.attributes.get("poison"):
            raise RuntimeError(MAIL)
        return step(record, *args)

    monkeypatch.setattr(stage, name, fail_on_one)
    batch = traces({"a": MAIL}, {"poison": MAIL}, {"b": MAIL})
    assert processor.process(batch) is batch
    assert [dict(record.attributes) for record in batch.records()] == [
        {"a": "<EMAIL>", "penstock.redaction.count": 1},
        {"b": "<EMAIL>", "penstock.redaction.count": 1},
    ]
    registry = host.meter.registry.collector
    labels = {"component": "redaction", "reason": REASON, "otel_signal": "traces"}
    assert registry.get_sample_value("penstock_dropped_items_total", labels) == 1.0


def test_records_of_a_resource_that_fails_are_dropped_and_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    host = make_host("redaction")
    processor = redaction(host)
    stage = processor._stages[0]
    redact = stage.redact_resource

    def fail_on_one(resource: Any) -> None:
        if resource.attributes.get("poison"):
            raise RuntimeError
        redact(resource)

    monkeypatch.setattr(stage, "redact_resource", fail_on_one)
    batch = traces({"a": 1}, {"b": 2}, resource={"owner": MAIL, "poison": True}, scope=MAIL)
    other = traces({"c": MAIL}, resource={"owner": MAIL})
    batch = parse(batch.signal, batch.serialize() + other.serialize())
    processor.process(batch)
    batch.settle()
    assert MAIL.encode() not in batch.serialize()
    assert [record.attributes["c"] for record in batch.records()] == ["<EMAIL>"]
    labels = {"component": "redaction", "reason": REASON, "otel_signal": "traces"}
    assert host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) == 2.0


@pytest.mark.parametrize("make", [lambda: traces({}, {}, {}, scope=MAIL), lambda: metrics({MAIL: [1.0, 2.0, 3.0]})])
def test_no_slice_of_a_batch_leaves_with_a_resource_that_failed(
    make: Callable[[], Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = redaction()
    stage = processor._stages[0]

    def fail(resource: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(stage, "redact_resource", fail)
    batch = make()
    group = batch.resources()[0].group
    group.schema_url = f"https://{MAIL}"
    group.resource.entity_refs.add(type=MAIL)
    if not isinstance(batch.records()[0], Span):
        # It has no points, so nothing takes it away with them.
        group.scope_metrics[0].metrics.add(name=MAIL, description=MAIL).metadata.add(key=MAIL)
    batch = parse(batch.signal, batch.serialize())
    for window in batch.slices(lambda: 1):
        processor.process(window)
    batch.settle()
    assert not batch.records()
    assert MAIL.encode() not in batch.serialize()


_UNKNOWN = b"\xba\x3e" + bytes([len(MAIL)]) + MAIL.encode()
"""A field of number 999, which OTLP does not have."""


def _everywhere(batch: Batch) -> Iterator[Any]:
    message: Any = batch.message
    group = next(iter(message.ListFields()))[1][0]
    scope_group = group.ListFields()[-1][1][0]
    yield from (message, group, group.resource, scope_group, scope_group.scope)
    for record in batch.records():
        yield record.pb
        if isinstance(record, Span):
            yield from (record.pb.events.add(name="e"), record.pb.links.add())
        elif isinstance(record, DataPoint):
            yield from (record.metric.pb, record.metric.data, record.pb.exemplars.add())
        else:
            yield record.pb.body


@pytest.mark.parametrize("make", [lambda: traces({"a": 1}), lambda: logs(None), lambda: metrics({"size": [1.0]})])
def test_fields_that_otlp_does_not_have_do_not_leave(make: Callable[[], Batch]) -> None:
    for number in range(len(list(_everywhere(make())))):
        batch = make()
        list(_everywhere(batch))[number].MergeFromString(_UNKNOWN)
        batch = parse(batch.signal, batch.message.SerializeToString())
        assert MAIL.encode() in batch.serialize()
        redaction().process(batch)
        batch.settle()
        assert MAIL.encode() not in batch.serialize(), number


def test_values_of_a_kind_that_otlp_does_not_have_do_not_leave() -> None:
    batch = traces({"a": 1, "odd": None, "b": 2})
    pairs = batch.message.resource_spans[0].scope_spans[0].spans[0].attributes  # type: ignore[union-attr]  # traces
    pairs[1].value.MergeFromString(_UNKNOWN)
    batch = parse(batch.signal, batch.message.SerializeToString())
    span = redacted_span(batch)
    assert MAIL.encode() not in batch.serialize()
    assert dict(span.attributes) == {"a": 1, "odd": None, "b": 2}


def test_a_dry_run_keeps_fields_that_otlp_does_not_have() -> None:
    batch = traces({"a": 1})
    next(_everywhere(batch)).MergeFromString(_UNKNOWN)
    before = batch.message.SerializeToString()
    batch = parse(batch.signal, before)
    redaction(dry_run=True).process(batch)
    assert batch.serialize() == before


def test_a_stand_in_of_any_letters_stands_in_bytes_of_any_kind() -> None:
    processor = redaction(mask={"text": "伏せ字"})
    span = redacted_span(traces({"a": b"\xff " + MAIL.encode()}), processor)
    assert span.attributes["a"] == b"\xff " + "伏せ字".encode()


def test_counts_by_entity_action_and_place() -> None:
    host = make_host("redaction")
    batch = traces({"a": f"{MAIL} {MAIL}", "b": CARD}, name=MAIL)
    redaction(host).process(batch)

    def counted(entity: str, place: str) -> float:
        return metric_value(host, "penstock_redaction_values_total", entity=entity, action="mask", place=place)

    assert counted("EMAIL", "span") == 2.0
    assert counted("EMAIL", "span.name") == 1.0
    assert counted("CREDIT_CARD", "span") == 1.0


def test_entities_spare_what_the_collector_keys_spare() -> None:
    processor = redaction(
        entities="all", allow_all_keys=True, ignored_keys=["safe"], allowed_values=["@example\\.org$"]
    )
    span = redacted_span(traces({"safe": MAIL, "own": "john@example.org", "other": MAIL}), processor)
    assert dict(span.attributes) == {
        "safe": MAIL,
        "own": "john@example.org",
        "other": "<EMAIL>",
        "penstock.redaction.count": 1,
    }


def test_both_languages_in_one_processor() -> None:
    processor = redaction(entities="all", allow_all_keys=True, blocked_values=["order-[0-9]+"], summary="info")
    span = redacted_span(traces({"a": f"order-17 of {MAIL}"}), processor)
    assert dict(span.attributes) == {
        "a": "**** of <EMAIL>",
        "redaction.masked.count": 2,
        "penstock.redaction.count": 1,
    }


def test_log_records_without_a_body() -> None:
    batch = Batch.of_message(log_request(None), logs("x").signal)
    redaction().process(batch)
    assert batch.count == 1


@pytest.mark.parametrize(
    ("config", "warned"),
    [({"hmac_key": "k"}, True), ({"blocked_values": ["x"]}, True), ({"allow_all_keys": True}, False), ({}, False)],
)
def test_who_deletes_every_attribute_is_told(
    config: dict[str, Any], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    redaction(**config)
    assert ("Every attribute is deleted" in caplog.text) is warned
