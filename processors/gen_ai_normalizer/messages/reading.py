"""Structures out of text: JSON, JSON inside JSON, JSON that was cut off, and what Python prints of objects."""

from __future__ import annotations

import ast
import re
from typing import Any, Final

import orjson
from pydantic_core import from_json

_LONGEST_PYTHON: Final = 65_536
"""Python's parser takes some microseconds a token."""
_LONGEST_CUT: Final = 1_048_576
_DEPTH: Final = 3
_JSON_STARTS: Final = ("{", "[", '"')
_SURROGATE: Final = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""An escape that makes half a character, which no attribute can hold."""
_SPOKEN: Final = re.compile(r"""["'](role|content|parts|text|type)["']\s*:""")
_FIELD: Final = "(?:content|parts|text|role|message|messages|choices)="
_PRINTED: Final = re.compile(rf"{_FIELD}['\"\[{{]|[A-Za-z_]\w{{0,63}}[(=][\s\S]*\b{_FIELD}")
_PRINTED_LIST: Final = re.compile(r"\[[A-Za-z_]\w{0,63}\(\w+=")
_MEMBER: Final = re.compile(r"<\w+(?:\.\w+)+: ('[^'\n]*'|\d+)>")
"""How Python prints a member of an enumeration."""
_TOKEN: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[(\[{]|[)\]}]|\s+(?=\w+=)""", re.DOTALL)


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
    if len(text) > _LONGEST_PYTHON or _SURROGATE.search(text):
        return text
    source = _MEMBER.sub(r"\1", text)
    if re.match(r"\w+=", source):
        source = _as_call(source)
    try:
        return _value(ast.parse(source.strip(), mode="eval").body)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _as_call(text: str) -> str:
    """`a=1 b=2`, as some libraries print an object, as the call of a function."""
    depth, pieces, end = 0, [], 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first in "([{":
            depth += 1
        elif first in ")]}":
            depth -= 1
        elif depth == 0 and first.isspace():
            pieces += [text[end : token.start()], ", "]
            end = token.end()
    return f"_({''.join(pieces)}{text[end:]})"


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        value = node.value
        return value.decode("latin-1") if isinstance(value, bytes) else None if value is ... else value
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_value(entry) for entry in node.elts]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(_value(key)): _value(value) for key, value in pairs if key is not None}
    if isinstance(node, ast.Call):
        return _object(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand)
        if isinstance(value, int | float):
            return -value
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node)
    raise ValueError


def _object(call: ast.Call) -> Any:
    """The fields of a printed object; of one without names the only value, or all of them."""
    fields = {keyword.arg: _value(keyword.value) for keyword in call.keywords if keyword.arg is not None}
    if not fields:
        values = [_value(value) for value in call.args]
        return values[0] if len(values) == 1 else values
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    named = {"type": name} if len(name) > 1 and not fields.get("type") else {}
    return {**fields, **named}
