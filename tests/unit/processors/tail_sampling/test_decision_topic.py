"""Decisions as they stand in a topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.testing import make_host
from processors.sampling.thresholds import NEVER
from processors.tail_sampling.decision_topic import DecisionTopic, Entry, decode, encode
from processors.tail_sampling.decision_topic_config import DecisionTopicConfig
from processors.tail_sampling.decisions import Fate
from processors.tail_sampling.policy import Decision

WRITER = b"writer-1"
IDS = st.binary(min_size=16, max_size=16)
THRESHOLDS = st.none() | st.integers(0, NEVER)
RULES = st.sampled_from(["errors", "", "遅い", "a" * 300])
KEPT = st.builds(Decision, st.just(value=True), RULES, THRESHOLDS)
SESSIONS = st.none() | st.integers(0, NEVER - 1)
DROPPED = st.builds(Fate, st.just(Decision(kept=False)), st.none(), st.booleans())
FATES = st.builds(Fate, KEPT, SESSIONS, st.booleans()) | DROPPED


@given(st.lists(st.builds(Entry, IDS, FATES), max_size=50))
def test_what_is_written_is_read(entries: list[Entry]) -> None:
    assert decode(encode(WRITER, entries)) == (WRITER, entries)


def test_of_a_dropped_trace_only_that_is_told() -> None:
    dropped = Entry(bytes(16), Fate(Decision(kept=False, rule="expensive"), 5))
    assert decode(encode(WRITER, [dropped])) == (WRITER, [Entry(bytes(16), Fate(Decision(kept=False)))])


@given(st.binary(max_size=80))
def test_what_is_no_record_of_decisions_is_said_to_be_none(record: bytes) -> None:
    with pytest.raises(ValueError, match="no record of decisions"):
        decode(record)


@given(st.integers(0, 200))
def test_a_record_that_was_cut_short_is_none(size: int) -> None:
    record = encode(WRITER, [Entry(bytes(16), Fate(Decision(kept=True, rule="r", threshold=0)))])
    if size < len(record):
        with pytest.raises(ValueError, match="no record of decisions"):
            decode(record[:size])
    else:
        assert decode(record)


def test_the_topic_has_a_name() -> None:
    with pytest.raises(ValueError, match="topic"):
        DecisionTopicConfig(topic="no/topic")


def test_what_others_have_written_is_told_and_nothing_else() -> None:
    host, told = make_host(), list[tuple[bytes, Fate]]()
    topic = DecisionTopic(DecisionTopicConfig(topic="decisions"), host, lambda *found: told.append(found))
    fate = Fate(Decision(kept=True, rule="r", threshold=0))
    for writer, number in ((topic._writer, 1), (b"somebody", 2), (b"12345678", 3)):
        topic._read(encode(writer, [Entry(number.to_bytes(16, "big"), fate)]))
    topic._read(b"PSD1 but no record")
    assert told == [((2).to_bytes(16, "big"), fate), ((3).to_bytes(16, "big"), fate)]
