"""Words of rules that stand for several values: `OpenAI*`, `*Generator`."""

from __future__ import annotations

from collections.abc import Mapping


def fits(value: str, word: str) -> bool:
    """Whether a value is a word, or begins or ends as one with a `*` at its end or beginning says."""
    if value == word:
        return True
    if word[-1:] == "*":
        return value.startswith(word[:-1])
    return word[:1] == "*" and value.endswith(word[1:])


def mapped(value: str, words: Mapping[str, str | None]) -> str | None:
    """What a table has for a value: for itself, else for the first word that it fits; the value where there is none.

    `*` alone, which every value fits, comes last wherever it stands.
    """
    if value in words:
        return words[value]
    for word, found in words.items():
        if "*" in word and word != "*" and fits(value, word):
            return found
    return words.get("*", value)
