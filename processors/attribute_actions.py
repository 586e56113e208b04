"""Actions on attributes: what the processors `attributes` and `resource` share (otelcol, `attraction`)."""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from pipeline.config import ConfigModel, Pattern
from pipeline.signals import Attributes, Context, Value
from pipeline.signals.plain import as_text

Step: TypeAlias = Callable[[Attributes, Context], None]
"""Does one action on one attribute mapping."""

_CONTEXT_SOURCES = ("metadata.", "auth.")
_REMEMBERED_KEYS = 4096
_INT64 = range(-(2**63), 2**63)
_INT_TEXT = re.compile(r"[+-]?[0-9]{1,64}")
_HEX_DOUBLE_TEXT = re.compile(r"[+-]?0x[0-9a-f]*\.?[0-9a-f]*p[+-]?[0-9]+", re.IGNORECASE)


class Action(ConfigModel):
    """One change to attributes."""

    action: Literal["insert", "update", "upsert", "delete", "hash", "extract", "convert"] = Field(
        description="insert: set if missing; update: set if present; upsert: set; delete; hash: SHA-256 in hex; "
        "extract: named groups of pattern become attributes; convert: change the type."
    )
    key: str = Field("", description="The attribute.")
    value: Any = Field(None, description="What insert, update and upsert set: text, number, boolean, list or map.")
    from_attribute: str = Field("", description="Attribute to take the value from.")
    from_context: str = Field(
        "",
        description="Where to take the value from: metadata.X, auth.X or client.address; many values are joined by ;.",
    )
    pattern: Pattern | None = Field(
        None, description="RE2. For delete and hash: keys to change; for extract: what to find in the value."
    )
    converted_type: Literal["", "int", "double", "string"] = Field("", description="Type that convert makes.")

    @field_validator("action", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("pattern", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("from_context")
    @classmethod
    def _known_source(cls, value: str) -> str:
        if value and value != "client.address" and not value.startswith(_CONTEXT_SOURCES):
            raise ValueError(f'unknown source "{value}"; write metadata.X, auth.X or client.address')
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        _CHECKS[self.action](self)
        return self


def _need(action: Action, *names: str) -> None:
    if all(getattr(action, name) in (None, "") for name in names):
        raise ValueError(f"action {action.action} needs {' or '.join(names)}")


def _forbid(action: Action, *names: str) -> None:
    for name in names:
        if getattr(action, name) not in (None, ""):
            raise ValueError(f'"{name}" has no meaning for action {action.action}; remove it')


def _check_set(action: Action) -> None:
    _need(action, "key")
    if (action.value is not None) + bool(action.from_attribute) + bool(action.from_context) != 1:
        raise ValueError(f"action {action.action} needs exactly one of value, from_attribute, from_context")
    _forbid(action, "pattern", "converted_type")


def _check_by_key(action: Action) -> None:
    _need(action, "key", "pattern")
    _forbid(action, "value", "from_attribute", "from_context", "converted_type")


def _check_extract(action: Action) -> None:
    _need(action, "key")
    _need(action, "pattern")
    _forbid(action, "value", "from_attribute", "from_context", "converted_type")
    assert action.pattern is not None, "needed above"  # noqa: S101 - for the type checker
    regex = action.pattern.regex
    if not regex.groupindex:
        raise ValueError("pattern has no named group; write for example (?P<name>.*)")
    if len(regex.groupindex) != regex.groups:
        raise ValueError("pattern has a group without a name; write (?P<name>...) or (?:...)")


def _check_convert(action: Action) -> None:
    _need(action, "key")
    _need(action, "converted_type")
    _forbid(action, "value", "from_attribute", "from_context", "pattern")


_CHECKS: dict[str, Callable[[Action], None]] = {
    "insert": _check_set,
    "update": _check_set,
    "upsert": _check_set,
    "delete": _check_by_key,
    "hash": _check_by_key,
    "extract": _check_extract,
    "convert": _check_convert,
}


def steps(actions: Sequence[Action]) -> list[Step]:
    """The actions, ready to run in order."""
    return [_BUILDERS[action.action](action) for action in actions]


_MISSING = object()


def _source(action: Action) -> Callable[[Attributes, Context], Any]:
    if action.from_attribute:
        name = action.from_attribute
        return lambda attributes, _context: attributes.get(name, _MISSING)
    if action.from_context:
        place = action.from_context

        def look_up(_attributes: Attributes, context: Context) -> Any:
            found = context.lookup(place)
            return _MISSING if found is None else found

        return look_up
    value = action.value
    return lambda _attributes, _context: value


def _build_set(action: Action) -> Step:
    key, source = action.key, _source(action)
    if_present, if_missing = action.action != "insert", action.action != "update"

    def set_value(attributes: Attributes, context: Context) -> None:
        if not (if_present if key in attributes else if_missing):
            return
        value = source(attributes, context)
        if value is not _MISSING:
            attributes[key] = value

    return set_value


def _build_delete(action: Action) -> Step:
    key, finds = action.key, _finds(action)

    def delete(attributes: Attributes, _context: Context) -> None:
        for name in [name for name in attributes if name == key or finds(name)]:
            del attributes[name]

    return delete


def _finds(action: Action) -> Callable[[str], bool]:
    """Whether the pattern finds a key; remembered, since keys repeat and an expression costs more than the rest."""
    if action.pattern is None:
        return lambda _name: False
    search = action.pattern.regex.search
    return lru_cache(_REMEMBERED_KEYS)(lambda name: search(name) is not None)


def _build_hash(action: Action) -> Step:
    key, finds = action.key, _finds(action)

    def replace(attributes: Attributes, _context: Context) -> None:
        if key in attributes:
            attributes[key] = hash_value(attributes[key])
        # A key that is named and found is hashed twice, as in the Collector.
        for name in [name for name in attributes if finds(name)]:
            attributes[name] = hash_value(attributes[name])

    return replace


def hash_value(value: Value) -> str:
    """SHA-256 in hex of a value's bytes: UTF-8 of text, 8 bytes little-endian of a number, 1 byte of a boolean.

    Other values (bytes, lists, maps, unset) give an empty text, as in the Collector.
    """
    if isinstance(value, str):
        data = value.encode()
    elif isinstance(value, bool):
        data = bytes([value])
    elif isinstance(value, int):
        data = struct.pack("<q", value)
    elif isinstance(value, float):
        data = struct.pack("<d", value)
    else:
        return ""
    return hashlib.sha256(data).hexdigest()


def _build_extract(action: Action) -> Step:
    assert action.pattern is not None, "checked by the model"  # noqa: S101 - for the type checker
    key, search = action.key, action.pattern.regex.search
    names = sorted(action.pattern.regex.groupindex, key=action.pattern.regex.groupindex.__getitem__)

    def extract(attributes: Attributes, _context: Context) -> None:
        value = attributes.get(key)
        found = search(value) if isinstance(value, str) else None
        if found is not None:
            for name in names:
                attributes[name] = found[name] or ""

    return extract


def _build_convert(action: Action) -> Step:
    key, convert = action.key, _CONVERTERS[action.converted_type]

    def change(attributes: Attributes, _context: Context) -> None:
        if key in attributes:
            attributes[key] = convert(attributes[key])

    return change


def _to_int(value: Value) -> Value:
    if isinstance(value, str):
        number = int(value) if _INT_TEXT.fullmatch(value) else None
        return value if number is None or number not in _INT64 else number
    if isinstance(value, float):
        # Go's conversion on amd64 gives the lowest integer for what does not fit.
        return int(value) if -(2.0**63) <= value < 2.0**63 else _INT64.start
    return int(value) if isinstance(value, bool) else value


def _to_double(value: Value) -> Value:
    if isinstance(value, str):
        return parse_double(value)
    return float(value) if isinstance(value, bool | int) else value


def parse_double(text: str) -> float | str:
    """The number, or the text where Go's `strconv.ParseFloat` finds none in it."""
    try:
        if _HEX_DOUBLE_TEXT.fullmatch(text):
            return float.fromhex(text)
        number = float(text) if text.isascii() and text == text.strip() else None
    except (ValueError, OverflowError):
        return text
    overflows = number is not None and math.isinf(number) and not text.lower().endswith(("inf", "infinity"))
    return text if number is None or overflows else number


_CONVERTERS: dict[str, Callable[[Value], Value]] = {"int": _to_int, "double": _to_double, "string": as_text}

_BUILDERS: dict[str, Callable[[Action], Step]] = {
    "insert": _build_set,
    "update": _build_set,
    "upsert": _build_set,
    "delete": _build_delete,
    "hash": _build_hash,
    "extract": _build_extract,
    "convert": _build_convert,
}
