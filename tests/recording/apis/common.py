"""What the APIs share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chunk:
    """A piece of a streamed response."""

    data: bytes
    content: bool = False
    """Whether the model's words are in it."""


def sse(data: dict[str, Any], event: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def text_of(content: Any) -> str:
    """The text in a message's content: a string, or a list of parts of any API."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return content["text"] if isinstance(content.get("text"), str) else ""
    return "\n".join(text for entry in content if (text := text_of(entry))) if isinstance(content, list) else ""
