"""Takes names of folders of the recording machine out of telemetry: stack traces and resources are full of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from pipeline.signals import Signal


def scrubbed(signal: str, data: bytes, content_type: str, names: Mapping[str, str]) -> bytes:
    """The body with each name replaced; the same bytes where there is none of them."""
    if not any(name.encode() in data for name in names):
        return data
    if content_type == "application/json":
        for name, neutral in names.items():
            data = data.replace(name.encode(), neutral.encode())
        return data
    message = Signal(signal).request_class.FromString(data)
    _scrub(message, names)
    return bytes(message.SerializeToString())


def _scrub(message: Message, names: Mapping[str, str]) -> None:
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if _repeated(value) else (value,):
                _scrub(inner, names)
        elif field.type == field.TYPE_STRING:
            if _repeated(value):
                value[:] = [_neutral(text, names) for text in value]
            else:
                setattr(message, field.name, _neutral(value, names))


def _repeated(value: Any) -> bool:
    return not isinstance(value, str | Message)


def _neutral(text: str, names: Mapping[str, str]) -> str:
    for name, neutral in names.items():
        text = text.replace(name, neutral)
    return text
