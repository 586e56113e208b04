"""What a dead letter says survives every form it is kept in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dead_letter import PREFIX, DeadLetter, Reason, attempt_of
from pipeline.errors import Code, DeliveryError, Refused, Rejected

LETTERS = st.builds(
    DeadLetter,
    reason=st.sampled_from(Reason).map(str),
    error=st.text(),
    component=st.text(),
    topic=st.text(),
    partition=st.none() | st.integers(0, 2**31),
    offset=st.none() | st.integers(0, 2**63),
    attempt=st.integers(1, 99),
    signal=st.sampled_from(["traces", "metrics", "logs"]),
    encoding=st.text(),
    time_unix_ms=st.none() | st.integers(0, 2**42),
)


@given(LETTERS)
def test_it_reads_as_it_was_written(letter: DeadLetter) -> None:
    assert DeadLetter.read(letter.as_texts()) == letter


def test_other_metadata_is_no_dead_letter() -> None:
    assert DeadLetter.read({"tenant": "a", PREFIX + "attempt": "2"}) is None


def test_numbers_that_are_none_are_left_out() -> None:
    texts = {PREFIX + "reason": "rejected", PREFIX + "offset": "9" * 5000, PREFIX + "attempt": "many"}
    assert DeadLetter.read(texts) == DeadLetter("rejected")


def test_the_origin_is_in_the_metadata_of_a_record_from_kafka() -> None:
    metadata = {
        "kafka.topic": ("otlp_spans",),
        "kafka.partition": ("3",),
        "kafka.offset": ("77",),
        PREFIX + "attempt": ("2",),
        "tenant": (),
    }
    assert DeadLetter("rejected").with_origin(metadata) == DeadLetter(
        "rejected", topic="otlp_spans", partition=3, offset=77, attempt=2
    )
    assert DeadLetter("rejected").with_origin({}) == DeadLetter("rejected")


def test_the_first_attempt_needs_no_word() -> None:
    assert attempt_of([]) == 1
    assert attempt_of([(PREFIX + "attempt", "x")]) == 1
    assert attempt_of([(PREFIX + "attempt", "4")]) == 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Rejected("bad id", code=Code.INVALID_ARGUMENT), "rejected"),
        (Rejected("no"), "rejected"),
        (Rejected("4 MiB at most", code=Code.RESOURCE_EXHAUSTED), "too_large"),
        (Refused("away", code=Code.RESOURCE_EXHAUSTED), "expired"),
    ],
)
def test_reasons(error: DeliveryError, reason: str) -> None:
    assert Reason.of(error) == reason
