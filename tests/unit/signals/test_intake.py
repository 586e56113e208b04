"""The one parse: what is counted, checked and refused."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from pipeline.errors import Code, Rejected
from pipeline.signals import Context, Signal
from pipeline.signals.intake import of_message, parse
from pipeline.testing import log_request, metric_request, trace_request


def test_items_of_each_signal_are_counted() -> None:
    assert parse(Signal.TRACES, trace_request({}, {}).SerializeToString()).count == 2
    assert parse(Signal.LOGS, log_request("a", "b", "c").SerializeToString()).count == 3
    assert parse(Signal.METRICS, metric_request({"a": [1.0], "b": [1.0, 2.0], "c": []}).SerializeToString()).count == 3
    assert parse(Signal.TRACES, b"").count == 0


def test_the_context_goes_with_the_batch() -> None:
    context = Context(metadata={"a": ("b",)})
    assert parse(Signal.TRACES, b"", context).context is context


def _with_bad_log_id() -> ExportLogsServiceRequest:
    request = log_request("a")
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = b"short"
    return request


def test_an_id_of_a_wrong_length_in_a_log_record_is_rejected_whatever_the_encoding() -> None:
    with pytest.raises(Rejected, match="trace id of 5 bytes; expected 16") as raised:
        parse(Signal.LOGS, _with_bad_log_id().SerializeToString())
    assert raised.value.code is Code.INTERNAL
    with pytest.raises(Rejected, match="trace id of 5 bytes; expected 16"):
        of_message(Signal.LOGS, _with_bad_log_id())


@pytest.mark.parametrize("field", ["trace_id", "span_id"])
def test_an_id_of_a_wrong_length_in_a_link_is_rejected(field: str) -> None:
    request = trace_request({})
    setattr(request.resource_spans[0].scope_spans[0].spans[0].links.add(), field, b"123")
    with pytest.raises(Rejected, match="id of 3 bytes"):
        parse(Signal.TRACES, request.SerializeToString())
