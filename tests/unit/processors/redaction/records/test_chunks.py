"""Texts that go on from event to event."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pipeline.signals import Span, Value
from pipeline.signals.values import set_any_value
from pipeline.testing import make_host, metric_value, traces
from processors.redaction.records.chunks import streams_of
from tests.unit.processors.redaction.stage import redact, treatment

MAIL = "jane.sample@example.com"
SPLIT = ["Write to ja", "ne.sam", "ple@exa", "mple.com or", " not"]
JOINED = ["Write to <EMAIL>", "", "", " or", " not"]


def span_with(events: Sequence[tuple[str, dict[str, Value]]], times: Sequence[int] = ()) -> Any:
    batch = traces({})
    span = batch.message.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]  # a traces batch
    for index, (name, attributes) in enumerate(events):
        event = span.events.add(name=name, time_unix_nano=times[index] if times else 1000 + index)
        for key, value in attributes.items():
            set_any_value(event.attributes.add(key=key).value, value)
    return batch


def redacted(batch: Any, key: str, *args: Any, **kwargs: Any) -> list[Any]:
    span = redact(batch, *args, **kwargs)[0]
    assert isinstance(span, Span)
    return [event.attributes[key] for event in span.events]


def openai(piece: str, index: int = 0) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"delta": {"content": piece}, "index": index}], "created": 1795268672}


SHAPES: dict[str, Callable[[str], dict[str, Any]]] = {
    "OpenAI": openai,
    "Responses": lambda piece: {"type": "response.output_text.delta", "delta": piece, "output_index": 0},
    "Anthropic": lambda piece: {"type": "content_block_delta", "index": 0, "delta": {"text": piece}},
    "tool arguments": lambda piece: {
        "choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]
    },
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["mlflow.chunk.item.{}", "gen_ai.content.completion.chunk"])
def test_chunks_that_are_json(shape: str, name: str) -> None:
    make = SHAPES[shape]
    chunks = [json.dumps(make(piece)) for piece in SPLIT]
    batch = span_with([(name.format(index), {"value": chunk}) for index, chunk in enumerate(chunks)])
    assert redacted(batch, "value") == [json.dumps(make(piece)) for piece in JOINED]


def test_chunks_that_are_maps() -> None:
    batch = span_with([("chunk", {"value": openai(piece)}) for piece in SPLIT])
    assert redacted(batch, "value") == [openai(piece) for piece in JOINED]


def test_server_sent_chunks_keep_their_form() -> None:
    form = "data: {}\n\n"
    batch = span_with([("chunk", {"v": form.format(json.dumps(openai(piece)))}) for piece in SPLIT])
    assert redacted(batch, "v") == [form.format(json.dumps(openai(piece))) for piece in JOINED]


def test_texts_of_two_choices_are_not_mixed() -> None:
    events: list[tuple[str, dict[str, Value]]] = []
    for piece in SPLIT:
        events += [("chunk", {"v": json.dumps(openai(piece, index))}) for index in (0, 1)]
    new = [json.loads(text)["choices"][0]["delta"]["content"] for text in redacted(span_with(events), "v")]
    assert new[::2] == JOINED
    assert new[1::2] == JOINED


def test_a_value_in_one_chunk_that_is_json_beside_a_split_one() -> None:
    pieces = [*SPLIT, f" {MAIL}"]
    chunks = [json.dumps({"user": MAIL, "delta": piece}) for piece in pieces]
    batch = span_with([("chunk", {"v": chunk}) for chunk in chunks])
    new = [json.loads(text) for text in redacted(batch, "v")]
    assert [chunk["delta"] for chunk in new] == [*JOINED, " <EMAIL>"]
    assert {chunk["user"] for chunk in new} == {"<EMAIL>"}


def test_events_out_of_order_are_read_by_their_time() -> None:
    order = [3, 0, 4, 1, 2]
    batch = span_with([("chunk", {"content": SPLIT[index]}) for index in order], times=[1000 + i for i in order])
    assert redacted(batch, "content") == [JOINED[index] for index in order]


def test_other_attributes_of_chunks_stay() -> None:
    batch = span_with([("chunk", {"content": piece, "role": "assistant", "n": 1}) for piece in SPLIT])
    span = redact(batch)[0]
    assert isinstance(span, Span)
    assert [dict(event.attributes) for event in span.events] == [
        {"content": piece, "role": "assistant", "n": 1} for piece in JOINED
    ]


def test_events_that_are_no_chunks_are_not_joined() -> None:
    batch = span_with([("gen_ai.user.message", {"content": piece}) for piece in SPLIT])
    assert redacted(batch, "content") == SPLIT


def test_a_split_value_counts_once() -> None:
    host = make_host("redaction")
    batch = span_with([("chunk", {"content": piece}) for piece in [*SPLIT, f" and {MAIL}"]])
    redacted(batch, "content", host=host)
    assert metric_value(host, "penstock_redaction_values_total", entity="EMAIL", action="mask", place="event") == 2.0
    assert batch.records()[0].attributes["penstock.redaction.count"] == 2


def test_a_dry_run_counts_split_values_once() -> None:
    batch = span_with([("chunk", {"content": piece}) for piece in [*SPLIT, f" and {MAIL}"]])
    assert redacted(batch, "content", treatment(dry_run=True)) == [*SPLIT, f" and {MAIL}"]
    assert batch.records()[0].attributes["penstock.redaction.count"] == 2


def test_clean_chunks_keep_their_bytes() -> None:
    batch = span_with([("chunk", {"v": json.dumps(openai(piece), indent=1)}) for piece in ("a", "b")])
    before = batch.serialize()
    redact(batch)
    assert batch.serialize() is before


def test_streams_are_told_by_name_attribute_and_place() -> None:
    chunks: list[tuple[str, dict[str, Value]]] = [
        ("a.chunk.0", {"text": "x", "v": '{"delta": "1", "id": "m"}'}),
        ("a.chunk.1", {"text": "y", "v": '{"delta": "2", "id": "m"}'}),
        ("b.chunk", {"text": "z"}),
    ]
    span = span_with(chunks).records()[0]
    assert isinstance(span, Span)
    assert sorted((stream.key, stream.pieces) for stream in streams_of(span)) == [
        ("text", ["x", "y"]),
        ("v", ["1", "2"]),
    ]


WRITINGS: dict[str, Callable[[str], Value]] = {
    "event and data": lambda piece: f"event: delta\ndata: {json.dumps({'delta': {'text': piece}})}\n\n",
    "carriage returns": lambda piece: f"event: delta\r\ndata: {json.dumps({'delta': {'text': piece}})}\r\n\r\n",
    "with a comment": lambda piece: f": ping\nid: 7\ndata: {json.dumps({'delta': {'text': piece}})}\n\n",
    "bytes": lambda piece: piece.encode(),
    "bytes of JSON": lambda piece: json.dumps(openai(piece)).encode(),
    "array": lambda piece: [piece],
}


@pytest.mark.parametrize("name", WRITINGS)
def test_chunks_however_they_are_written(name: str) -> None:
    write = WRITINGS[name]
    batch = span_with([("llm.chunk", {"value": write(piece)}) for piece in SPLIT])
    assert redacted(batch, "value") == [write(piece) for piece in JOINED]


def test_several_pieces_in_one_event() -> None:
    def write(*pieces: str) -> str:
        return "".join(f"data: {json.dumps({'delta': {'text': piece}})}\n\n" for piece in pieces) + "data: [DONE]"

    batch = span_with([("llm.chunk", {"value": write(*SPLIT[:3])}), ("llm.chunk", {"value": write(*SPLIT[3:])})])
    assert redacted(batch, "value") == [write(*JOINED[:3]), write(*JOINED[3:])]


def test_events_whose_attribute_is_called_a_chunk() -> None:
    batch = span_with([("message", {"gen_ai.delta": piece, "id": "4242"}) for piece in SPLIT])
    assert redacted(batch, "gen_ai.delta") == JOINED
