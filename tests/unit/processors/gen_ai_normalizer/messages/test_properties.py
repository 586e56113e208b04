"""Whatever a conversation looks like: nothing is lost, nothing is made up, and what comes out follows the schema."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.gen_ai_normalizer.messages.flattened import FlattenedMessages
from processors.gen_ai_normalizer.messages.parts import content_parts
from processors.gen_ai_normalizer.messages.shapes import to_conversation, to_messages
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.messages.words import ENVELOPES, KIND_KEYS, KINDS, KINDS_BY_KEY
from tests.unit.processors.gen_ai_normalizer.messages.schema import check_messages, check_parts

WORDS = st.integers(0, 10**9).map(lambda number: f"w{number:09d}")
"""Texts that are found again wherever they are."""
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b"]), WORDS, min_size=1)


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


def typed(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return record(type=st.just(kind), **fields)


ITEMS = st.one_of(
    typed("text", text=WORDS),
    typed("input_text", text=WORDS),
    typed("output_text", text=WORDS, annotations=st.lists(typed("url_citation", url=WORDS, title=WORDS), max_size=1)),
    typed("refusal", refusal=WORDS),
    typed("thinking", thinking=WORDS, signature=WORDS),
    typed("redacted_thinking", data=WORDS),
    typed("reasoning", id=WORDS, summary=st.lists(typed("summary_text", text=WORDS), max_size=2)),
    typed("image_url", image_url=record(url=WORDS.map("https://a.example/{}".format), detail=WORDS)),
    typed("image_url", image_url=WORDS.map("data:image/png;base64,{}".format)),
    typed("input_audio", input_audio=record(data=WORDS, format=st.just("wav"))),
    typed("file", file=record(file_id=WORDS, filename=WORDS)),
    typed("file", data=WORDS, mediaType=st.just("application/pdf"), filename=WORDS),
    typed("image", source=typed("base64", media_type=st.just("image/png"), data=WORDS)),
    typed("document", title=WORDS, source=typed("text", media_type=st.just("text/plain"), data=WORDS)),
    typed("document", source=typed("content", content=st.lists(typed("text", text=WORDS)))),
    typed("tool_use", id=WORDS, name=WORDS, input=ARGUMENTS),
    typed("tool_result", tool_use_id=WORDS, content=st.lists(typed("text", text=WORDS)), is_error=st.booleans()),
    typed("server_tool_use", id=WORDS, name=WORDS, input=ARGUMENTS),
    typed("web_search_tool_result", tool_use_id=WORDS, content=st.lists(typed("web_search_result", url=WORDS))),
    typed("mcp_tool_use", id=WORDS, name=WORDS, server_name=WORDS, input=ARGUMENTS),
    typed("tool-call", toolCallId=WORDS, toolName=WORDS, input=ARGUMENTS),
    typed("tool-result", toolCallId=WORDS, toolName=WORDS, output=typed("json", value=ARGUMENTS)),
    typed("tool-weather", toolCallId=WORDS, state=st.just("output-available"), input=ARGUMENTS, output=WORDS),
    typed("function_call", call_id=WORDS, id=WORDS, name=WORDS, arguments=ARGUMENTS.map(json.dumps)),
    typed("web_search_call", id=WORDS, action=record(query=WORDS)),
    typed("code_interpreter_call", id=WORDS, code=WORDS, outputs=st.lists(typed("logs", logs=WORDS))),
    typed("mcp_call", id=WORDS, name=WORDS, server_label=WORDS, arguments=WORDS, output=WORDS),
    typed("no one knows", x=WORDS, y=record(z=WORDS)),
    record(text=WORDS),
    record(toolUse=record(toolUseId=WORDS, name=WORDS, input=ARGUMENTS)),
    record(toolResult=record(toolUseId=WORDS, content=st.lists(record(text=WORDS)), status=WORDS)),
    record(reasoningContent=record(reasoningText=record(text=WORDS, signature=WORDS))),
    record(image=record(format=st.just("png"), source=record(bytes=WORDS))),
    record(document=record(format=st.just("pdf"), name=WORDS, source=record(bytes=WORDS))),
    record(functionCall=record(name=WORDS, args=ARGUMENTS), thoughtSignature=WORDS),
    record(functionResponse=record(name=WORDS, response=ARGUMENTS)),
    record(inlineData=record(mimeType=st.just("image/png"), data=WORDS)),
    record(fileData=record(fileUri=WORDS.map("gs://{}".format), mimeType=st.just("video/mp4"))),
    record(executableCode=record(language=WORDS, code=WORDS)),
    record(codeExecutionResult=record(outcome=WORDS, output=WORDS)),
    record(tool_call=record(tool_name=WORDS, arguments=ARGUMENTS, id=WORDS)),
    record(nobody_knows=WORDS),
    WORDS,
)
ROLES = st.sampled_from(["user", "assistant", "system", "human", "ai", "model", "developer", "tool", "helper"])
CALLS = st.lists(
    record(id=WORDS, type=st.just("function"), function=record(name=WORDS, arguments=ARGUMENTS.map(json.dumps))),
    min_size=1,
    max_size=2,
)
MESSAGES = st.one_of(
    record(role=ROLES, content=WORDS),
    record(role=ROLES, content=st.lists(ITEMS, max_size=3)),
    record(role=ROLES, parts=st.lists(ITEMS, max_size=3)),
    record(role=st.just("assistant"), content=WORDS, tool_calls=CALLS, reasoning_content=WORDS, refusal=WORDS),
    record(role=st.just("tool"), tool_call_id=WORDS, name=WORDS, content=WORDS),
    record(role=st.just("user"), content=WORDS, something_else=WORDS, more=record(x=WORDS)),
    record(kwargs=record(content=WORDS), id=st.just(["langchain", "schema", "HumanMessage"]), lc=st.just(1)),
)
CONVERSATIONS = st.one_of(
    st.lists(MESSAGES, max_size=4),
    record(messages=st.lists(MESSAGES, max_size=4), system=WORDS),
    record(messages=st.tuples(st.lists(MESSAGES, min_size=1, max_size=3)).map(list)),
    record(contents=st.lists(MESSAGES, max_size=4)),
    record(choices=st.lists(record(message=MESSAGES, finish_reason=st.just("stop")), max_size=2)),
    record(input=st.lists(MESSAGES, max_size=4), instructions=WORDS),
)
STREAM_KEYS = ("content_block", "index", "id", "function", "finish_reason", "partial_json")
STREAM_WORDS = ("content_block_start", "content_block_delta", "response.completed", "text_delta", "AIMessageChunk")
KEYS = st.sampled_from(
    sorted(
        {
            "role",
            "content",
            "name",
            "x",
            *KIND_KEYS,
            *KINDS_BY_KEY,
            *ENVELOPES,
            *STREAM_KEYS,
            "kwargs",
            "system",
            "tool_calls",
        }
    )
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from([*sorted(KINDS), *STREAM_WORDS])
    | ROLES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def words(value: Any) -> set[str]:
    """The texts of `WORDS` anywhere in a value."""
    if isinstance(value, dict):
        return {word for entry in value.values() for word in words(entry)}
    if isinstance(value, list):
        return {word for entry in value for word in words(entry)}
    text = str(value)
    return {text[at : at + 10] for at in range(len(text)) if text[at] == "w" and text[at + 1 : at + 10].isdigit()}


@given(CONVERSATIONS)
@settings(max_examples=400)
def test_nothing_of_a_conversation_is_lost_or_made_up(value: Any) -> None:
    found = to_conversation(value)
    said = words(found.messages) | words(found.instructions)
    assert said <= words(value)
    assert words(value) <= said or not found.messages
    check_messages(found.messages)
    check_parts(found.instructions)


@given(st.lists(ITEMS, max_size=4))
@settings(max_examples=400)
def test_nothing_of_the_content_is_lost_and_parts_stay_what_they_are(items: list[Any]) -> None:
    parts = content_parts(items)
    assert words(parts) == words(items)
    check_parts(parts)
    assert content_parts(parts) == parts


@given(ANYTHING)
@settings(max_examples=400)
def test_anything_can_be_read(value: Any) -> None:
    messages, instructions = to_conversation(value)
    check_messages(messages)
    check_parts(instructions)
    assert all("finish_reason" not in message for message in messages) or "reason" in json.dumps(value)


@given(CONVERSATIONS)
def test_messages_in_the_schema_stay_as_they_are(value: Any) -> None:
    messages = to_messages(value)
    assert to_messages(messages) == messages


@given(st.lists(st.one_of(MESSAGES, record(content=WORDS)), min_size=1, max_size=3), st.booleans())
def test_flattened_keys_say_what_the_messages_say(messages: list[Any], nested_json: bool) -> None:
    flat = dict(flattened("p", messages))
    keys = FlatKeys.under("p.", flat, unwrap=False)
    found = FlattenedMessages(keys, "user", nested_json=nested_json).read(flat)
    check_messages(found)
    assert words(found) <= words(messages)
    if all(message.keys() & {"role"} for message in messages):
        assert words(found) == words(messages)


def flattened(prefix: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flattened(f"{prefix}.{key}", entry)
    else:
        yield prefix, value
