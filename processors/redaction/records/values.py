"""Attribute values of any shape: which texts are in them, and the same value with texts replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pipeline.signals import Value
from processors.redaction.records.keys import KeyBook, is_short, labelled, place_pattern

COMPOSITE: Final = frozenset({list, dict, bytes})
"""Types of values, other than str, that may hold text."""

LARGEST_PLAIN_INT: Final = 99_999_999_999
"""Integers above it have the digits of a card or an account number and are looked at as text."""

LARGEST_COUNT: Final = 9_999
"""Integers above it are looked at where their key says what they are."""

_LARGEST_WHOLE: Final = float(1 << 64)
"""Whole numbers up to it may have been integers before somebody wrote them as floats."""

WORD_SEPARATOR: Final = " "
"""Stands between the words of a command line while it is examined."""

_FEWEST_WORDS: Final = 2
_BYTES: Final = 256

Replace = Callable[[str, str], str]
"""(path, text) -> what stands for the text."""

ReplaceWords = Callable[[str, Sequence[str]], Sequence[str]]
"""(path, words of a command line) -> the words that stand for them, as many."""


def texts_in(value: Value, path: str, keys: KeyBook) -> Iterator[str]:
    """Every text in a value that is to be examined, with its label; keys of maps and readable bytes included."""
    stack = [(path, value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            yield from item
            stack += [(inner_path(path, key), inner) for key, inner in item.items()]
        elif isinstance(item, list):
            if (words := command_line(path, item)) is not None:
                yield WORD_SEPARATOR.join(words)
            stack += [(path, inner) for inner in item if not isinstance(inner, float) or is_large(inner)]
        elif (text := text_of(item, path, keys)) is not None:
            label = keys.label(path)
            if label is not None:
                yield labelled(label, text) if label else text
                if label and is_short(text):
                    yield text


def inner_path(path: str, key: str) -> str:
    """The path of a value inside a map."""
    return f"{path}.{key}" if path else key


def command_line(path: str, items: Sequence[Value]) -> list[str] | None:
    """The items of a list that are the words of one command; None for any other list."""
    words = [item for item in items if isinstance(item, str)]
    if len(words) < _FEWEST_WORDS or len(words) < len(items):
        return None
    is_one = any(word.startswith("-") for word in words) or place_pattern("command_lines").search(path) is not None
    return words if is_one else None


def text_of(value: Value, path: str, keys: KeyBook) -> str | None:
    """A single value as text; None where it has none that matters."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _decoded(value)[0]
    if isinstance(value, int) and value > LARGEST_COUNT and (value > LARGEST_PLAIN_INT or keys.label(path)):
        return str(value)
    if isinstance(value, float) and is_large(value) and value.is_integer():
        return str(int(value))
    return None


def is_large(value: float) -> bool:
    """Whether a float is so large that it may be a card or an account number."""
    return LARGEST_PLAIN_INT < value < _LARGEST_WHOLE


def replaced(value: Value, path: str, keys: KeyBook, replace: Replace, replace_words: ReplaceWords) -> Value:
    """A value with every text in it replaced; the very same object where nothing changed."""
    if isinstance(value, list):
        words = command_line(path, value)
        old: Sequence[Value] = value if words is None else replace_words(path, words)
        items = [replaced(item, path, keys, replace, replace_words) for item in old]
        return items if any(new is not was for new, was in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        return _replaced_map(value, path, keys, replace, replace_words)
    text = text_of(value, path, keys)
    if text is None:
        return value
    new = replace(path, text)
    if new is text:
        return value
    return _encoded(new, _decoded(value)[1]) if isinstance(value, bytes) else new


def _replaced_map(
    value: dict[str, Value], path: str, keys: KeyBook, replace: Replace, replace_words: ReplaceWords
) -> Value:
    result: dict[str, Value] = {}
    changed = False
    for key, item in value.items():
        new_key = replace("", key)
        new_item = replaced(item, inner_path(path, key), keys, replace, replace_words)
        changed = changed or new_key is not key or new_item is not item
        result[unused_key(result, new_key)] = new_item
    return result if changed else value


def unused_key(taken: dict[str, Value], key: str) -> str:
    """The key, or the key with a number behind it where two keys have become the same placeholder."""
    if key not in taken:
        return key
    number = 2
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def _encoded(text: str, charset: str) -> bytes:
    """A text in a charset; what the charset lacks (a stand-in may have any letters) in UTF-8."""
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        return b"".join([letter.encode(charset if ord(letter) < _BYTES else "utf-8") for letter in text])


def _decoded(data: bytes) -> tuple[str, str]:
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
