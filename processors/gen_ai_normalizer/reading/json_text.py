"""Structures that stand in text, and text of structures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import orjson

from processors.gen_ai_normalizer.reading.literals import read_literal

_OPENINGS: Final = ("{", "[")


def parse_text(value: Any) -> Any:
    """JSON or Python literal out of a text; the text itself where it is neither."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return read_literal(value) if value[:1] in {"{", "[", "("} else value


def parse_structure(value: Any) -> Any:
    """The list or mapping that a text holds as JSON or Python literal; other texts, and other values, as they are."""
    return parse_text(value) if isinstance(value, str) and value[:1] in _OPENINGS else value


def dump(value: Any) -> str:
    """JSON text of a structure, also of what JSON has no form for (bytes, integers beyond 64 bits)."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        pass
    try:
        return json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return "".join(_pieces(value))


def _pieces(value: Any) -> Iterator[str]:
    """JSON text of a structure that is nested so deep that nothing that recurses can write it."""
    left: list[Any] = [value]
    while left:
        value = left.pop()
        if isinstance(value, _Written):
            yield value
        elif isinstance(value, dict):
            left.append(_Written("}"))
            for position, (key, entry) in reversed([*enumerate(value.items())]):
                left += [entry, _Written(f"{',' if position else ''}{json.dumps(str(key), ensure_ascii=False)}:")]
            left.append(_Written("{"))
        elif isinstance(value, list):
            left.append(_Written("]"))
            for position, entry in reversed([*enumerate(value)]):
                left += [entry, _Written("," if position else "")]
            left.append(_Written("["))
        else:
            yield json.dumps(value, default=str, ensure_ascii=False)


class _Written(str):
    """A piece of JSON text, as against a text that becomes one."""

    __slots__ = ()
