"""Attribute mappings: reads are dict reads, writes are flushed once and leave the rest alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from pipeline.signals import Signal, Value
from pipeline.signals.intake import parse
from pipeline.testing import trace_request, traces

SCALARS = st.one_of(
    st.text(max_size=20),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=9),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=5), SCALARS, max_size=3))


@given(
    before=st.dictionaries(st.text(max_size=8), VALUES, max_size=6),
    after=st.dictionaries(st.text(max_size=8), VALUES, max_size=6),
)
def test_what_is_written_is_what_is_read_back(before: dict[str, Value], after: dict[str, Value]) -> None:
    batch = traces(before)
    attributes = batch.records()[0].attributes
    assert attributes == before
    for key in set(before) - set(after):
        del attributes[key]
    attributes.update(after)
    again = parse(Signal.TRACES, batch.serialize())
    read = again.records()[0].attributes
    assert read == after
    assert {key: type(value) for key, value in read.items()} == {key: type(value) for key, value in after.items()}


STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from("abcd"), st.integers(0, 3)),
    st.tuples(st.just("add"), st.sampled_from("abcd"), st.integers(0, 3)),
    st.tuples(st.just("remove"), st.sampled_from("abcd"), st.just(0)),
    st.tuples(st.just("serialise"), st.just(""), st.just(0)),
)


@given(before=st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)), steps=st.lists(STEPS, max_size=12))
def test_any_order_of_writes_and_flushes_ends_alike(before: dict[str, int], steps: list[tuple[str, str, int]]) -> None:
    batch = traces({**before})
    attributes, model = batch.records()[0].attributes, dict(before)
    for step, key, value in steps:
        if step == "set":
            attributes[key] = model[key] = value
        elif step == "add":
            new = {other: value for other in (key, "e") if other not in model}
            attributes.add(new)
            model |= new
        elif step == "remove":
            assert attributes.pop(key) == model.pop(key, None)
        else:
            batch.serialize()
    pairs = parse(Signal.TRACES, batch.serialize()).records()[0].pb.attributes
    assert sorted((pair.key, pair.value.int_value) for pair in pairs) == sorted(model.items())


def test_reading_and_writing_equal_values_keeps_the_bytes() -> None:
    raw = trace_request({"a": 1, "b": "x", "c": [1, 2]}).SerializeToString()
    batch = parse(Signal.TRACES, raw)
    attributes = batch.records()[0].attributes
    attributes["a"] = 1
    attributes.setdefault("b", "y")
    assert batch.serialize() is raw


def test_an_equal_value_of_another_type_is_a_change() -> None:
    batch = traces({"a": 1})
    batch.records()[0].attributes["a"] = True
    value = parse(Signal.TRACES, batch.serialize()).records()[0].attributes["a"]
    assert value is True


def test_of_a_repeated_key_the_first_counts_and_the_rest_goes() -> None:
    request = trace_request({"key": "first"})
    pairs = request.resource_spans[0].scope_spans[0].spans[0].attributes
    pairs.add(key="key").value.string_value = "second"
    batch = parse(Signal.TRACES, request.SerializeToString())
    assert batch.records()[0].attributes["key"] == "first"
    assert b"second" not in batch.serialize()


def test_unknown_fields_survive_an_edit_of_another_attribute() -> None:
    request = trace_request({"edited": "old", "kept": "v"})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    unknown = b"\xfa\x3f\x03new"  # field 1023, length-delimited
    span.MergeFromString(unknown)
    kept = next(pair for pair in span.attributes if pair.key == "kept")
    kept.value.MergeFromString(unknown)
    batch = parse(Signal.TRACES, request.SerializeToString())
    batch.records()[0].attributes["edited"] = "new value"
    after = ExportTraceServiceRequest.FromString(batch.serialize())
    span_after = after.resource_spans[0].scope_spans[0].spans[0]
    kept_after = next(pair for pair in span_after.attributes if pair.key == "kept")
    assert kept_after.SerializeToString() == kept.SerializeToString()
    assert span_after.SerializeToString().endswith(unknown)


def test_every_way_to_remove_is_written() -> None:
    batch = traces({"a": 1, "b": 2, "c": 3, "d": 4})
    attributes = batch.records()[0].attributes
    assert attributes.pop("a") == 1
    assert attributes.pop("missing", "default") == "default"
    del attributes["b"]
    assert attributes.popitem() == ("d", 4)
    assert parse(Signal.TRACES, batch.serialize()).records()[0].attributes == {"c": 3}
    attributes.clear()
    assert parse(Signal.TRACES, batch.serialize()).records()[0].attributes == {}


def test_a_value_without_otlp_form_is_an_error() -> None:
    batch = traces({})
    batch.records()[0].attributes["a"] = object()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="object is no attribute value"):
        batch.serialize()


def test_many_attributes_deleted_and_repeated_leave_the_others_as_they_were() -> None:
    request = trace_request({f"k{n}": n for n in range(300)})
    pairs = request.resource_spans[0].scope_spans[0].spans[0].attributes
    for n in range(0, 300, 2):
        pairs.add(key=f"k{n}").value.int_value = -n
    batch = parse(Signal.TRACES, request.SerializeToString())
    attributes = batch.records()[0].attributes
    assert attributes == {f"k{n}": n for n in range(300)}
    for n in range(0, 300, 3):
        del attributes[f"k{n}"]
    attributes["k1"] = "changed"
    read = parse(Signal.TRACES, batch.serialize()).records()[0].attributes
    assert list(read.items()) == [(f"k{n}", n if n != 1 else "changed") for n in range(300) if n % 3]


def test_values_of_an_unknown_kind_are_cleared_in_their_place() -> None:
    before = traces({"a": 1, "odd": None, "empty": None, "b": 2})
    pairs = before.message.resource_spans[0].scope_spans[0].spans[0].attributes  # type: ignore[union-attr]  # traces
    pairs[1].value.MergeFromString(b"\xba\x3e\x03new")
    batch = parse(Signal.TRACES, before.message.SerializeToString())
    attributes = batch.records()[0].attributes
    attributes.clear_unknown()
    assert batch.serialize() == traces({"a": 1, "odd": None, "empty": None, "b": 2}).serialize()
    assert list(attributes) == ["a", "odd", "empty", "b"]
    again = parse(Signal.TRACES, batch.serialize())
    again.records()[0].attributes.clear_unknown()
    assert not again.changed
