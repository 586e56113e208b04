"""Structures out of text: JSON, JSON inside JSON, JSON that was cut off, and what Python prints of objects."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from pydantic_core import from_json

from processors.gen_ai_normalizer.reading.literals import read_literal

_LONGEST_PYTHON: Final = 65_536
"""Characters; as far as literals are read."""
_LONGEST_CUT: Final = 1_048_576
_DEPTH: Final = 3
_JSON_STARTS: Final = ("{", "[", '"')
_SPOKEN: Final = re.compile(r"""["'](role|content|parts|text|type)["']\s*:""")
_FIELD: Final = "(?:content|parts|text|role|message|messages|choices)="
_PRINTED: Final = re.compile(rf"{_FIELD}['\"\[{{]|[A-Za-z_]\w{{0,63}}[(=][\s\S]*\b{_FIELD}")
_PRINTED_LIST: Final = re.compile(r"\[[A-Za-z_]\w{0,63}\(\w+=")
_NO_CLASS: Final = "_"
_SPACED: Final = re.compile(r"\w+=")
_TOKEN: Final = re.compile(
    r"""'(?:\\.|[^'\\])*+'?|"(?:\\.|[^"\\])*+"?|[(\[{]|[)\]}]|(?P<gap>\s++)(?P<field>\w++=)?""", re.DOTALL
)
"""What it once took it never gives back, so that one pass is enough for any text."""


def read_text(value: Any, depth: int = _DEPTH) -> Any:
    """The list, mapping or text that a text holds; the text itself where it holds none, other values as they are."""
    if not isinstance(value, str):
        return value
    start = value[:1]
    if start not in _JSON_STARTS:
        if start in ("(", "'") or (start.isidentifier() and _PRINTED.match(value[:_LONGEST_PYTHON])):
            return _printed(value)
        return value
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _of_broken(value)
    if isinstance(found, str):
        return read_text(found, depth - 1) if depth and found[:1] in _JSON_STARTS else found
    return found


def _of_broken(text: str) -> Any:
    """What Python printed, or JSON that a limit on the length of attributes cut off."""
    if not _SPOKEN.search(text[:_LONGEST_PYTHON]):
        return _printed(text) if text[:2] in ("['", "{'") or _PRINTED_LIST.match(text) else text
    found = _printed(text)
    if found is not text or len(text) > _LONGEST_CUT:
        return found
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return text


def _printed(text: str) -> Any:
    """The value of a Python literal, with printed objects as mappings of their fields."""
    if not _SPACED.match(text):
        return read_literal(text, named=True)
    found = read_literal(_as_call(text), named=True) if len(text) <= _LONGEST_PYTHON else text
    if not isinstance(found, dict):
        return text
    return {key: value for key, value in found.items() if value != _NO_CLASS}


def _as_call(text: str) -> str:
    """`a=1 b=2`, as some libraries print an object, as the call of a function."""
    depth, pieces, end = 0, [], 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "([{":
            depth += 1
        elif first in ")]}":
            depth -= 1
        elif depth == 0 and token["field"]:
            pieces += [text[end : token.start()], ", "]
            end = token.end("gap")
    return f"{_NO_CLASS}({''.join(pieces)}{text[end:]})"
