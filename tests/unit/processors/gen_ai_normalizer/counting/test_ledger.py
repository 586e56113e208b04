"""Recordings as a ledger: leaves count what the providers counted, also where a second library reports it all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import pytest

from pipeline.signals import Batch, Span
from pipeline.testing import configured
from processors.demo.recordings import Recording
from processors.gen_ai_normalizer import GenAiNormalizer
from tests.unit.processors.gen_ai_normalizer.properties import batches, recordings
from tests.unit.processors.gen_ai_normalizer.test_recordings import all_dialects

OTHER_COUNTS = {
    "traceloop-cohere": "billed units in place of tokens",
    "traceloop-anthropic": "streams: a token more than the provider counted",
    "traceloop-node": "streams: tokens that it counts itself",
}
FEWER_SPANS = {
    "vercel-ai-sdk": "a stream that is given up leaves the outer span alone",
    "claude-code": "all attempts of a call are one span",
}
MORE_SPANS = {
    "traceloop-mistralai": "the SDK's span of the first stream has no counts, and comes before the one that has them",
}
Counts = tuple[int, int]


def leaves(found: Iterable[Batch], processor: GenAiNormalizer) -> list[dict[str, Any]]:
    records = [dict(record.attributes) for batch in found for record in processor.process(batch).records()]
    return [attributes for attributes in records if attributes.get("penstock.gen_ai.role") == "leaf"]


def counted(found: list[dict[str, Any]]) -> Counter[Counts]:
    usage = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
    return Counter((leaf[usage[0]], leaf.get(usage[1], 0)) for leaf in found if leaf.get(usage[0]))


def true_counts(recording: Recording) -> Counter[Counts]:
    """What the providers counted, as far as they told the end of the call."""
    calls = [call for call in recording.truth["requests"] if not call["timing"]["client_disconnected"]]
    usages = [call["usage"] for call in calls if "input_tokens" in (call.get("usage") or {})]
    return Counter((usage["input_tokens"], usage["output_tokens"]) for usage in usages)


def said(recording: Recording) -> set[int]:
    """Numbers that stand beside a word of tokens somewhere in a recording."""
    numbers: set[int] = set()
    for record in (record for batch in batches(recording) for record in batch.records()):
        for key, value in record.attributes.items():
            numbers.update(int(number) for number in re.findall(r"[tT]oken\w*\W{1,6}(\d+)", f"{key}: {value!s}"))
    return numbers


@cache
def leaves_of(dialect: str) -> list[tuple[Recording, list[dict[str, Any]]]]:
    processor = configured(GenAiNormalizer)
    return [(recording, leaves(batches(recording), processor)) for recording in recordings()[dialect]]


@pytest.mark.parametrize("dialect", all_dialects())
def test_leaves_are_the_calls(dialect: str) -> None:
    """Each call has one, which counts what the provider counted.

    A call may be sent to the provider more than once, where its client tries again by itself.
    """
    for recording, found in leaves_of(dialect):
        calls = recording.truth["requests"]
        answered = sum(call["status"] == 200 for call in calls)
        assert len(found) <= len(calls) or dialect in MORE_SPANS, recording.scenario
        assert len(found) >= answered or dialect in FEWER_SPANS, recording.scenario
        if dialect in OTHER_COUNTS:
            continue
        wanted, counts = true_counts(recording), counted(found)
        if not any(call["timing"]["client_disconnected"] for call in calls):
            assert not counts - wanted, recording.scenario
        numbers = said(recording)
        missing = [usage for usage in wanted - counts if any(usage) and set(usage) - {0} <= numbers]
        assert not missing, recording.scenario


def reported_twice(recording: Recording, processor: GenAiNormalizer) -> Iterator[Batch]:
    """A recording with a second library that reports each call, around the first and in the conventions' words."""
    for batch in batches(recording):
        marked = processor.process(batch.copy())
        for record in marked.records():
            if isinstance(record, Span) and record.attributes.get("penstock.gen_ai.role") == "leaf":
                record.span_id = bytes(byte ^ 0xFF for byte in record.span_id)
                record.start_time_unix_nano -= 1000
                record.end_time_unix_nano += 1000
                record.scope.name = "second"
                for key in [key for key in record.attributes if not key.startswith("gen_ai.")]:
                    del record.attributes[key]
            else:
                marked.drop([record])
        marked.settle()
        yield from (batch, Batch.of_message(marked.message, batch.signal))


@pytest.mark.parametrize("dialect", all_dialects())
def test_calls_that_a_second_library_reports_count_once(dialect: str) -> None:
    first, second = configured(GenAiNormalizer), configured(GenAiNormalizer)
    for recording, expected in leaves_of(dialect):
        found = leaves(reported_twice(recording, first), second)
        assert counted(found) == counted(expected), recording.scenario
        assert len(found) == len(expected), recording.scenario
