"""Whether what a decoder gave is a text."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from processors.adversarial.tables import read_table
from processors.adversarial.text.code_points import HIDDEN, LETTERS, classes

_LEAST: Final = 6
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff\ud800-\udfff]")
_WORDS_OR_HIDDEN: Final = LETTERS + HIDDEN + b" "
_CARRIER: Final = re.compile(
    r"[A-Za-z0-9+/_-]{20,}={0,6}\s?|(?:[0-9A-Fa-f]{2,3}[ ,:]{1,2}){8,}[0-9A-Fa-f]{2,3}|[01 ]{40,}"
)
_WORD: Final = re.compile("[a-z]+")


def accepted(text: str, least: int = _LEAST) -> bool:
    """Whether it is printable for 95 % and letters or spaces for 60 %, and not too short; or encoded once more."""
    if len(text) < least or len(_CONTROLS.findall(text)) * 20 > len(text):
        return False
    rest = len(classes(text).translate(None, _WORDS_OR_HIDDEN))
    return rest * 10 <= len(text) * 4 or _CARRIER.fullmatch(text) is not None


def decoded(data: bytes, least: int = _LEAST) -> str | None:
    """The text of bytes in UTF-8, or in UTF-16 of ASCII; None where they are no text.

    The last character may be cut.
    """
    if len(data) >= 2 * _LEAST and not any(data[1:64:2]):
        data = data[::2]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.start < max(least, len(data) - 3):
            return None
        text = data[: error.start].decode()
    return text if accepted(text, least) else None


@cache
def _common() -> frozenset[str]:
    return frozenset(read_table("spelling.yaml")["common"].split())


def is_common(word: str) -> bool:
    """Whether a case-folded word is a frequent one of some language in Latin letters."""
    return word in _common()


def common_words(text: str) -> tuple[int, int]:
    """How many words of a case-folded text are frequent ones, and how many there are."""
    words = _WORD.findall(text)
    known = _common()
    return sum(word in known for word in words), len(words)


def is_language(text: str) -> bool:
    """Whether a case-folded text in ASCII letters reads as words: two frequent ones at least, and one in seven."""
    hits, words = common_words(text)
    return hits >= 2 and hits * 7 >= words


__all__ = ["accepted", "decoded", "is_common", "is_language"]
