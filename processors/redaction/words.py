"""Lists of context words, as expressions."""

from __future__ import annotations

import re
from functools import cache

from processors.redaction.tables import read_table


@cache
def context_pattern(lists: tuple[str, ...]) -> re.Pattern[str]:
    """An expression that finds any word of the named lists; an ASCII word does not follow or precede a letter.

    Raises:
        KeyError: there is no list of that name.
    """
    table: dict[str, list[str]] = read_table("words.yaml")
    words = sorted({word for name in lists for word in table[name]}, key=len, reverse=True)
    ascii_words = [re.escape(word) for word in words if word.isascii()]
    other_words = [re.escape(word) for word in words if not word.isascii()]
    parts = [f"(?<![A-Za-z])(?:{'|'.join(ascii_words)})(?![a-z])"] if ascii_words else []
    return re.compile("|".join([*parts, *other_words]), re.IGNORECASE)
