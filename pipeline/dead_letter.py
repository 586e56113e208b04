"""What a dead letter says about itself, in whatever form it is kept: metadata of a batch, headers of a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Self

from pipeline.errors import Code, DeliveryError, Refused

# More than any offset or time has.
_MAX_DIGITS: Final = 20

PREFIX: Final = "penstock.dead_letter."
"""Begins the name of every metadata key and header of a dead letter."""
_REASON: Final = PREFIX + "reason"
COMPONENT_KEY: Final = PREFIX + "component"


class Reason(StrEnum):
    """Why data became a dead letter."""

    UNDECODABLE = "undecodable"
    """The record is not in the encoding that is configured."""
    REJECTED = "rejected"
    """A pipeline or a backend says never."""
    TOO_LARGE = "too_large"
    """A single item over a limit of the backend."""
    EXPIRED = "expired"
    """The backend could have taken it later, but the time for retries was over."""

    @classmethod
    def of(cls, error: DeliveryError) -> Reason:
        """The reason behind an error with which data was given up."""
        if isinstance(error, Refused):
            return cls.EXPIRED
        return cls.TOO_LARGE if error.code is Code.RESOURCE_EXHAUSTED else cls.REJECTED


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why and where data was given up. Empty text and None: not known, or not from Kafka.

    `topic`, `partition` and `offset` are those of the record it came from; `attempt` counts how often it was tried:
    1 at first, one more with each replay.
    """

    reason: str
    error: str = ""
    component: str = ""
    topic: str = ""
    partition: int | None = None
    offset: int | None = None
    attempt: int = 1
    signal: str = ""
    encoding: str = ""
    time_unix_ms: int | None = None

    def as_texts(self) -> dict[str, str]:
        """What is known, under its full names."""
        known = asdict(self).items()
        return {PREFIX + name: str(value) for name, value in known if value not in (None, "")}

    def with_origin(self, metadata: Mapping[str, tuple[str, ...]]) -> Self:
        """The letter with the Kafka position and the attempt that client metadata names, where it does."""
        return replace(
            self,
            topic=_first(metadata, "kafka.topic"),
            partition=_number(_first(metadata, "kafka.partition")),
            offset=_number(_first(metadata, "kafka.offset")),
            attempt=attempt_of((name, value[0]) for name, value in metadata.items() if value),
        )

    @classmethod
    def read(cls, texts: Mapping[str, str]) -> Self | None:
        """The letter behind metadata or headers; None where they are of something else."""
        if not is_dead_letter(texts):
            return None
        found: dict[str, Any] = {}
        for name in _NAMES:
            text = texts.get(PREFIX + name, "")
            value = _number(text) if name in _NUMBERS else text
            if value is not None:
                found[name] = value
        return cls(**found)


def is_dead_letter(metadata: Mapping[str, object]) -> bool:
    """Whether metadata are those of a dead letter."""
    return _REASON in metadata


def attempt_of(texts: Iterable[tuple[str, str]]) -> int:
    """Which attempt metadata or headers speak of; 1 where they are silent."""
    return next((_number(value) or 1 for name, value in texts if name == PREFIX + "attempt"), 1)


def _first(metadata: Mapping[str, tuple[str, ...]], name: str) -> str:
    values = metadata.get(name)
    return values[0] if values else ""


def _number(text: str) -> int | None:
    return int(text) if len(text) < _MAX_DIGITS and text.isascii() and text.isdecimal() else None


_NAMES: Final = tuple(field.name for field in fields(DeadLetter))
SHARED_KEYS: Final = tuple(PREFIX + name for name in _NAMES if name != "time_unix_ms")
"""Metadata in which dead letters must agree to be sent as one."""
_NUMBERS: Final = frozenset({"partition", "offset", "attempt", "time_unix_ms"})
