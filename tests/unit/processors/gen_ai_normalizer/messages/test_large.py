"""Messages of very many pieces, and nested very deep: read like small ones, in time that grows with them.

No clock is asked: what took the square of the time would not be done before the tests' own limit.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.testing import configured, make_host, metric_value, traces
from processors.gen_ai_normalizer import GenAiNormalizer
from processors.gen_ai_normalizer.messages.reading import read_text
from processors.gen_ai_normalizer.messages.shapes import to_conversation, to_messages
from processors.gen_ai_normalizer.reading.documents import differ
from processors.gen_ai_normalizer.reading.json_text import dump

_MANY = 20_000
_LONG = "a" * 1_500_000


def _parts(value: Any) -> list[dict[str, Any]]:
    (message,) = to_messages(value, "assistant")
    parts: list[dict[str, Any]] = message["parts"]
    return parts


def _chunks(deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"choices": [{"delta": delta}]} for delta in deltas]


def test_a_long_answer_of_many_chunks() -> None:
    chunks = _chunks([{"content": _LONG}] + [{"content": "b"}] * _MANY)
    assert _parts(chunks) == [{"type": "text", "content": _LONG + "b" * _MANY}]


def test_a_call_whose_arguments_come_in_many_pieces() -> None:
    first = {"tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": f'{{"a":"{_LONG}'}}]}
    more = {"tool_calls": [{"index": 0, "function": {"arguments": "b"}}]}
    last = {"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}
    (part,) = _parts(_chunks([first, *[more] * _MANY, last]))
    assert part == {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": _LONG + "b" * _MANY}}


def test_many_calls_in_chunks() -> None:
    calls = [{"tool_calls": [{"index": i, "id": str(i), "function": {"name": "f"}}]} for i in range(_MANY)]
    assert [part["id"] for part in _parts(_chunks(calls))] == [str(i) for i in range(_MANY)]


def test_a_long_block_of_many_deltas() -> None:
    begin = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": _LONG}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}}
    assert _parts([begin, *[delta] * _MANY]) == [{"type": "text", "content": _LONG + "b" * _MANY}]


def test_a_long_answer_of_langchain_in_many_chunks() -> None:
    chunks = [{"type": "AIMessageChunk", "content": text} for text in (_LONG, *"b" * _MANY)]
    assert _parts(chunks) == [{"type": "text", "content": _LONG + "b" * _MANY}]


def test_many_items_of_a_response() -> None:
    items = [{"type": "function_call", "call_id": str(i), "name": "f", "arguments": "{}"} for i in range(_MANY)]
    assert [part["id"] for part in _parts({"output": items})] == [str(i) for i in range(_MANY)]


def test_items_of_a_response_are_not_added_to_what_was_read() -> None:
    begun = {"type": "message", "role": "assistant", "parts": [{"type": "text", "content": "a"}]}
    items = [begun, {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}]
    assert len(_parts(items)) == 2
    assert len(begun["parts"]) == 1


def test_many_calls_beside_the_content_and_in_it() -> None:
    inside = [{"type": "tool_use", "id": f"{i}", "name": "f", "input": {}} for i in range(_MANY)]
    beside = [{"id": f"{i}", "function": {"name": "f", "arguments": "{}"}} for i in range(10, _MANY + 10)]
    parts = _parts([{"role": "assistant", "content": inside, "tool_calls": beside}])
    assert [part["id"] for part in parts] == [str(i) for i in range(_MANY + 10)]


def test_many_instructions_in_two_places() -> None:
    said = [{"type": "text", "text": str(i)} for i in range(_MANY)]
    request = {"messages": [{"role": "user", "content": "x"}], "system": said, "instructions": said[:5]}
    assert len(to_conversation(request).instructions) == _MANY


@pytest.mark.parametrize("tail", [" " * 60_000, "'" + "\\'" * 30_000, " " * 30_000 + "a" * 30_000])
def test_what_only_begins_like_a_printed_object_is_text(tail: str) -> None:
    assert read_text(f"text='x'{tail}x") == f"text='x'{tail}x"


def test_fields_of_a_printed_object_may_stand_far_apart() -> None:
    assert read_text("role='user'" + " " * 500 + "content='a b=1'") == {"role": "user", "content": "a b=1"}


@pytest.mark.parametrize("kind", [[], {}, 1, None])
def test_kinds_that_are_no_words(kind: Any) -> None:
    for key in ("type", "kind"):
        for entry in ({key: kind}, {key: kind, "parts": []}, {key: kind, "role": kind, "content": "x"}):
            to_messages([entry])
            to_messages(entry)


def _deep(depth: int) -> str:
    return '{"a":[' * (depth // 2) + '"x\\""' + "]}" * (depth // 2)


@pytest.mark.parametrize("depth", [10, 300, 900, 1000, 1020])
def test_structures_of_any_depth_are_written(depth: int) -> None:
    text = _deep(depth)
    assert dump(read_text(text)) == text
    assert not differ(read_text(_deep(10)), read_text(_deep(10)))
    assert differ(read_text(_deep(10)), read_text(_deep(12)))


@pytest.mark.parametrize("depth", [300, 900, 1000, 1012])
def test_a_record_with_deep_structures_is_worked_on(depth: int) -> None:
    deep = json.dumps([{"role": "user", "content": [{"type": "reasoning", "summary": 1}]}])
    listed = deep.replace("1", "[" * (depth - 4) + '"x"' + "]" * (depth - 4))
    tools = '[{"type":"function","function":{"name":"f","parameters":' + _deep(depth - 4) + "}}]"
    record = {"gen_ai.input.messages": listed, "gen_ai.tool.definitions": tools, "gen_ai.operation.name": "chat"}
    flat = {"openinference.span.kind": "LLM", "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f"}
    flat |= {"llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": _deep(depth)}
    host = make_host("gen_ai_normalizer")
    (span,) = configured(GenAiNormalizer, host).process(traces(record | flat)).records()
    assert metric_value(host, "penstock_normalizer_failures_total", dialect="unknown") == 0
    assert "x" in str(span.attributes["gen_ai.input.messages"])
    assert str(span.attributes["gen_ai.tool.definitions"]).startswith('[{"type":"function","name":"f","parameters":{')
    assert _deep(depth) in str(span.attributes["gen_ai.output.messages"])
