"""Who says what: the roles of messages, wherever they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pipeline.signals import Value
from processors.redaction.knowledge.tables import read_table

NO_ROLE: Final = ""

RedactAs = Callable[[str, str], str]
"""(text, role) -> the redacted text."""

_MARK: Final = "\ue000{}\ue001"
_MARKED: Final = re.compile("\ue000([0-9]+)\ue001")


@cache
def _roles() -> dict[str, str]:
    return {word: role for role, words in read_table("places.yaml")["roles"].items() for word in (role, *words)}


@cache
def _role_places() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(place), role) for place, role in read_table("places.yaml")["role_places"].items()]


def role_of_word(word: object) -> str:
    """The role that a library's word means; empty for any other word."""
    return _roles().get(word.lower(), NO_ROLE) if isinstance(word, str) else NO_ROLE


@cache
def role_of_name(name: str) -> str:
    """The role that an attribute's key or an event's name implies; empty where it implies none."""
    return next((role for place, role in _role_places() if place.search(name)), NO_ROLE)


def role_of_attribute(attributes: Mapping[str, Value], key: str) -> str:
    """The role of an attribute: as a neighbour says (`gen_ai.prompt.0.role`), else as its own key implies."""
    head = key
    while "." in head:
        head = head.rpartition(".")[0]
        if role := role_of_word(attributes.get(f"{head}.role")):
            return role
    return role_of_name(key)


def role_of_map(value: Mapping[str, Any]) -> str:
    """The role of a message; empty where a map is none."""
    return role_of_word(value.get("role")) or (role_of_word(value.get("type")) if "content" in value else NO_ROLE)


def redact_messages(text: str, role: str, redact: RedactAs) -> str:
    """Redact a text; where it is JSON with messages in it, each of them as its role wants.

    What stands around the messages is redacted with the role that the place implies.
    """
    try:
        tree = json.loads(text) if text.lstrip()[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        tree = None
    messages: list[tuple[Any, str]] = []
    around = _without_messages(tree, messages)
    if not messages:
        return redact(text, role)
    dump = _Writer(text)
    new_around = redact(dump(around), role)
    new_messages = [(dump(message), message_role) for message, message_role in messages]
    new = [redact(written, message_role) for written, message_role in new_messages]
    if new_around == dump(around) and all(a == b for a, (b, _) in zip(new, new_messages, strict=True)):
        return text
    return dump(_with_messages(_read(new_around), [_read(message) for message in new]))


def _read(text: str) -> Any:
    """What JSON says; what could not be examined was replaced whole and stands as a string."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Writer:
    """Writes JSON in the style of a text."""

    def __init__(self, text: str) -> None:
        self._ascii = text.isascii()
        self._separators = (", ", ": ") if '": ' in text or '", ' in text else (",", ":")

    def __call__(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=self._ascii, separators=self._separators)


def _without_messages(value: Any, messages: list[tuple[Any, str]]) -> Any:
    """The value with a mark in the place of each message, which is put aside."""
    if isinstance(value, dict):
        if role := role_of_map(value):
            messages.append((value, role))
            return _MARK.format(len(messages) - 1)
        return {key: _without_messages(item, messages) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_messages(item, messages) for item in value]
    return value


def _with_messages(value: Any, messages: list[Any]) -> Any:
    if isinstance(value, str):
        mark = _MARKED.fullmatch(value)
        return messages[int(mark.group(1))] if mark and int(mark.group(1)) < len(messages) else value
    if isinstance(value, dict):
        return {key: _with_messages(item, messages) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_messages(item, messages) for item in value]
    return value
