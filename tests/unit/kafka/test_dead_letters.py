"""A dead-letter record holds what the record held, and says where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError

from pipeline.dead_letter import PREFIX, DeadLetter
from pipeline.kafka.dead_letters import (
    DeadLetterTopic,
    dead_letter_headers,
    original_headers,
    read_headers,
    replay_headers,
)


@dataclass(frozen=True)
class Read:
    topic: str = "otlp_spans"
    partition: int = 2
    offset: int = 41
    key: bytes | None = None
    value: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


LETTER = DeadLetter("undecodable", error="malformed", component="kafka", signal="traces", encoding="otlp_proto")


def test_headers_say_where_it_was_and_why() -> None:
    read = read_headers(dead_letter_headers(Read(), LETTER))
    assert read == DeadLetter(
        "undecodable", "malformed", "kafka", "otlp_spans", 2, 41, 1, "traces", "otlp_proto", time_unix_ms=None
    )


def test_original_headers_stay_as_they_are() -> None:
    mine = [("tenant", b"a"), ("tenant", b"b"), ("binary", b"\xff\x00")]
    headers = dead_letter_headers(Read(headers=mine), LETTER)
    assert headers[:3] == mine
    assert original_headers(headers) == mine


def test_a_dead_letter_of_a_replayed_record_counts_the_attempts() -> None:
    first = dead_letter_headers(Read(), LETTER)
    letter = read_headers(first)
    assert letter is not None
    again = replay_headers(first, letter)
    assert again == [(PREFIX + "attempt", b"2")]
    assert read_headers(again) is None
    second = read_headers(dead_letter_headers(Read(headers=again), LETTER))
    assert second is not None
    assert second.attempt == 2


def test_a_long_error_is_cut() -> None:
    read = read_headers(dead_letter_headers(Read(), DeadLetter("rejected", error="x" * 10_000)))
    assert read is not None
    assert len(read.error) == 500


def test_a_record_without_our_headers_is_no_dead_letter() -> None:
    assert read_headers([("tenant", b"a")]) is None
    assert read_headers([("tenant", None)]) is None  # type: ignore[list-item]  # Kafka has headers without a value


def test_a_topic_needs_a_name() -> None:
    with pytest.raises(ValidationError, match="at least 1 character"):
        DeadLetterTopic(topic="")
