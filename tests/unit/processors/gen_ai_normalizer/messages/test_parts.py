"""Content of every API as parts."""

from __future__ import annotations

from typing import Any

import pytest

from processors.gen_ai_normalizer.messages.parts import content_parts
from processors.gen_ai_normalizer.messages.tools import tool_call_part, tool_response_part

PIXEL = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("item", "part"),
    [
        ({"type": "text", "text": "Hi"}, {"type": "text", "content": "Hi"}),
        ({"type": "input_text", "text": "Hi"}, {"type": "text", "content": "Hi"}),
        ({"text": "Hi"}, {"type": "text", "content": "Hi"}),
        ({"text": "Hm", "thought": True}, {"type": "reasoning", "content": "Hm"}),
        (
            {"type": "thinking", "thinking": "Hm", "signature": "x"},
            {"type": "reasoning", "content": "Hm", "signature": "x"},
        ),
        (
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
            {"type": "reasoning", "content": "Hm"},
        ),
        ({"reasoningContent": {"reasoningText": {"text": "Hm"}}}, {"type": "reasoning", "content": "Hm"}),
        (
            {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            {"type": "tool_call", "id": "t1", "name": "add", "arguments": {"a": 1}},
        ),
        (
            {"type": "tool-call", "toolCallId": "t1", "toolName": "add", "args": {"a": 1}},
            {"type": "tool_call", "id": "t1", "name": "add", "arguments": {"a": 1}},
        ),
        (
            {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1}}},
            {"type": "tool_call", "id": "t1", "name": "add", "arguments": {"a": 1}},
        ),
        (
            {"functionCall": {"name": "add", "args": {"a": 1}}},
            {"type": "tool_call", "name": "add", "arguments": {"a": 1}},
        ),
        (
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "2"}]},
            {"type": "tool_call_response", "id": "t1", "response": "2"},
        ),
        (
            {"toolResult": {"toolUseId": "t1", "content": [{"text": "2"}]}},
            {"type": "tool_call_response", "id": "t1", "response": "2"},
        ),
        (
            {"functionResponse": {"name": "add", "response": {"sum": 2}}},
            {"type": "tool_call_response", "response": {"sum": 2}, "name": "add"},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
        ),
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL},
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL},
        ),
        (
            {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL},
        ),
        ({"type": "file", "file": {"file_id": "f1"}}, {"type": "file", "modality": "document", "file_id": "f1"}),
        ({"type": "no one knows", "x": 1}, {"type": "no one knows", "x": 1}),
        ({"x": 1}, {"type": "unknown", "x": 1}),
    ],
)
def test_items_become_parts(item: dict[str, Any], part: dict[str, Any]) -> None:
    (found,) = content_parts([item])
    assert found == part
    assert content_parts([found]) == [part], "a part stays what it is"


def test_text_is_one_part() -> None:
    assert content_parts("Hi") == [{"type": "text", "content": "Hi"}]
    assert content_parts("") == content_parts(None) == []


def test_json_inside_text_is_content_only_where_a_library_does_that() -> None:
    text = '[{"type": "text", "text": "Hi"}]'
    assert content_parts(text) == [{"type": "text", "content": text}]
    assert content_parts(text, nested_json=True) == [{"type": "text", "content": "Hi"}]
    assert content_parts('[{"sku": 1}]', nested_json=True) == [{"type": "text", "content": '[{"sku": 1}]'}]


def test_arguments_are_parsed_and_kept_as_text_where_they_are_no_json() -> None:
    call = {"id": "1", "function": {"name": "add", "arguments": '{"a": 1}'}}
    assert tool_call_part(call)["arguments"] == {"a": 1}
    assert tool_call_part({"name": "add", "arguments": "{broken"})["arguments"] == "{broken"


def test_an_answer_keeps_its_structure() -> None:
    assert tool_response_part({"tool_call_id": "1", "content": "2"})["response"] == "2"
    assert tool_response_part({"id": "1", "output": {"a": [1]}})["response"] == {"a": [1]}
