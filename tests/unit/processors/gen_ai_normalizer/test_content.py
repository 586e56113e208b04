"""No content is lost, and nothing is invented."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signals import Batch
from pipeline.testing import logs
from tests.unit.processors.gen_ai_normalizer.properties import (
    EVENT_NAMES,
    FIELDS,
    QUIET,
    Events,
    batches,
    normalizer,
    recordings,
    with_events,
)
from tests.unit.processors.gen_ai_normalizer.said import fields, leaves, numbers_in, records_of, vocabulary
from tests.unit.processors.gen_ai_normalizer.test_hostile import SCOPES

MARKS = st.integers(0, 10**9).map(lambda number: f"mark{number:010d}")
ARGUMENTS = MARKS.map(lambda mark: {"where": mark})
ITEMS = st.one_of(
    MARKS,
    MARKS.map(lambda mark: {"type": "text", "text": mark}),
    MARKS.map(lambda mark: {"text": mark}),
    MARKS.map(lambda mark: {"type": "thinking", "thinking": mark}),
    MARKS.map(lambda mark: {"type": "reasoning", "summary": [{"type": "summary_text", "text": mark}]}),
    MARKS.map(lambda mark: {"type": "image_url", "image_url": {"url": f"https://{mark}"}}),
    MARKS.map(lambda mark: {"inlineData": {"mimeType": "image/png", "data": mark}}),
    MARKS.map(lambda mark: {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": mark}]}),
    MARKS.map(lambda mark: {"functionResponse": {"name": "now", "response": {"time": mark}}}),
    MARKS.map(lambda mark: {"type": "no one knows", "what": [mark]}),
    MARKS.map(lambda mark: {"neither": {"type": "nor", "key": mark}}),
    st.builds(lambda mark, given: {"type": "tool_use", "id": "t", "name": mark, "input": given}, MARKS, ARGUMENTS),
    st.builds(lambda mark, given: {"toolUse": {"toolUseId": mark, "name": "now", "input": given}}, MARKS, ARGUMENTS),
    st.builds(lambda mark, given: {"functionCall": {"name": mark, "args": given}}, MARKS, ARGUMENTS),
)
CALLS = st.lists(
    st.builds(
        lambda mark, given: {"id": "c", "type": "function", "function": {"name": mark, "arguments": json.dumps(given)}},
        MARKS,
        ARGUMENTS,
    ),
    max_size=2,
)
MESSAGES = st.builds(
    lambda role, holder, content, calls: {"role": role, holder: content} | ({"tool_calls": calls} if calls else {}),
    st.sampled_from(["user", "assistant", "tool", "system", "model", "developer"]),
    st.sampled_from(["content", "parts"]),
    st.lists(ITEMS, min_size=1, max_size=3) | MARKS,
    CALLS,
)
CONTENT = st.one_of(
    MARKS,
    MESSAGES,
    st.lists(MESSAGES, min_size=1, max_size=3),
    st.lists(MESSAGES, min_size=1, max_size=2).map(lambda messages: {"messages": messages}),
    MESSAGES.map(lambda message: {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}),
    st.lists(ITEMS, min_size=1, max_size=3),
)
TEXTS = CONTENT | CONTENT.map(json.dumps)
CONTENT_KEYS = st.sampled_from(
    (
        *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"),
        *("gen_ai.prompt.0.content", "gen_ai.completion.0.content", "gen_ai.prompt"),
        *("llm.input_messages.0.message.content", "input.value", "output.value", "traceloop.entity.input"),
        *("ai.prompt.messages", "ai.response.text", "free"),
    )
)


def lost(batch: Batch, originals: str) -> list[str]:
    """The marks that are in a batch and no longer after it was normalised."""
    said = {leaf for leaf in leaves(records_of(batch)) if isinstance(leaf, str) and leaf.startswith("mark")}
    after = records_of(normalizer({"originals": originals})[0].process(batch))
    left = "\n".join(str(leaf) for leaf in leaves(after))
    return sorted(mark for mark in said if mark not in left)


@QUIET
@given(
    span=st.dictionaries(CONTENT_KEYS, TEXTS, min_size=1, max_size=4),
    events=st.lists(st.tuples(st.sampled_from(EVENT_NAMES), st.dictionaries(FIELDS, TEXTS, max_size=3)), max_size=3),
    scope=SCOPES,
    originals=st.sampled_from(["keep", "move"]),
)
def test_no_content_of_a_span_is_lost(span: dict[str, Any], events: Events, scope: str, originals: str) -> None:
    assert lost(with_events({"gen_ai.operation.name": "chat", **span}, events, scope), originals) == []


@QUIET
@given(body=TEXTS, name=st.sampled_from(EVENT_NAMES), originals=st.sampled_from(["keep", "move"]))
def test_no_content_of_a_log_record_is_lost(body: Any, name: str, originals: str) -> None:
    assert lost(logs(body, attributes={"event.name": name}), originals) == []


def test_a_list_with_an_entry_that_no_one_knows_stays_as_it_is() -> None:
    value = json.dumps(["mark0000000000", {"type": "no one knows", "what": ["mark0000000001"]}])
    assert lost(with_events({"gen_ai.input.messages": value}, [], ""), "keep") == []


class Known:
    """What may stand in a record: what stood in it before, sums and lengths of that, and the vocabulary."""

    def __init__(self, before: dict[str, Any]) -> None:
        known = list(leaves(before))
        self._texts = "\n".join(str(leaf) for leaf in known)
        self._pieces = {leaf for leaf in known if isinstance(leaf, str) and leaf}
        self._numbers = {float(leaf) for leaf in known if isinstance(leaf, int | float)} | numbers_in(self._texts)
        self._before = before

    def has(self, leaf: Any) -> bool:
        if isinstance(leaf, str):
            return leaf in vocabulary() or _is_json(leaf) or all(map(self._says, leaf.splitlines()))
        if isinstance(leaf, bool | bytes) or math.isnan(leaf):
            return True
        return leaf in self._numbers or self._is_made_of_numbers(float(leaf))

    def _says(self, line: str) -> bool:
        """Whether a line stands in the record, or is made of pieces that do (the chunks of a stream)."""
        rest = line.strip()
        while rest and rest not in self._texts:
            piece: str = max(filter(rest.startswith, self._pieces), key=len, default="")
            if not piece:
                return False
            rest = rest[len(piece) :]
        return True

    def _is_made_of_numbers(self, number: float) -> bool:
        sums = (sum(some) for size in (2, 3) for some in itertools.combinations(self._numbers, size))
        return number in {float(len(entry)) for entry in _lists(self._before)} or number in sums


def _lists(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        value = json.loads(value) if _is_json(value) else None
    if isinstance(value, dict | list | tuple):
        yield value
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _lists(entry)


def _is_json(text: str) -> bool:
    if text[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("dialect", sorted(recordings()))
def test_nothing_is_invented_about_recordings(dialect: str) -> None:
    processor, _ = normalizer({})
    for recording in recordings()[dialect][:2]:
        for batch in batches(recording):
            before = records_of(batch)
            after = [fields(record)["attributes"] for record in processor.process(batch).records()]
            for one, other in zip(before, after, strict=True):
                new = {key: value for key, value in other.items() if one["attributes"].get(key) != value}
                known = Known(one)
                said = {key: value for key, value in new.items() if not key.startswith("penstock.")}
                invented = [leaf for leaf in leaves(list(said.values())) if not known.has(leaf)]
                assert not invented, recording.scenario
