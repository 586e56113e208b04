"""AnyValue <-> Python, and mappings that have a key twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from pipeline.signals import LogRecord, Signal, Value
from pipeline.signals.intake import parse
from pipeline.signals.values import from_any_value, set_any_value
from pipeline.testing import log_request, trace_request

SCALARS = st.one_of(
    st.none(), st.booleans(), st.text(), st.binary(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@given(VALUES, VALUES)
def test_a_value_is_read_as_it_was_written_whatever_was_there_before(before: Value, value: Value) -> None:
    target = AnyValue()
    set_any_value(target, before)
    set_any_value(target, value)
    assert from_any_value(target) == value
    assert type(from_any_value(target)) is type(value)


@pytest.mark.parametrize("value", [object(), {1, 2}, [1, object()], {"a": 1j}])
def test_what_has_no_otlp_form_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError, match="is no attribute value"):
        set_any_value(AnyValue(), value)


def test_an_int_beyond_64_bits_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="out of range"):
        set_any_value(AnyValue(), 2**64)


def test_of_a_key_twice_in_a_mapping_only_what_is_read_goes_on() -> None:
    request = trace_request({"map": [{"a": "seen"}], "other": 1})
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes[0].value.array_value.values[0].kvlist_value.values.add(key="a").value.string_value = "hidden"
    batch = parse(Signal.TRACES, request.SerializeToString())
    assert batch.records()[0].attributes == {"map": [{"a": "seen"}], "other": 1}
    assert b"hidden" not in batch.serialize()
    assert b"seen" in batch.serialize()


def test_of_a_key_twice_in_a_body_only_what_is_read_goes_on() -> None:
    request = log_request({"a": "seen"})
    body = request.resource_logs[0].scope_logs[0].log_records[0].body
    body.kvlist_value.values.add(key="a").value.string_value = "hidden"
    batch = parse(Signal.LOGS, request.SerializeToString())
    record = batch.records()[0]
    assert isinstance(record, LogRecord)
    assert record.body == {"a": "seen"}
    assert b"hidden" not in batch.serialize()
