"""Python's way to write values as text (`repr`), which libraries put into attributes in place of JSON.

Reads what `ast.literal_eval` reads, and the objects of typed SDKs among it: `Usage(input_tokens=5)` is a mapping of its
fields, `<Role.USER: 'user'>` the value of the enumeration, `<object at 0x7f>` nothing. Nothing is ever run.
"""

from __future__ import annotations

import ast
import re
from typing import Any, Final, NoReturn

_TOKEN: Final = re.compile(
    r"\s*+(?:(?P<string>[bBrRuU]{0,2}(?:'[^'\\]*+(?:\\.[^'\\]*+)*+'|\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"))"
    r"|(?P<number>0x[0-9a-fA-F]++|[-+]?(?:\d[\d_]*+(?:\.\d[\d_]*+)?+|\.\d[\d_]*+)(?:[eE][-+]?\d++)?+(?![\w.]))"
    r"|(?P<name>[A-Za-z_][\w.]*+)"
    r"|(?P<sign>[()\[\]{}=:,<>.]))",
    re.DOTALL,
)
"""No part of it gives back what it took: a text that is no literal is known for none in one pass."""
_HALF: Final = re.compile(r"\\(u|U0000)[dD][89a-fA-F]")
"""An escape that makes half a character, which no attribute can hold."""
_CONSTANTS: Final = {"True": True, "False": False, "None": None}
_CLOSING: Final = {"[": "]", "{": "}", "(": ")"}
_MAX_DEPTH: Final = 32
_LONGEST_NUMBER: Final = 64
_LONGEST: Final = 65_536
"""Characters; some milliseconds of work."""


def read_literal(text: str, *, named: bool = False) -> Any:
    """The value that a text is the `repr` of; the text itself where it is none.

    With `named`, objects have the name of their class as `type`, unless they have a field of that name.
    """
    if len(text) > _LONGEST or _HALF.search(text):
        return text
    try:
        return _Reader(text, named=named).whole()
    except (ValueError, SyntaxError):
        return text


class _Reader:
    """Reads one text from left to right. Raises ValueError or SyntaxError where it is no literal."""

    def __init__(self, text: str, *, named: bool) -> None:
        self._text = text
        self._named_objects = named
        self._position = 0
        self._kind = ""
        self._word = ""
        self._next()

    def whole(self) -> Any:
        value = self._value(0)
        if self._kind != "end":
            self._refuse()
        return value

    def _refuse(self) -> NoReturn:
        raise ValueError(f"no literal at {self._position}")

    def _next(self) -> None:
        found = _TOKEN.match(self._text, self._position)
        if found is None:
            if self._text[self._position :].strip():
                self._kind, self._word = "other", ""
            else:
                self._kind, self._word = "end", ""
            return
        self._position = found.end()
        self._kind = str(found.lastgroup)
        self._word = found[self._kind]

    def _taken(self) -> str:
        token = self._word
        self._next()
        return token

    def _expect(self, sign: str) -> None:
        if self._word != sign:
            self._refuse()
        self._next()

    def _value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            self._refuse()
        if self._kind == "string":
            return _unquoted(self._taken())
        if self._kind == "number":
            return _number(self._taken())
        if self._kind == "name":
            return self._named(depth)
        if self._word == "<":
            return self._described(depth)
        if self._word in _CLOSING:
            return self._collection(depth)
        return self._refuse()

    def _named(self, depth: int) -> Any:
        name = self._taken()
        if self._word == "(":
            return self._called(name, depth)
        return _CONSTANTS.get(name, name)

    def _called(self, name: str, depth: int) -> Any:
        """The fields of an object, or what stands in it without a name (`UUID('...')`)."""
        self._next()
        fields: dict[str, Any] = {}
        unnamed: list[Any] = []
        while self._word != ")":
            value = self._value(depth + 1)
            if self._word == "=" and isinstance(value, str):
                self._next()
                fields[value] = self._value(depth + 1)
            else:
                unnamed.append(value)
            self._comma(")")
        self._next()
        if fields and self._named_objects and not fields.get("type"):
            fields["type"] = name
        return fields or (unnamed[0] if len(unnamed) == 1 else unnamed)

    def _described(self, depth: int) -> Any:
        """The value in `<Enum.NAME: value>`; None for an object that only says where it is."""
        self._next()
        value = None
        inner = 0
        while inner or self._word != ">":
            if self._kind in {"end", "other"}:
                self._refuse()
            sign = self._taken()
            # `<function outer.<locals>.<lambda> at 0x7f>` has names in angle brackets.
            inner += (sign == "<") - (sign == ">")
            if sign == ":" and value is None:
                value = self._value(depth + 1)
        self._next()
        return value

    def _collection(self, depth: int) -> Any:
        closing = _CLOSING[self._taken()]
        entries: list[Any] = []
        fields: dict[str, Any] = {}
        while self._word != closing:
            value = self._value(depth + 1)
            if closing == "}" and self._word == ":":
                self._next()
                fields[value if isinstance(value, str) else str(value)] = self._value(depth + 1)
            else:
                entries.append(value)
            self._comma(closing)
        self._next()
        return fields if fields or (closing == "}" and not entries) else entries

    def _comma(self, closing: str) -> None:
        if self._word != closing:
            self._expect(",")


def _unquoted(token: str) -> str:
    if "\\" not in token and token[0] in "'\"":
        return token[1:-1]
    value = ast.literal_eval(token)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _number(token: str) -> int | float:
    digits = token.lstrip("+-")
    if digits[:2] != "0x":
        return int(token) if digits.replace("_", "").isdigit() and len(digits) <= _LONGEST_NUMBER else float(token)
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    return int(token, 16)
