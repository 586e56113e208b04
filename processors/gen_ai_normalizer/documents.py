"""Values inside JSON text, parsed once per record."""

from __future__ import annotations

import ast
import json
import re
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from processors.gen_ai_normalizer.beside import Beside

_MISSING: Final = object()
_LONGEST_LITERAL: Final = 4096
"""Python's literal parser is slow and recursive; details of usage, the use it is here for, are short."""

_OPENINGS: Final = ("{", "[")

_SURROGATE: Final = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""An escape that makes half a character, which no attribute can hold."""


@dataclass(frozen=True, slots=True)
class Source:
    """An attribute (or a key of `beside`), or a place inside the JSON text that it holds."""

    key: str
    path: tuple[str | int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `key` or `key#a.b.0`; a path that is empty means the JSON value itself."""
        key, mark, path = text.partition("#")
        if not mark:
            return cls(key)
        return cls(key, steps(path))


def steps(path: str) -> tuple[str | int, ...]:
    """The names and positions of a dotted path."""
    return tuple(int(step) if step.isdigit() else step for step in path.split(".") if step)


class Documents:
    """What one record says, with the JSON texts in it parsed on demand."""

    __slots__ = ("_parsed", "attributes", "beside")

    def __init__(self, attributes: MutableMapping[str, Any], beside: Beside | None = None) -> None:
        """Look at the attributes of a record, and at its events and body where rules ask for them."""
        self.attributes: Mapping[str, Any] = attributes if beside is None else ChainMap(attributes, beside.values)
        self.beside = beside
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


def parse_structure(value: Any) -> Any:
    """The list or mapping that a text holds as JSON or Python literal; other texts, and other values, as they are."""
    return parse_text(value) if isinstance(value, str) and value[:1] in _OPENINGS else value


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


def field_of(value: Any, name: str) -> Any:
    """A field of a mapping by its name, or by a dotted path of names and positions; None where there is none."""
    if not isinstance(value, Mapping):
        return None
    found = value.get(name)
    return found if found is not None or "." not in name else _walk(value, steps(name))


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
        if value is None:
            return None
    return value
