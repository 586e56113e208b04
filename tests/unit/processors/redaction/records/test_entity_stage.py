"""What the stage reaches in a record, and under which treatment."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from pipeline.signals import Batch, LogRecord, Span, Value
from pipeline.testing import logs, make_host, metric_value, metrics, traces
from processors.redaction.records import keys
from processors.redaction.treatments.policies import Condition
from tests.unit.processors.redaction.stage import redact, treatment

MAIL = "jane.sample@example.com"
SSN = "078-05-1120"
BARE_SSN = "078051120"
NO_COUNT = {"penstock.redaction.count"}


def attributes_of(attributes: dict[str, Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    record = redact(traces(attributes), *args, **kwargs)[0]
    return {key: value for key, value in record.attributes.items() if key not in NO_COUNT}


def span_of(batch: Batch) -> Any:
    return batch.message.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]  # a traces batch


@pytest.mark.parametrize("key", ["user.ssn", "ssn", "customerSsn", "applicant.social_security_number"])
def test_a_key_says_what_its_value_is(key: str) -> None:
    assert attributes_of({key: BARE_SSN, "order": BARE_SSN}) == {key: "<US_SSN>", "order": BARE_SSN}


@pytest.mark.parametrize("key", ["note", "customer.tax_id", "user.national_id", "passport_number"])
def test_what_is_known_alone_is_known_under_any_key(key: str) -> None:
    assert attributes_of({key: "12345678-5", "in": {key: ["12345678-5"]}}) == {
        key: "<CL_RUT>",
        "in": {key: ["<CL_RUT>"]},
    }


def test_a_key_in_a_map_or_over_a_list_says_what_its_values_are() -> None:
    assert attributes_of({"form": {"ssn": BARE_SSN, "size": BARE_SSN}, "ssn": [BARE_SSN, "none"]}) == {
        "form": {"ssn": "<US_SSN>", "size": BARE_SSN},
        "ssn": ["<US_SSN>", "none"],
    }


def test_a_full_book_of_keys_misses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_MOST_KEYS", 2)
    records: list[dict[str, Value]] = [
        {f"ssn.{n}.ssn": BARE_SSN, f"m{n}": {f"a{n}": {"ssn": BARE_SSN}}, f"to {n} {MAIL}": n} for n in range(5)
    ]
    batch = traces(*records)
    redact(batch)
    output = batch.serialize()
    assert BARE_SSN.encode() not in output
    assert MAIL.encode() not in output


def test_a_number_is_looked_at_where_its_key_says_what_it_is() -> None:
    assert attributes_of({"ssn": 219099999, "size": 219099999}) == {"ssn": "<US_SSN>", "size": 219099999}


def test_numbers_that_somebody_wrote_as_floats() -> None:
    card = 4242424242424242.0
    values = {"card": card, "list": [0.5, card], "map": {"n": card}, "ratio": 0.5, "huge": 1e300, "no": math.nan}
    found = attributes_of(values)
    assert math.isnan(found.pop("no"))
    assert found == {
        "card": "<CREDIT_CARD>",
        "list": [0.5, "<CREDIT_CARD>"],
        "map": {"n": "<CREDIT_CARD>"},
        "ratio": 0.5,
        "huge": 1e300,
    }


def test_small_numbers_that_their_key_names() -> None:
    assert attributes_of({"zip_code": 94105, "size": 94105}) == {"zip_code": "<US_ZIP>", "size": 94105}


def test_the_key_of_an_id_may_hold_something_itself() -> None:
    assert attributes_of({"jane.sample@example.com_response_id": "chat-1"}) == {"<EMAIL>_response_id": "chat-1"}


def test_a_key_in_the_body_of_a_log_record_says_what_its_value_is() -> None:
    record = redact(logs({"user": {"ssn": BARE_SSN}}))[0]
    assert isinstance(record, LogRecord)
    assert record.body == {"user": {"ssn": "<US_SSN>"}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gen_ai.usage.input_tokens", "219099999"),
        ("max_tokens", 219099999),
        ("gen_ai.request.max_tokens", 219099999),
        ("tokenizer", "cl100k_base"),
        ("session.id", "f27196d2-d21d-4621-9454-8d41c7b35818"),
        ("gen_ai.request.model", "gpt-4o-mini-2024-07-18"),
        ("gen_ai.tool.name", "Password Reset"),
        ("primary_key", "customer_id"),
        ("public_key", "none"),
        ("auth.method", "password"),
        ("http.request.header.user-agent", "ai/7.0.173"),
    ],
)
def test_keys_that_sound_like_secrets_raise_no_alarm(key: str, value: Any) -> None:
    assert attributes_of({key: value}) == {key: value}


def test_a_label_does_not_break_json() -> None:
    text = json.dumps([219099999, "x"])
    assert json.loads(attributes_of({"ssn": text})["ssn"])[1] == "x"


def test_words_of_a_command_are_read_together() -> None:
    words = ["mail", "--to", "jane.sample@exa", "mple.com", "-c", f"card {MAIL}"]
    assert attributes_of({"process.command_args": ["call", "415", "-555-0137"], "list": words})["list"][-1] == (
        "card <EMAIL>"
    )


def test_a_value_over_several_words_of_a_command() -> None:
    assert attributes_of({"process.command_args": ["dial", "+1", "415", "555", "0137", "now"]}) == {
        "process.command_args": ["dial", "<PHONE>", "", "", "", "now"]
    }


def test_items_of_other_lists_are_not_read_together() -> None:
    parts = ["+1", "415", "555", "0137"]
    assert attributes_of({"parts": parts}) == {"parts": parts}


def test_trace_state_schema_urls_and_entities() -> None:
    batch = traces({}, resource={"host": "a"})
    spans = batch.message.resource_spans[0]  # type: ignore[union-attr]  # a traces batch
    spans.schema_url = f"https://example.com/{MAIL}"
    spans.scope_spans[0].schema_url = f"https://example.com/{MAIL}"
    reference = spans.resource.entity_refs.add(type=f"host of {MAIL}", id_keys=["host", f"of {MAIL}"])
    span = span_of(batch)
    span.trace_state = f"vendor={MAIL},ot=th:8"
    span.links.add(trace_id=bytes(16), trace_state=f"vendor={MAIL}")
    redact(batch)
    assert MAIL.encode() not in batch.serialize()
    assert span.trace_state == "vendor=<EMAIL>,ot=th:8"
    assert list(reference.id_keys) == ["host", "of <EMAIL>"]


def test_metadata_of_metrics() -> None:
    batch = metrics({"sent": [1.0]})
    metric = batch.message.resource_metrics[0].scope_metrics[0].metrics[0]  # type: ignore[union-attr]
    metric.metadata.add(key="owner").value.string_value = MAIL
    redact(batch)
    batch.serialize()
    assert metric.metadata[0].value.string_value == "<EMAIL>"


def test_ids_of_tool_calls_in_maps_are_not_touched() -> None:
    body: Value = {"tool_calls": [{"id": SSN, "function": {"arguments": SSN}}], "tool_call_id": SSN}
    record = redact(logs(body))[0]
    assert isinstance(record, LogRecord)
    assert record.body == {"tool_calls": [{"id": SSN, "function": {"arguments": "<US_SSN>"}}], "tool_call_id": SSN}


@pytest.mark.parametrize(
    "key",
    [
        "user.id",
        "enduser.id",
        "enduser.pseudo.id",
        "session.id",
        "gen_ai.conversation.id",
        "langfuse.user.id",
        "langfuse.session.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "mlflow.trace.session",
        "gen_ai.request.user",
    ],
)
def test_an_id_that_is_personal_data_becomes_a_pseudonym(key: str) -> None:
    other = attributes_of({key: f"u-{SSN}", "note": SSN})
    assert re.fullmatch("u-<US_SSN:[0-9a-f]{6}>", other[key])
    assert other["note"] == "<US_SSN>"


def test_a_pseudonym_is_the_same_in_all_signals() -> None:
    span = redact(traces({"user.id": MAIL}, resource={"session.id": MAIL}))[0]
    log = redact(logs({"user_id": MAIL}, attributes={"enduser.id": MAIL}))[0]
    point = metrics({"calls": [1.0]})
    data = point.message.resource_metrics[0].scope_metrics[0].metrics[0].gauge  # type: ignore[union-attr]
    data.data_points[0].attributes.add(key="user.id").value.string_value = MAIL
    assert isinstance(log, LogRecord)
    assert isinstance(log.body, dict)
    found = {
        span.attributes["user.id"],
        span.resource.attributes["session.id"],
        log.body["user_id"],
        log.attributes["enduser.id"],
        redact(point)[0].attributes["user.id"],
    }
    assert len(found) == 1
    assert found != {"<EMAIL>"}


def test_an_attribute_is_dropped_where_the_treatment_wants_that() -> None:
    drop = treatment(actions={"EMAIL": "drop"})
    batch = traces({"a": f"to {MAIL}", "b": ["x", MAIL], "c": SSN, "d": 1}, name=MAIL)
    record = redact(batch, drop)[0]
    assert dict(record.attributes) == {"c": "<US_SSN>", "d": 1, "penstock.redaction.count": 4}
    assert record.pb.name == "<EMAIL>"


def test_a_dry_run_counts_and_changes_nothing() -> None:
    host = make_host("redaction")
    batch = traces(
        {"a": MAIL, "args": ["--to", MAIL], "list": ["-n", "+1", "415", "555", "0137"], f"k {MAIL}": 1},
        name=MAIL,
        resource={"r": MAIL},
    )
    span = span_of(batch)
    span.events.add(name="e").attributes.add(key="x").value.string_value = MAIL
    before = span.SerializeToString()
    record = redact(batch, treatment(dry_run=True), host=host)[0]
    assert record.attributes.pop("penstock.redaction.count") == 6
    batch.serialize()
    assert span.SerializeToString() == before
    counted = metric_value(host, "penstock_redaction_values_total", entity="EMAIL", action="dry_run", place="span")
    assert counted == 2.0


def test_policies_choose_by_signal_place_and_key() -> None:
    rules = [
        (Condition(signals=frozenset({"logs"})), treatment(["-EMAIL"])),
        (Condition(places=frozenset({"span.name"})), treatment([])),
        (Condition(key_patterns=(re.compile("^internal"),)), treatment(["IP_ADDRESS"])),
    ]
    text = f"{MAIL} at 203.0.113.42"
    span = redact(traces({"internal.note": text, "note": text}, name=text), treatment("default"), rules)[0]
    assert span.pb.name == text
    assert span.attributes["internal.note"] == f"{MAIL} at <IP_ADDRESS>"
    assert span.attributes["note"] == "<EMAIL> at 203.0.113.42"
    log = redact(logs(text), treatment("default"), rules)[0]
    assert isinstance(log, LogRecord)
    assert log.body == text


KEEP_USERS = [(Condition(roles=frozenset({"user"})), treatment([]))]


def test_policies_choose_by_the_role_of_a_message() -> None:
    messages = [
        {"role": "system", "parts": [{"type": "text", "content": f"ask {MAIL}"}]},
        {"role": "user", "parts": [{"type": "text", "content": f"I am {MAIL}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": {"mail": MAIL}}]},
    ]
    new = attributes_of({"gen_ai.input.messages": json.dumps(messages)}, None, KEEP_USERS)["gen_ai.input.messages"]
    assert json.loads(new) == [
        {"role": "system", "parts": [{"type": "text", "content": "ask <EMAIL>"}]},
        messages[1],
        {"role": "tool", "parts": [{"type": "tool_call_response", "response": {"mail": "<EMAIL>"}}]},
    ]


@pytest.mark.parametrize(
    ("kept", "redacted"),
    [
        (
            {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": MAIL},
            {"gen_ai.prompt.1.role": "system", "gen_ai.prompt.1.content": MAIL},
        ),
        (
            {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": MAIL},
            {
                "llm.input_messages.1.message.role": "tool",
                "llm.input_messages.1.message.contents.0.message_content.text": MAIL,
            },
        ),
        ({"gen_ai.prompt": MAIL}, {"gen_ai.completion": MAIL}),
        ({"input.value": MAIL}, {"output.value": MAIL}),
        ({}, {"gen_ai.system_instructions": MAIL}),
        ({}, {"gen_ai.tool.call.arguments": MAIL}),
    ],
)
def test_a_key_or_its_neighbour_tells_the_role(kept: dict[str, Any], redacted: dict[str, Any]) -> None:
    masked = {key: "<EMAIL>" if value == MAIL else value for key, value in redacted.items()}
    assert attributes_of(kept | redacted, None, KEEP_USERS) == kept | masked


def test_events_and_log_records_have_the_role_of_their_message() -> None:
    batch = traces({})
    for name in ("gen_ai.user.message", "gen_ai.assistant.message"):
        span_of(batch).events.add(name=name).attributes.add(key="content").value.string_value = MAIL
    span = redact(batch, None, KEEP_USERS)[0]
    assert isinstance(span, Span)
    assert [event.attributes["content"] for event in span.events] == [MAIL, "<EMAIL>"]
    bodies = []
    for role in ("user", "assistant"):
        record = redact(logs({"role": role, "content": MAIL}), None, KEEP_USERS)[0]
        assert isinstance(record, LogRecord)
        assert isinstance(record.body, dict)
        bodies.append(record.body["content"])
    assert bodies == [MAIL, "<EMAIL>"]


TOKEN = "Zk4\x71Wm9vTb2XhRs7LcNe5Jd8YpQf3A"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("db.password", "hunter2!"),
        ("user_password", "c0rrect-horse"),
        ("apiKey", TOKEN),
        ("x-api-key", TOKEN),
        ("client_secret", TOKEN),
        ("http.request.header.x-api-key", [TOKEN]),
        ("http.request.header.authorization", [f"Bearer {TOKEN}"]),
        ("http.request.header.authorization", "Basic amFuZTpodW50ZXIyaHVudGVy"),
        ("http.request.header.cookie", [f"theme=dark; sessionid={TOKEN}"]),
        ("http.response.header.set-cookie", [f"sessionid={TOKEN}; Path=/; HttpOnly"]),
        ("request", {"headers": {"x-api-key": TOKEN}}),
        ("request", {"auth": {"client_secret": TOKEN}}),
        ("process.command_args", ["psql", "--password", "hunter2!x"]),
        ("process.command_args", ["curl", "-u", "jane:hunter2!x", "https://shop.example.org"]),
        ("process.command_args", ["app", "--api-key", TOKEN, "--port", "80"]),
        ("url.full", "https://jane:hunter2!x@shop.example.org/a?b=1"),
        ("url.query", f"page=2&access_token={TOKEN}&sort=asc"),
        ("http.target", f"/v1/chat?api_key={TOKEN}"),
    ],
)
def test_secrets_under_keys_and_in_requests(key: str, value: Any) -> None:
    new = attributes_of({key: value}, treatment("default"))[key]
    kept = ("hunter2", "c0rrect", TOKEN, "amFuZTpodW50ZXIy")
    assert not any(part in repr(new) for part in kept)
    assert type(new) is type(value)
    assert "<REDACTED>" not in repr(new)


def test_the_neighbourhood_of_a_secret_stays_readable() -> None:
    url = f"https://jane:hunter2!x@shop.example.org/a?access_token={TOKEN}&sort=asc"
    new = attributes_of({"url.full": url}, treatment("default"))["url.full"]
    assert new.startswith("https://")
    assert new.endswith("&sort=asc")
    assert "@shop.example.org/a?access_token=<SECRET>" in new
