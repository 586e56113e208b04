"""Conversations of nothing but texts, the most there are, as JSON text without a mapping for each message."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

import orjson

from processors.gen_ai_normalizer.messages.words import ROLES

_MAX_FRAMES: Final = 8
"""Orders of roles that are remembered for one shape of record; a conversation of so many turns has one or two."""
_NEXT: Final = '",\n  "'
"""Stands between two texts of an indented list in JSON, and in none of them, where a new line is written as `\\n`."""
_START: Final = len('[\n  "')
_END: Final = -len('"\n]')
_PLACE: Final = "%s"

Getter = Callable[[Mapping[str, Any]], tuple[Any, ...]]


class Frame(NamedTuple):
    """The JSON text of messages around their contents."""

    pieces: list[str]
    """What stands before, between and behind the contents, with a place for each of them."""
    begins_with_system: bool


class TextMessages:
    """Writes the messages of records of one shape, each a role and a text."""

    __slots__ = ("_contents", "_frames", "_nested_json", "_roles")

    def __init__(self, keys: list[tuple[str, str]], *, nested_json: bool) -> None:
        """Take the keys of the role and of the content of each message."""
        self._roles = getter([role for role, _ in keys])
        self._contents = getter([content for _, content in keys])
        self._nested_json = nested_json
        self._frames: dict[tuple[Any, ...], Frame] = {}

    def write(self, attributes: Mapping[str, Any]) -> tuple[str, bool] | None:
        """The messages, and whether the first is a system message; None where one may be more, or less, than a text."""
        contents = self._contents(attributes)
        try:
            # Of what is no text, none of this can be had.
            firsts = {content[:1] for content in contents}
            said = self._roles(attributes)
            frame = self._frames.get(said) or self._new_frame(said)
            listed = orjson.dumps(contents, option=orjson.OPT_INDENT_2).decode()
        except (TypeError, KeyError):
            return None
        if frame is None or "" in firsts or (self._nested_json and not firsts.isdisjoint("{[")):
            return None
        pieces, begins_with_system = frame
        pieces = pieces.copy()
        pieces[1::2] = listed[_START:_END].split(_NEXT)
        return "".join(pieces), begins_with_system

    def _new_frame(self, said: tuple[Any, ...]) -> Frame | None:
        roles = [ROLES.get(word) for word in said]
        if None in roles or "tool" in roles:
            return None
        messages = [{"role": role, "parts": [{"type": "text", "content": _PLACE}]} for role in roles]
        pieces = re.split(f"({_PLACE})", orjson.dumps(messages).decode())
        if len(self._frames) >= _MAX_FRAMES:
            self._frames.clear()
        frame = self._frames[said] = Frame(pieces, roles[0] == "system")
        return frame


def getter(keys: list[str]) -> Getter:
    """Reads several attributes, which must be there, as a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda attributes: tuple([attributes[key] for key in keys])
