"""What reading a text gives: views, and signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

PLAIN: Final = "plain"


class Sign(IntEnum):
    """What is worth counting beside words; the number is the place in `Reading.signs`."""

    TAG_CHARACTERS = 0
    TAG_TEXT = 1
    VARIATION_BYTES = 2
    VARIATION_TEXT = 3
    INVISIBLE = 4
    BIDI_OVERRIDE = 5
    COMPATIBILITY = 6
    HOMOGLYPH = 7
    ZALGO = 8
    BASE64 = 9
    BASE32 = 10
    HEX = 11
    PERCENT = 12
    UNICODE_ESCAPE = 13
    ENTITY = 14
    BINARY = 15
    MORSE = 16
    ROT13 = 17
    REVERSED = 18
    LEET = 19
    SPACED = 20
    CHAT_TEMPLATE = 21
    ROLE_JSON = 22
    FAKE_TURN = 23
    CLOSING_TAG = 24
    HIDDEN_MARKUP = 25
    LINK_QUERY_SLOT = 26
    SUSPICIOUS_HOST = 27
    MANY_SHOT = 28
    REPETITION = 29
    SUFFIX = 30
    DECIMAL = 31


SIGN_COUNT: Final = len(Sign)


@dataclass(slots=True)
class View:
    """One way to read a part of a text.

    Attributes:
        name: how it came about: `plain`, `tag`, `base64`, `base64+hex`, `rot13` ...
        text: normalised and case-folded.
        start: where in the original text the characters are that it was read from, as an index of code points.
        end: where they end.
    """

    name: str
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Reading:
    """A text as it can be read.

    Attributes:
        views: `plain` first, of the whole text; then hidden, decoded and re-spelled ones.
        signs: how often each `Sign` was met.
        text: the original.
    """

    text: str
    views: list[View]
    signs: list[int] = field(default_factory=lambda: [0] * SIGN_COUNT)


__all__ = ["PLAIN", "SIGN_COUNT", "Reading", "Sign", "View"]
