"""The row of a call says what the span says, and nothing where it is silent."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from processors.demo.calls import Call, calls, masked_in_logs
from processors.demo.masking import Change, changes
from tests.unit.processors.demo.spans import CALL, request_of


def _call(attributes: dict[str, Any], **kwargs: Any) -> Call:
    (call,) = calls(request_of(attributes, **kwargs))
    return call


def _words(call: Call) -> str:
    """The row without the time of day and the blanks that align it."""
    return " ".join(call.row().split()[1:])


def test_row_of_a_call() -> None:
    assert _words(_call({**CALL, "gen_ai.input.messages": "write to <EMAIL> or <EMAIL>, card <CREDIT_CARD>"})) == (
        "openai gpt-4o-mini-2024-07-18 in 53 out 48 cache 0 $0.000037 TTFT 298ms TPOT 6.1ms"
        " openllmetry redacted CREDIT_CARDx1 EMAILx2"
    )


def test_what_the_span_does_not_say_is_a_dash_and_never_zero() -> None:
    silent = {key: CALL[key] for key in ("penstock.gen_ai.role", "gen_ai.request.model")}
    assert _words(_call(silent)) == "- gpt-4o-mini in - out - cache - - TTFT - TPOT - -"


def test_failed_call_shows_the_type_of_error() -> None:
    call = _call({**CALL, "error.type": "RateLimitError"}, failed=True)
    assert call.row().endswith("openllmetry    error RateLimitError")


@pytest.mark.parametrize(
    "changed",
    [
        {"penstock.gen_ai.role": "aggregate"},
        {"penstock.gen_ai.role": "duplicate"},
        {"gen_ai.operation.name": "execute_tool"},
    ],
)
def test_frameworks_duplicates_and_tools_are_no_calls(changed: dict[str, str]) -> None:
    assert not list(calls(request_of({**CALL, **changed})))


def test_masked_values_in_nested_log_bodies_are_found() -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    inner = KeyValueList(values=[KeyValue(key="content", value=AnyValue(string_value="call <PHONE>"))])
    records.add(span_id=b"12345678", body=AnyValue(kvlist_value=inner))
    records.add(span_id=b"87654321", body=AnyValue(string_value="nothing <here>"))
    assert [(span_id, dict(found)) for span_id, found in masked_in_logs(request)] == [(b"12345678", {"PHONE": 1})]


def test_changes_are_attributes_of_both_spans_that_differ() -> None:
    before = request_of({"a": "mail x@example.org", "b": "same", "gone": "x"}).resource_spans[0].scope_spans[0].spans[0]
    after = request_of({"a": "mail <EMAIL>", "b": "same", "new": "y"}).resource_spans[0].scope_spans[0].spans[0]
    assert list(changes(before, after)) == [Change("a", "mail x@example.org", "mail <EMAIL>")]
