"""What is asked about a text, and what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Origin(Enum):
    """Who a text comes from, as far as that moves what it means."""

    USER = "user"
    SYSTEM = "system"
    ASSISTANT = "assistant"
    TOOL_CALL = "tool_call"
    TOOL = "tool"
    DOCUMENT = "document"
    OTHER = "other"


class Label(Enum):
    """The answer in one word."""

    PASS = "pass"  # noqa: S105 - a label
    SUSPECT = "suspect"
    ATTACK = "attack"


class Part(NamedTuple):
    """A text with its origin."""

    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text is; never any of its words.

    Attributes:
        score: 0 to 1; about the chance that it is an attack, where half of all texts are.
        label: the score against the thresholds of its origin.
        category: what kind of attack it would be; empty for what passes.
        rules: up to three names of concepts, pairs of concepts or signs that weighed most, the first most.
        view: how it had to be read: `plain`, `base64`, `tag` ...
        offset_bytes: where the segment that decided begins, in the UTF-8 form of the text.
        length_bytes: how long it is there.
        truncated: not all of the text was examined.
    """

    score: float
    label: Label
    category: str = ""
    rules: tuple[str, ...] = ()
    view: str = ""
    offset_bytes: int = 0
    length_bytes: int = 0
    truncated: bool = False


__all__ = ["Label", "Origin", "Part", "Verdict"]
