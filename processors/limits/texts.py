"""Cuts plain text at the end, between characters as a reader sees them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Final

from processors.limits.marker import Marker

# More marks on one base character than any script writes: beyond that they are cut apart.
_MOST_STEPS: Final = 32
_JOINER: Final = "\u200d"
_SKIN_TONES: Final = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


def size_bytes(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def cut_text(text: str, limit_bytes: int, marker: Marker) -> str:
    """A text in at most `limit_bytes`, the mark at its end included; one that fits is returned as it is.

    A mark that is there already counts on. Where not even the mark fits, the text stops without one.
    """
    size = size_bytes(text)
    if size <= limit_bytes:
        return text
    body, missing = marker.take_off(text)
    room = limit_bytes - marker.size_bytes(size + missing)
    if room < 0:
        return text[: prefix(text, limit_bytes)]
    kept = body[: prefix(body, room)]
    return kept + marker.text(size_bytes(body) - size_bytes(kept) + missing)


def prefix(text: str, room_bytes: int) -> int:
    """How many characters of a text fit into `room_bytes` of UTF-8 without taking one apart."""
    window = text[: max(0, room_bytes)]
    raw = window.encode("utf-8", "surrogatepass")[: max(0, room_bytes)]
    return whole(text, len(raw.decode("utf-8", "ignore")))


def longest(text: str, limit: int, size: Callable[[str], int]) -> int:
    """How many characters of a text fit where `size` measures them: their bytes in UTF-8 and more."""
    low, high = 0, prefix(text, limit)
    if size(text[:high]) <= limit:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return whole(text, low)


def whole(text: str, end: int) -> int:
    """The last place up to `end` that is not within a character with its marks, or within joined ones."""
    for place in range(end, max(0, end - _MOST_STEPS), -1):
        if place >= len(text) or not _belongs_to(text[place - 1], text[place]):
            return place
    return 0 if end <= _MOST_STEPS else end


def _belongs_to(before: str, char: str) -> bool:
    """Whether a character is drawn as a part of the one before it."""
    if char.isascii():
        return False
    return _JOINER in {before, char} or char in _SKIN_TONES or unicodedata.category(char)[0] == "M"
