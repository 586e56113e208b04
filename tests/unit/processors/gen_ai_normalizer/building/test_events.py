"""Messages out of events: three encodings, one result, on the record that carries them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.signals import Batch, LogRecord, Span, Value
from pipeline.testing import START_NS, configured, logs, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer

CALL: dict[str, Value] = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
QUESTION = {"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "Hi."}], "finish_reason": "stop"}
Events = list[tuple[str, dict[str, Value]]]


def with_events(attributes: dict[str, Value], events: Events, scope: str = "test") -> Batch:
    batch = traces(attributes, scope=scope)
    (span,) = batch.records()
    assert isinstance(span, Span)
    for name, fields in events:
        span.add_event(name, START_NS, fields)
    batch.serialize()
    return batch


def span_of(attributes: dict[str, Value], events: Events, scope: str = "test", **config: Any) -> Span:
    batch = with_events(attributes, events, scope)
    (span,) = configured(GenAiNormalizer, **config).process(batch).records()
    assert isinstance(span, Span)
    return span


def log_of(body: Value, attributes: dict[str, Value], **config: Any) -> LogRecord:
    (record,) = configured(GenAiNormalizer, **config).process(logs(body, attributes=attributes)).records()
    assert isinstance(record, LogRecord)
    return record


def said(record: Span | LogRecord, target: str) -> Any:
    return json.loads(str(record.attributes[f"gen_ai.{target}"]))


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param(
            ("gen_ai.user.message", {"content": "Hello?"}),
            ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": '{"role":"assistant","content":"Hi."}'}),
            id="fields, choice as JSON",
        ),
        pytest.param(
            ("gen_ai.user.message", {"content": '[{"text": "Hello?"}]'}),
            ("gen_ai.choice", {"finish_reason": "end_turn", "message": '[{"text": "Hi."}]'}),
            id="blocks of Bedrock as JSON (Strands)",
        ),
        pytest.param(
            ("gen_ai.user.message", {"gen_ai.event.content": '{"content":"Hello?","role":"user"}'}),
            (
                "gen_ai.choice",
                {"gen_ai.event.content": '{"index":0,"finish_reason":"stop","message":{"content":"Hi."}}'},
            ),
            id="all in one attribute (Azure Agents, Semantic Kernel .NET)",
        ),
        pytest.param(
            ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role":"user","content":"Hello?"}]'}),
            (
                "gen_ai.content.completion",
                {"gen_ai.completion": '[{"role":"assistant","content":"Hi.","finish_reason":"stop"}]'},
            ),
            id="conventions until 1.27",
        ),
        pytest.param(
            (
                "gen_ai.client.inference.operation.details",
                {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"Hello?"}]}]'},
            ),
            (
                "gen_ai.client.inference.operation.details",
                {
                    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Hi."}],'
                    '"finish_reason":"stop"}]'
                },
            ),
            id="details of a call, in two events (Strands)",
        ),
        pytest.param(
            (
                "gen_ai.input.messages",
                {"gen_ai.event.content": '[{"role":"user","parts":[{"type":"text","content":"Hello?"}]}]'},
            ),
            (
                "gen_ai.output.messages",
                {
                    "gen_ai.event.content": '[{"role":"assistant","parts":[{"type":"text","content":"Hi."}],'
                    '"finish_reason":"stop"}]'
                },
            ),
            id="events named as the attributes (Azure AI Projects)",
        ),
    ],
)
def test_span_events_become_messages_of_the_span(question: Any, answer: Any) -> None:
    span = span_of(CALL, [question, answer])
    assert said(span, "input.messages") == [QUESTION]
    assert said(span, "output.messages") == [ANSWER]
    assert span.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert len(span.events) == 2


def test_events_keep_their_order_and_roles() -> None:
    span = span_of(
        CALL,
        [
            ("gen_ai.system.message", {"content": "Be brief."}),
            ("gen_ai.user.message", {"content": "Hello?"}),
            (
                "gen_ai.assistant.message",
                {"tool_calls": '[{"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}]'},
            ),
            ("gen_ai.tool.message", {"content": "noon", "id": "c1"}),
        ],
    )
    messages = said(span, "input.messages")
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]
    assert messages[2]["parts"] == [{"type": "tool_call", "id": "c1", "name": "now", "arguments": {}}]
    assert messages[3]["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "noon"}]


def test_lists_among_messages_do_not_hide_that_they_are_messages() -> None:
    said = [
        {"role": "user", "content": "Hello?"},
        [{"id": "", "type": ""}],
        {"role": "user", "content": "Still there?"},
    ]
    span = span_of(CALL, [("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(said)})])
    found = json.loads(str(span.attributes["gen_ai.input.messages"]))
    texts = [part.get("content") for message in found for part in message["parts"]]
    assert [text for text in texts if text] == ["Hello?", "Still there?"]
    assert {message["role"] for message in found} == {"user"}


def test_instructions_that_an_api_takes_apart_are_instructions() -> None:
    events: Events = [("gen_ai.system.message", {"content": "Be brief."})]
    apart = span_of({**CALL, "gen_ai.system": "aws.bedrock"}, events)
    assert said(apart, "system_instructions") == [{"type": "text", "content": "Be brief."}]
    assert "gen_ai.input.messages" not in apart.attributes
    assert said(span_of(CALL, events), "input.messages")[0]["role"] == "system"


def test_attributes_are_not_doubled_by_events() -> None:
    own = '[{"role":"user","parts":[{"type":"text","content":"From the attribute"}]}]'
    span = span_of({**CALL, "gen_ai.input.messages": own}, [("gen_ai.user.message", {"content": "From the event"})])
    assert span.attributes["gen_ai.input.messages"] == own


def test_the_events_of_a_tool_are_no_messages() -> None:
    span = span_of({"gen_ai.operation.name": "execute_tool"}, [("gen_ai.tool.message", {"content": "{}"})])
    assert "gen_ai.input.messages" not in span.attributes


def test_an_event_without_content_says_only_why_the_answer_ended() -> None:
    span = span_of(CALL, [("gen_ai.user.message", {}), ("gen_ai.choice", {"finish_reason": "stop", "message": "{}"})])
    assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & span.attributes.keys()
    assert span.attributes["gen_ai.response.finish_reasons"] == ["stop"]


def test_a_span_with_nothing_but_events_is_recognised() -> None:
    span = span_of({}, [("gen_ai.user.message", {"content": "Hello?"})])
    assert span.attributes["penstock.dialect"] == "opentelemetry"


def test_other_facts_of_a_call_in_an_event_are_taken_too() -> None:
    fields: dict[str, Value] = {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "7"}
    span = span_of(CALL, [("gen_ai.client.inference.operation.details", fields)])
    assert span.attributes["gen_ai.request.model"] == "gpt-4o"
    assert span.attributes["gen_ai.usage.input_tokens"] == 7


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        pytest.param({"content": "Hello?", "role": "user"}, {"event.name": "gen_ai.user.message"}, id="map"),
        pytest.param('{"role": "user", "content": "Hello?"}', {"event.name": "gen_ai.user.message"}, id="JSON text"),
        pytest.param("Hello?", {"event.name": "gen_ai.prompt"}, id="text (Semantic Kernel)"),
        pytest.param(None, {"event.name": "gen_ai.user.message", "content": "Hello?"}, id="attributes"),
        pytest.param(
            {"role": "user", "content": "Hello?"},
            {"event_name": "gen_ai.content.prompt", "gen_ai.prompt": "Hello?"},
            id="LiteLLM",
        ),
        pytest.param(
            {"gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]},
            {"event.name": "gen_ai.client.inference.operation.details"},
            id="details in a map",
        ),
        pytest.param(
            None,
            {
                "event.name": "gen_ai.client.inference.operation.details",
                "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}],
            },
            id="details in structured attributes",
        ),
    ],
)
def test_log_records_carry_their_message(body: Value, attributes: dict[str, Value]) -> None:
    record = log_of(body, attributes)
    assert said(record, "input.messages") == [QUESTION]
    assert record.body == body


def test_the_name_of_a_log_record_is_the_name_of_its_event() -> None:
    batch = logs({"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi."}})
    (record,) = batch.records()
    assert isinstance(record, LogRecord)
    record.event_name = "gen_ai.choice"
    configured(GenAiNormalizer).process(batch)
    assert said(record, "output.messages") == [ANSWER]
    assert record.attributes["gen_ai.response.finish_reasons"] == ["stop"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('Chat Model Completion:\n["Hi.", "Bye."]', ["Hi.", "Bye."]),
        ('Chat Model Completion:\n["He said "hi"\nand left."]', ['He said "hi"\nand left.']),
        ("Chat Model Completion:\n[]", []),
    ],
)
def test_records_of_loggers_that_write_nothing_else_are_events(text: str, parts: list[str]) -> None:
    batch = logs(text)
    (record,) = batch.records()
    assert isinstance(record, LogRecord)
    record.scope.name = "org.springframework.ai.chat.observation.ChatModelCompletionObservationHandler"
    configured(GenAiNormalizer).process(batch)
    found = json.loads(str(record.attributes.get("gen_ai.output.messages", "[]")))
    assert [part["content"] for message in found for part in message["parts"]] == parts
    assert {message["role"] for message in found} <= {"assistant"}


def test_fields_of_a_body_are_read_as_attributes_are() -> None:
    record = log_of({"gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 5}, {})
    assert record.attributes["gen_ai.request.model"] == "gpt-4o"
    assert record.attributes["gen_ai.usage.input_tokens"] == 5


@pytest.mark.parametrize("body", ["an order was paid", {"order": 7, "state": "paid"}, ["a"], None, 7])
def test_log_records_about_other_things_are_not_touched(body: Value) -> None:
    batch = logs(body, attributes={"event.name": "order.paid"})
    before = batch.serialize()
    assert configured(GenAiNormalizer).process(batch).serialize() == before


@pytest.mark.parametrize(("body", "unmapped"), [([None], 1), ({"role": "user"}, 0), ({}, 0)])
def test_what_no_one_knows_stays_and_is_counted(body: Value, unmapped: int) -> None:
    host = make_host("gen_ai_normalizer")
    batch = logs(body, attributes={"event.name": "gen_ai.user.message"})
    (record,) = configured(GenAiNormalizer, host).process(batch).records()
    assert isinstance(record, LogRecord)
    assert record.body == body
    assert metric_value(host, "penstock_normalizer_unmapped_total", dialect="opentelemetry") == unmapped


def test_drop_removes_events_whose_content_was_rebuilt() -> None:
    span = span_of(
        CALL,
        [
            ("gen_ai.user.message", {"content": "Hello?"}),
            ("exception", {"exception.message": "no"}),
            ("gen_ai.choice", {"message": "Hi.", "tool.result": "kept: nobody read it"}),
        ],
        originals="drop",
    )
    assert [(event.name, dict(event.attributes)) for event in span.events] == [
        ("exception", {"exception.message": "no"}),
        ("gen_ai.choice", {"tool.result": "kept: nobody read it"}),
    ]


def test_move_renames_the_attributes_of_events() -> None:
    span = span_of(CALL, [("gen_ai.user.message", {"content": "Hello?"})], originals="move")
    (event,) = span.events
    assert event.attributes == {"penstock.original.content": "Hello?"}


@pytest.mark.parametrize(("originals", "body"), [("keep", {"content": "Hello?"}), ("drop", None), ("move", None)])
def test_originals_of_log_records(originals: str, body: Value) -> None:
    record = log_of({"content": "Hello?"}, {"event.name": "gen_ai.user.message"}, originals=originals)
    assert record.body == body
    assert record.attributes.get("penstock.original.body") == ({"content": "Hello?"} if originals == "move" else None)


def test_events_that_filled_nothing_are_not_dropped() -> None:
    own = '[{"role":"user","parts":[{"type":"text","content":"x"}]}]'
    span = span_of(
        {**CALL, "gen_ai.input.messages": own}, [("gen_ai.user.message", {"content": "y"})], originals="drop"
    )
    assert [event.name for event in span.events] == ["gen_ai.user.message"]


@pytest.mark.parametrize("originals", ["keep", "drop", "move"])
def test_a_second_pass_changes_nothing(originals: str) -> None:
    events: Events = [("gen_ai.user.message", {"content": "Hello?"}), ("gen_ai.choice", {"message": "Hi."})]
    processor = configured(GenAiNormalizer, originals=originals)
    once = processor.process(with_events(CALL, events)).serialize()
    again = Batch.of_message(traces().signal.request_class.FromString(once), traces().signal)
    assert processor.process(again).serialize() == once


def test_calls_beside_the_message_of_a_choice() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    body: Any = {"index": 0, "finish_reason": "tool_calls", "message": {"content": None}, "tool_calls": [call]}
    (record,) = configured(GenAiNormalizer).process(logs(body, attributes={"event.name": "gen_ai.choice"})).records()
    (message,) = json.loads(dict(record.attributes)["gen_ai.output.messages"])
    part = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}
    assert message == {"role": "assistant", "parts": [part], "finish_reason": "tool_call"}
