"""Values inside JSON text, parsed once per record."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

_MISSING: Final = object()
_LONGEST_LITERAL: Final = 4096
"""Python's literal parser is slow and recursive; details of usage, the use it is here for, are short."""

_SURROGATE: Final = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""An escape that makes half a character, which no attribute can hold."""


@dataclass(frozen=True, slots=True)
class Source:
    """An attribute, or a place inside the JSON text that it holds."""

    key: str
    path: tuple[str | int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `key` or `key#a.b.0`; a path that is empty means the JSON value itself."""
        key, mark, path = text.partition("#")
        if not mark:
            return cls(key)
        return cls(key, tuple(int(step) if step.isdigit() else step for step in path.split(".") if step))


class Documents:
    """The attributes of one record, with the JSON texts among them parsed on demand."""

    __slots__ = ("_parsed", "attributes")

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        """Look at the attributes of a record."""
        self.attributes = attributes
        self._parsed: dict[str, Any] = {}

    def read(self, source: Source) -> Any:
        """The value at a source; None where there is nothing."""
        if source.path is None:
            return self.attributes.get(source.key)
        return _walk(self.parsed(source.key), source.path)

    def parsed(self, key: str) -> Any:
        """The value of JSON text (or of a Python literal, as some libraries write); other values as they are."""
        value = self._parsed.get(key, _MISSING)
        if value is _MISSING:
            value = self._parsed[key] = parse_text(self.attributes.get(key))
        return value


def parse_text(value: Any) -> Any:
    """JSON or Python literal out of a text; the text itself where it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return _literal(value) if value[:1] in "{[(" and len(value) <= _LONGEST_LITERAL else value


def dump(value: Any) -> str:
    """JSON text of a structure, also of what JSON has no form for (bytes, integers beyond 64 bits)."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, default=str, ensure_ascii=False)


def _literal(text: str) -> Any:
    if _SURROGATE.search(text):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
        if value is None:
            return None
    return value
