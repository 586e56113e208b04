"""How a JSON text is read and written again: strictly, or as Python's own parser reads it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import orjson

Node = Any
"""A value of a JSON document; in a log's body or an attribute that is a map, bytes may be in it, too."""


class TooDeep(ValueError):  # noqa: N818 - says what the text is
    """A text is nested deeper than parsers read: whether it is JSON is not known."""


Dumps: TypeAlias = Callable[[Node], bytes]
"""Writes a value, without a space too many."""


def dumps_strict(value: Node) -> bytes:
    """As orjson writes."""
    return orjson.dumps(value, default=_plain)


def dumps_python(value: Node) -> bytes:
    """As Python writes, with what orjson does not read."""
    # A lone surrogate, which UTF-8 does not have, becomes the escape that it was.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode(
        "utf-8", "backslashreplace"
    )


def _plain(value: Any) -> str:
    """Bytes as protobuf's JSON writes them."""
    return base64.b64encode(value).decode("ascii")


_CLOSING: Final = {"{": "}", "[": "]", '"': '"'}
_SPACE_AROUND: Final = 64
# orjson reads integers beyond 64 bits as doubles, and writes those so.
_LARGE_DOUBLE: Final = re.compile(r"[:,\[]-?[0-9][0-9.]*e\+?[0-9]{2}")


def read(text: str) -> tuple[Node, Dumps] | None:
    """The document that a text is, if it is an object, an array or a string, and how to write it; None for others.

    Raises:
        TooDeep: nobody can tell.
    """
    if not _may_be_json(text):
        return None
    try:
        return orjson.loads(text), dumps_strict
    except ValueError as error:
        if "ecursion" in str(error):
            raise TooDeep from None
    return read_loosely(text)


def read_loosely(text: str) -> tuple[Node, Dumps] | None:
    """As Python reads it, and orjson does not: NaN, lone surrogates, integers beyond 64 bits. Raises TooDeep."""
    try:
        return json.loads(text), dumps_python
    except RecursionError:
        raise TooDeep from None
    except ValueError:
        return None


def may_have_lost_digits(written: str) -> bool:
    """Whether a text that orjson has written holds what may have been a longer integer."""
    return _LARGE_DOUBLE.search(written) is not None


def _may_be_json(text: str) -> bool:
    first, last = text[:_SPACE_AROUND].lstrip()[:1], text[-_SPACE_AROUND:].rstrip()[-1:]
    return bool(first) and _CLOSING.get(first) == last
