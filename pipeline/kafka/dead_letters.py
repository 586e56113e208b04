"""Dead letters in a Kafka topic: the record as it was, with headers that say why it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import Field, field_validator

from pipeline.config import ConfigModel
from pipeline.dead_letter import PREFIX, DeadLetter, attempt_of
from pipeline.kafka.record import Headers, Record
from pipeline.kafka.topic_names import WRONG_NAME, is_topic_name

# A header must not be what makes a record too large.
_MAX_ERROR_CHARS: Final = 500


class DeadLetterTopic(ConfigModel):
    """Where records go that cannot be delivered."""

    topic: str = Field(min_length=1, description="Topic that takes them, with original value, key and headers.")

    @field_validator("topic")
    @classmethod
    def _check_topic(cls, name: str) -> str:
        if not is_topic_name(name):
            raise ValueError(WRONG_NAME)
        return name


def dead_letter_headers(record: Record, letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Headers of the dead letter of a record: the record's own, then ours with its position and attempt."""
    attempt = attempt_of(_texts(record.headers))
    letter = replace(
        letter,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        attempt=attempt,
        error=letter.error[:_MAX_ERROR_CHARS],
    )
    ours = [(name, text.encode()) for name, text in letter.as_texts().items()]
    return [*original_headers(record.headers), *ours]


def replay_headers(headers: Headers, letter: DeadLetter) -> list[tuple[str, bytes]]:
    """Headers of a dead letter that goes back: those of the original record, and which attempt begins."""
    return [*original_headers(headers), (PREFIX + "attempt", str(letter.attempt + 1).encode())]


def original_headers(headers: Headers) -> list[tuple[str, bytes]]:
    """The headers without ours."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def read_headers(headers: Headers) -> DeadLetter | None:
    """The dead letter that the headers of a record speak of; None for any other record."""
    return DeadLetter.read(dict(_texts(headers)))


def _texts(headers: Headers) -> list[tuple[str, str]]:
    return [(name, (value or b"").decode(errors="replace")) for name, value in headers if name.startswith(PREFIX)]
