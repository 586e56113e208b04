"""Rows appear on `flush`, with what was masked in the logs of the same span; totals add up."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from processors.demo.screen import Screen
from tests.unit.processors.demo.spans import CALL, request_of

SPAN_ID = b"12345678"


def _log(text: str) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(span_id=SPAN_ID, body=AnyValue(string_value=text))
    return request.SerializeToString()


@pytest.fixture
def shown() -> list[str]:
    return []


def test_row_counts_what_was_masked_in_the_logs_of_its_span(shown: list[str]) -> None:
    screen = Screen(shown.append)
    screen.take("traces", request_of(CALL).SerializeToString())
    screen.take("logs", _log("mail <EMAIL>"))
    assert screen.pump(5, until=lambda: screen.totals.include(1, 1))
    assert shown == []
    screen.flush()
    assert len(shown) == 1
    assert shown[0].endswith("redacted EMAILx1")
    screen.flush()
    assert len(shown) == 1


def test_totals_line(shown: list[str]) -> None:
    screen = Screen(shown.append)
    unpriced = {key: value for key, value in CALL.items() if key != "penstock.cost.usd"}
    unpriced["penstock.cost.unpriced"] = "self_hosted"
    for attributes in (CALL, unpriced):
        screen.take("traces", request_of(attributes).SerializeToString())
    screen.take("logs", _log("<EMAIL> <EMAIL> <JWT>"))
    screen.pump(5, until=lambda: screen.totals.include(2, 1))
    assert screen.totals.line() == (
        "2 calls in 2 spans and 1 log records: 106 tokens in, 96 out, $0.0000 "
        "(1 calls without a price: self_hosted 1); 3 values masked (EMAIL 2, JWT 1)"
    )


def test_a_call_of_which_a_log_record_tells_has_a_row(shown: list[str]) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(span_id=SPAN_ID)
    (span,) = request_of({**CALL, "prompt": "mail <EMAIL>"}).resource_spans[0].scope_spans[0].spans
    record.attributes.extend(span.attributes)
    screen = Screen(shown.append)
    screen.take("logs", request.SerializeToString())
    screen.pump(5, until=lambda: screen.totals.include(0, 1))
    screen.flush()
    assert len(shown) == 1
    assert shown[0].endswith("redacted EMAILx1")
    assert screen.totals.line().startswith("1 calls in 0 spans and 1 log records: 53 tokens in, 48 out, $0.0000 (0 ")
    assert screen.totals.line().endswith("1 values masked (EMAIL 1)")


def test_pump_says_when_what_was_sent_did_not_arrive(shown: list[str]) -> None:
    screen = Screen(shown.append)
    assert not screen.pump(0.01, until=lambda: screen.totals.include(1, 0))


def test_the_first_changed_attribute_of_a_remembered_span_is_kept(shown: list[str]) -> None:
    screen = Screen(shown.append)
    screen.remember([request_of({**CALL, "gen_ai.input.messages": "a@example.org"})])
    screen.take("traces", request_of({**CALL, "gen_ai.input.messages": "<EMAIL>"}).SerializeToString())
    screen.pump(5, until=lambda: screen.totals.include(1, 0))
    assert screen.change is not None
    assert (screen.change.before, screen.change.after) == ("a@example.org", "<EMAIL>")
