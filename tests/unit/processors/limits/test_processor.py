"""What `limits` does to whole records, in every place where something can be long."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Batch, Signal, Value
from pipeline.signals.intake import parse
from pipeline.telemetry.meter import MetricsRegistry
from pipeline.testing import FakeClock, configured, log_request, logs, make_host, metric_value, run_processors, traces
from processors.limits import Limits
from tests.strategies import messages

LONG = "word " * 1000
MESSAGES = json.dumps([{"role": "user", "parts": [{"type": "text", "content": LONG}]}])
CUT = "penstock.limits.cut"


def limited(batch: Batch, **config: Any) -> tuple[Any, Limits]:
    """The first record after `limits`, and the processor."""
    processor: Limits = configured(Limits, **config)
    processor.process(batch)
    batch.settle()
    again = parse(batch.signal, batch.serialize())
    return again.records()[0] if again.count else None, processor


def cut_values(processor: Limits, where: str, kind: str = "text", limit: str = "attribute") -> float:
    return metric_value(processor.host, "penstock_limits_cut_values_total", where=where, kind=kind, limit=limit)


def size(value: Any) -> int:
    return len(value.encode())


def test_what_is_short_goes_out_as_the_bytes_that_came_in() -> None:
    batch = traces({"a": "x" * 2048, "n": 1, "list": ["stop"], "ja": "日" * 682})
    raw = batch.serialize()
    limited(batch)
    assert batch.serialize() is raw


def test_values_of_a_span_are_cut_and_counted() -> None:
    span, processor = limited(traces({"gen_ai.input.messages": MESSAGES, "note": LONG, "ja": "日" * 683, "n": 2**62}))
    assert all(size(span.attributes[key]) <= 2048 for key in ("gen_ai.input.messages", "note", "ja"))
    assert json.loads(span.attributes["gen_ai.input.messages"])[0]["role"] == "user"
    assert span.attributes["n"] == 2**62
    assert span.attributes[CUT] == 3
    assert cut_values(processor, "span") == 3
    missing = metric_value(processor.host, "penstock_limits_cut_bytes_total", where="span", limit="attribute")
    assert 5900 < missing < 6100


def test_every_place_of_a_span() -> None:
    batch = traces({"a": 1}, resource={"process.command_line": LONG})
    pb: Any = batch.message
    group = pb.resource_spans[0].scope_spans[0]
    group.scope.name = group.scope.version = LONG
    group.scope.attributes.add(key="s").value.string_value = LONG
    span = group.spans[0]
    span.name = span.status.message = LONG
    event = span.events.add(name=LONG)
    event.attributes.add(key="body").value.string_value = LONG
    span.links.add(trace_id=b"t" * 16).attributes.add(key="why").value.string_value = LONG
    span.attributes.add(key=LONG).value.int_value = 5
    got, processor = limited(parse(Signal.TRACES, pb.SerializeToString()))
    scope = got.scope
    texts = [got.name, got.status_message, got.events[0].name, got.events[0].attributes["body"]]
    texts += [got.links[0].attributes["why"], scope.name, scope.version, scope.attributes["s"]]
    texts += [got.resource.attributes["process.command_line"], *got.attributes]
    assert all(size(text) <= 2048 for text in texts)
    assert sum(text.endswith(" bytes]") for text in texts) == 10
    assert got.attributes[CUT] == 6
    counted = {where: cut_values(processor, where) for where in ("name", "status", "event", "link", "scope", "key")}
    assert counted == {"name": 4, "status": 1, "event": 1, "link": 1, "scope": 1, "key": 1}
    assert cut_values(processor, "resource") == 1


def test_two_long_keys_that_become_one_are_counted() -> None:
    span, processor = limited(traces({LONG + "1": 1, LONG + "2": 2}))
    (key,) = (key for key in span.attributes if key != CUT)
    assert (size(key), span.attributes[key]) == (2048, 1)
    assert (
        metric_value(processor.host, "penstock_limits_removed_items_total", where="attribute", limit="attribute") == 1
    )


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"\x00" * 5000, "bytes"),
        (["y" * 100] * 100, "array"),
        ({"a": LONG, "b": [1, {"c": LONG}]}, "map"),
        (list(range(3000)), "array"),
        ([[b"\xff" * 2000], LONG], "array"),
    ],
)
def test_other_kinds_of_values(value: Value, kind: str) -> None:
    span, processor = limited(traces({"v": value}))
    got = span.attributes["v"]
    assert type(got) is type(value)
    assert got != value
    if kind == "bytes":
        assert len(cast("bytes", got)) == 2048
    assert cut_values(processor, "span", kind) == 1
    assert span.pb.ByteSize() < 12_000


@pytest.mark.parametrize("body", [LONG, MESSAGES, {"messages": [LONG, LONG]}, [LONG], LONG.encode()])
def test_bodies_of_log_records(body: Value) -> None:
    record, processor = limited(logs(body, attributes={"event.name": "x"}))
    assert type(record.body) is type(body)
    assert record.pb.body.ByteSize() < 2100
    assert record.attributes[CUT] == 1
    assert sum(cut_values(processor, "body", kind) for kind in ("text", "map", "array", "bytes")) == 1


def test_names_of_log_records() -> None:
    pb = log_request("short")
    record = pb.resource_logs[0].scope_logs[0].log_records[0]
    record.event_name = record.severity_text = LONG
    got, _ = limited(parse(Signal.LOGS, pb.SerializeToString()))
    assert size(got.event_name) <= 2048 >= size(got.severity_text)
    assert got.body == "short"


def test_single_attributes_have_limits_of_their_own_and_some_have_none() -> None:
    given_attributes: dict[str, Value] = {"a": LONG, "b": LONG, "kept": LONG, "kept.too": LONG}
    span, _ = limited(traces(given_attributes), attributes={"a": {"max_bytes": 256}}, keep=["kept*"])
    assert [size(span.attributes[key]) for key in given_attributes] == [256, 2048, 5000, 5000]


def test_without_a_limit_only_those_of_single_attributes_hold() -> None:
    span, _ = limited(traces({"a": LONG, "b": LONG}), max_attribute_bytes=0, attributes={"a": {"max_bytes": 256}})
    assert (size(span.attributes["a"]), span.attributes["b"]) == (256, LONG)


def test_a_mark_of_ones_own() -> None:
    span, _ = limited(traces({"a": LONG}), marker="<-{bytes}")
    assert span.attributes["a"].endswith("<-2958")


async def test_what_was_cut_is_not_cut_again() -> None:
    async with run_processors("limits:\nlimits/2:") as pipeline:
        await pipeline.send(traces({"gen_ai.input.messages": MESSAGES, "text": LONG}))
        span: Any = pipeline.sink.batches[0].records()[0]
        assert span.attributes[CUT] == 2
        assert metric_value(pipeline.processors[1].host, "penstock_limits_cut_values_total") == 0


# --- whole spans


def span_limited(attributes: dict[str, Value], **config: Any) -> tuple[Any, Limits]:
    return limited(traces(attributes), max_attribute_bytes=0, **config)


def test_a_large_span_loses_content_before_anything_else() -> None:
    metadata: dict[str, Value] = {f"meta.{n}": "m" * 100 for n in range(20)}
    content: dict[str, Value] = {
        "gen_ai.input.messages": MESSAGES, "gen_ai.output.messages": MESSAGES, "gen_ai.tool.call.result": "r" * 200,
    }  # fmt: skip
    span, processor = span_limited(content | metadata | {"gen_ai.usage.input_tokens": 5}, max_span_bytes=6000)
    assert 5700 < span.pb.ByteSize() <= 6000
    assert metadata.items() <= dict(span.attributes).items()
    assert span.attributes["gen_ai.tool.call.result"] == "r" * 200
    assert span.attributes["gen_ai.usage.input_tokens"] == 5
    sizes = [size(span.attributes[f"gen_ai.{side}.messages"]) for side in ("input", "output")]
    assert abs(sizes[0] - sizes[1]) < 50
    assert cut_values(processor, "span", limit="span") == 2
    assert span.attributes[CUT] == 2


def test_the_order_is_the_users() -> None:
    span, _ = span_limited({"a": LONG, "b.1": LONG}, max_span_bytes=6000, cut_first=["b.*"])
    assert span.attributes["a"] == LONG
    assert size(span.attributes["b.1"]) < 1000


def test_what_is_kept_stays_and_a_span_may_stay_too_large() -> None:
    span, processor = span_limited({"kept": LONG, "other": LONG}, max_span_bytes=2048, keep=["kept"])
    assert span.attributes["kept"] == LONG
    assert "other" not in span.attributes
    assert span.pb.dropped_attributes_count == 1
    assert metric_value(processor.host, "penstock_limits_over_records_total", limit="span") == 1


def test_events_in_the_middle_go_where_cutting_is_not_enough() -> None:
    batch = traces({"a": 1})
    pb: Any = batch.message
    span = pb.resource_spans[0].scope_spans[0].spans[0]
    for n in range(200):
        span.events.add(name="exception" if n == 100 else f"chunk {n}").attributes.add(key="n").value.int_value = n
    got, processor = limited(parse(Signal.TRACES, pb.SerializeToString()), max_span_bytes=2048)
    assert got.pb.ByteSize() <= 2048
    numbers = [event.attributes["n"] for event in got.events]
    assert (numbers[0], numbers[-1]) == (0, 199)
    assert 100 in numbers
    assert got.pb.dropped_events_count == 200 - len(numbers)
    removed = metric_value(processor.host, "penstock_limits_removed_items_total", where="event", limit="span")
    assert removed == got.pb.dropped_events_count == got.attributes[CUT]


def test_many_small_attributes_go_in_the_end_and_numbers_never() -> None:
    texts: dict[str, Value] = {f"gen_ai.prompt.{n}.role": "user" for n in range(500)}
    numbers: dict[str, Value] = {f"n{n}": n for n in range(20)}
    span, _ = span_limited(texts | numbers, max_span_bytes=4096)
    assert span.pb.ByteSize() <= 4096
    assert numbers.items() <= dict(span.attributes).items()
    left = sum(key.startswith("gen_ai.prompt.") for key in span.attributes)
    assert left + span.pb.dropped_attributes_count == 500
    assert left > 50


def test_a_large_log_record() -> None:
    record, _ = limited(logs(LONG, attributes={"a": "b"}), max_attribute_bytes=0, max_span_bytes=2048)
    assert record.pb.ByteSize() <= 2048
    assert record.body.endswith(" bytes]")
    assert record.attributes["a"] == "b"


# --- traces


def one_trace(count: int, **attributes: Value) -> Batch:
    batch = traces(*[attributes] * count)
    pb: Any = batch.message
    for span in pb.resource_spans[0].scope_spans[0].spans:
        span.trace_id = b"t" * 16
    return parse(Signal.TRACES, pb.SerializeToString())


def sizes_of(batch: Batch) -> list[int]:
    return [record.pb.ByteSize() for record in parse(Signal.TRACES, batch.serialize()).records()]


def test_spans_of_a_large_trace_get_smaller_and_smaller() -> None:
    batch = one_trace(150, **{"gen_ai.input.messages": MESSAGES, "gen_ai.request.model": "gpt-4o"})
    processor: Limits = configured(Limits, max_attribute_bytes=0, max_trace_bytes=262_144)
    processor.process(batch)
    batch.settle()
    sizes = sizes_of(batch)
    assert len(sizes) == 150
    assert sum(sizes) <= 262_144
    assert sizes[0] > 4000
    assert sizes[0] > sizes[20] > sizes[50]
    models = {record.attributes["gen_ai.request.model"] for record in parse(Signal.TRACES, batch.serialize()).records()}
    assert models == {"gpt-4o"}


@pytest.mark.parametrize("over_trace", ["cut", "drop"])
def test_where_a_trace_has_no_room_left(over_trace: str) -> None:
    batch = one_trace(1200, **{"gen_ai.request.model": "gpt-4o"})
    processor: Limits = configured(Limits, max_trace_bytes=65_536, over_trace=over_trace)
    processor.process(batch)
    batch.settle()
    sizes = sizes_of(batch)
    host = processor.host
    labels = {"component": "limits", "reason": "trace_too_large", "otel_signal": "traces"}
    dropped = host.meter.registry.collector.get_sample_value("penstock_dropped_items_total", labels) or 0
    over = metric_value(host, "penstock_limits_over_records_total", limit="trace")
    if over_trace == "drop":
        assert sum(sizes) <= 65_536
        assert (len(sizes) + dropped, over) == (1200, 0)
        assert dropped > 0
    else:
        assert len(sizes) == 1200
        assert over > 0


async def test_a_trace_is_forgotten_when_it_is_not_seen_for_long() -> None:
    clock = FakeClock()
    processor: Limits = configured(
        Limits,
        make_host("limits", clock=clock),
        max_trace_bytes=65_536,
        over_trace="drop",
        trace_memory={"idle": "60s"},
    )

    def kept() -> int:
        batch = one_trace(1200, a="b")
        processor.process(batch)
        batch.settle()
        return batch.count

    first = kept()
    assert 500 < first < 1200
    assert kept() == 0
    await clock.advance(61)
    assert kept() == first


def test_a_reload_knows_what_traces_have_had() -> None:
    registry = MetricsRegistry()
    left = []
    for pipeline in ("traces", "traces", "traces/other"):
        host = make_host("limits", registry=registry)
        host.pipeline = pipeline
        batch = one_trace(1200, a="b")
        processor: Limits = configured(Limits, host, max_trace_bytes=65_536, over_trace="drop")
        processor.process(batch)
        batch.settle()
        left.append(batch.count)
    assert left[1] == 0
    assert left[0] == left[2] > 0


@given(messages(ExportTraceServiceRequest))
@settings(max_examples=100, deadline=None)
def test_any_trace_request_lives(request: ExportTraceServiceRequest) -> None:
    check_lives(Signal.TRACES, request.SerializeToString())


@given(messages(ExportLogsServiceRequest))
@settings(max_examples=50, deadline=None)
def test_any_log_request_lives(request: ExportLogsServiceRequest) -> None:
    check_lives(Signal.LOGS, request.SerializeToString())


def check_lives(signal: Signal, raw: bytes) -> None:
    batch = parse(signal, raw)
    count = batch.count
    processor: Limits = configured(Limits, max_attribute_bytes=128, max_span_bytes=1024, max_trace_bytes=65_536)
    processor.process(batch)
    batch.settle()
    assert parse(signal, batch.serialize()).count == count
