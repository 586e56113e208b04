"""Log records: events of the conventions before 1.37, one for each message, with the message in the body.

Source: OpenTelemetry semantic conventions 1.28 to 1.36, GenAI events; later ones carry the messages as attributes.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.signals import LogRecord, Record
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.documents import dump, parse_text
from processors.gen_ai_normalizer.messages.shapes import to_messages

_ROLES: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
_NAME_KEYS: Final = ("event.name", "event_name")


def read_event(record: Record, attributes: Attributes) -> None:
    """Put the message of an event's body into the attribute that the conventions have for it now."""
    name = _event_name(record, attributes)
    role = _ROLES.get(name)
    if role is None or not isinstance(record, LogRecord):
        return
    target = "gen_ai.output.messages" if name == "gen_ai.choice" else "gen_ai.input.messages"
    if target in attributes:
        return
    body = parse_text(record.body)
    messages = to_messages(_with_role(body, role), role)
    if messages:
        attributes[target] = dump(messages)


def _event_name(record: Record, attributes: Attributes) -> str:
    name: Any = getattr(record, "event_name", "")
    for key in _NAME_KEYS:
        name = name or attributes.get(key)
    return name if isinstance(name, str) else ""


def _with_role(body: Any, role: str) -> Any:
    """The body with the role that the event's name implies; a choice keeps why it ended beside its message."""
    if not isinstance(body, dict):
        return body
    message = body.get("message")
    if isinstance(message, dict):
        return {"finish_reason": body.get("finish_reason"), **message, "role": message.get("role") or role}
    return {**body, "role": body.get("role") or role}
