"""Messages out of flattened attributes, by a plan that is made once for each shape of record.

Most messages have a role and a text, some calls of tools or items of text: these are written straight from the
attributes. Whatever else there is goes the general way, as a message in a library's own form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from processors.gen_ai_normalizer.knowledge.vocabulary import finish_reason, finish_reasons
from processors.gen_ai_normalizer.messages.message import Message, to_message
from processors.gen_ai_normalizer.messages.parts import content_parts, nested_items
from processors.gen_ai_normalizer.messages.texts import TextMessages
from processors.gen_ai_normalizer.messages.tools import Part, structure
from processors.gen_ai_normalizer.messages.tree import FlatKeys
from processors.gen_ai_normalizer.messages.words import ROLES

Template = Any
"""A message as lists and mappings, with attribute keys in place of values."""
Plan = Callable[[Mapping[str, Any]], Message | None]

_FIELDS: Final = frozenset({"role", "content", "finish_reason", "tool_call_id", "tool_calls", "contents"})
_CALL: Final = frozenset({"id", "name", "arguments", "type", "function"})
_FUNCTION: Final = frozenset({"name", "arguments"})
_ITEM: Final = frozenset({"type", "text"})
_TEXT: Final = frozenset({"role", "content"})
_OPENINGS: Final = ("{", "[")


class FlattenedMessages:
    """Reads the messages of records of one shape."""

    def __init__(self, keys: FlatKeys, role: str, *, nested_json: bool) -> None:
        """Plan for these keys; `role` is that of messages that name none."""
        templates = keys.build({key: key for key, _ in keys.paths})
        self._plans = tuple(_plan(template, role, nested_json=nested_json) for template in templates)
        pairs = [_text_keys(template) for template in templates]
        plain = [pair for pair in pairs if pair is not None]
        self.texts = TextMessages(plain, nested_json=nested_json) if plain and len(plain) == len(pairs) else None
        """Writes the messages at once, where each has a role and a content and nothing else."""

    def read(self, attributes: Mapping[str, Any]) -> list[Message]:
        """The messages in their order; none where all that is known of them is who spoke."""
        found: list[Message] = []
        is_said = False
        for plan in self._plans:
            message = plan(attributes)
            if message is not None:
                found.append(message)
                is_said = is_said or bool(message["parts"]) or len(message) > _WHO
        return found if is_said else []


_WHO: Final = 2
"""Fields of a message without content: its role, and parts that are none."""


def _plan(template: Template, role: str, *, nested_json: bool) -> Plan:
    template, role = _by_role(template, role)
    general = _General(template, role, nested_json)
    if not isinstance(template, dict) or not template.keys() <= _FIELDS:
        return general
    leaves = {name: template.get(name) for name in ("role", "content", "finish_reason", "tool_call_id")}
    calls = [_call_keys(call) for call in _entries(template, "tool_calls")]
    items = [_item_keys(item) for item in _entries(template, "contents")]
    if any(not isinstance(leaf, str | None) for leaf in leaves.values()) or None in calls or None in items:
        return general
    return _Plain(
        role_key=leaves["role"],
        role=role,
        content_key=leaves["content"],
        reason_key=leaves["finish_reason"],
        answer_key=leaves["tool_call_id"],
        calls=tuple(call for call in calls if call),
        items=tuple(item for item in items if item),
        nested_json=nested_json,
        general=general,
        reasons=finish_reasons(),
    )


def _text_keys(template: Template) -> tuple[str, str] | None:
    """Keys of the role and content of a message that has nothing else."""
    if not isinstance(template, dict) or template.keys() != _TEXT:
        return None
    keys = (template["role"], template["content"])
    return keys if all(isinstance(key, str) for key in keys) else None


def _by_role(template: Template, role: str) -> tuple[Template, str]:
    """Some libraries write the text of a message under its role (`gen_ai.prompt.0.user`)."""
    if isinstance(template, dict) and "content" not in template:
        for name in template.keys() & ROLES.keys():
            if isinstance(template[name], str):
                rest = {key: value for key, value in template.items() if key != name}
                return {**rest, "content": template[name]}, ROLES[name]
    return template, role


def _entries(template: dict[str, Template], name: str) -> list[Template]:
    found = template.get(name, [])
    return found if isinstance(found, list) else [found]


def _call_keys(call: Template) -> tuple[str | None, str, str | None] | None:
    """Keys of id, name and arguments; None where a call has more than these."""
    if not isinstance(call, dict) or not call.keys() <= _CALL:
        return None
    function = call.get("function", call)
    if not isinstance(function, dict) or not function.keys() <= (_CALL if function is call else _FUNCTION):
        return None
    identity, name, arguments = call.get("id"), function.get("name"), function.get("arguments")
    if isinstance(name, str) and isinstance(identity, str | None) and isinstance(arguments, str | None):
        return identity, name, arguments
    return None


def _item_keys(item: Template) -> tuple[str, str] | None:
    """Keys of the kind and text of an item of content; None where it has other fields."""
    if not isinstance(item, dict) or item.keys() != _ITEM:
        return None
    keys = (item["type"], item["text"])
    return keys if all(isinstance(key, str) for key in keys) else None


@dataclass(frozen=True, slots=True)
class _General:
    """A message of any form."""

    template: Template
    role: str
    nested_json: bool

    def __call__(self, attributes: Mapping[str, Any]) -> Message | None:
        value = _filled(self.template, attributes)
        if isinstance(value, str) and value:
            value = {"content": value}
        return to_message(value, self.role, nested_json=self.nested_json) if isinstance(value, dict) else None


def _filled(template: Template, attributes: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        return attributes[template]
    if isinstance(template, list):
        return [_filled(entry, attributes) for entry in template]
    return {name: _filled(entry, attributes) for name, entry in template.items()}


@dataclass(frozen=True, slots=True)
class _Plain:
    """A message of role, text, items of text and calls; anything unusual in its values goes the general way."""

    role_key: str | None
    role: str
    content_key: str | None
    reason_key: str | None
    answer_key: str | None
    calls: tuple[tuple[str | None, str, str | None], ...]
    items: tuple[tuple[str, str], ...]
    nested_json: bool
    general: _General
    reasons: Mapping[str, str]
    """The conventions' words for why a model stopped."""

    def __call__(self, attributes: Mapping[str, Any]) -> Message | None:
        role: Any = self.role
        if self.role_key is not None:
            said = attributes[self.role_key]
            role = ROLES.get(said) if type(said) is str else None
        content = attributes[self.content_key] if self.content_key is not None else ""
        if role is None or type(content) is not str:
            return self.general(attributes)
        if role == "tool" or self.answer_key is not None:
            return self._answer(role, content, attributes)
        nested = nested_items(content) if self.nested_json and content[:1] in _OPENINGS else None
        if nested is not None and (self.calls or self.items):
            return self.general(attributes)
        parts: list[Part] = [{"type": "text", "content": content}] if content else []
        if nested is not None:
            parts = content_parts(nested)
        if (self.items and not self._add_items(parts, attributes)) or (
            self.calls and not self._add_calls(parts, attributes)
        ):
            return self.general(attributes)
        if self.reason_key is not None:
            said = attributes[self.reason_key]
            reason = self.reasons.get(said) if type(said) is str else None
            reason = reason or finish_reason(said)
            if reason is not None:
                return {"role": role, "parts": parts, "finish_reason": reason}
        return {"role": role, "parts": parts}

    def _answer(self, role: str, content: str, attributes: Mapping[str, Any]) -> Message | None:
        unusual = role != "tool" or self.items or self.calls or self.reason_key or not content
        if unusual or (self.nested_json and nested_items(content) is not None):
            return self.general(attributes)
        part: Part = {"type": "tool_call_response"}
        if self.answer_key is not None:
            identity = attributes[self.answer_key]
            if type(identity) is not str or not identity:
                return self.general(attributes)
            part["id"] = identity
        part["response"] = content
        return {"role": role, "parts": [part]}

    def _add_items(self, parts: list[Part], attributes: Mapping[str, Any]) -> bool:
        """Add the texts; False where one is no text, or where the content stands beside them."""
        for kind_key, text_key in self.items:
            text = attributes[text_key]
            if attributes[kind_key] != "text" or type(text) is not str or (parts and self.content_key is not None):
                return False
            if text:
                parts.append({"type": "text", "content": text})
        return True

    def _add_calls(self, parts: list[Part], attributes: Mapping[str, Any]) -> bool:
        """Add the calls; False where one has no name."""
        for id_key, name_key, arguments_key in self.calls:
            name = attributes[name_key]
            if type(name) is not str or not name:
                return False
            identity = attributes[id_key] if id_key is not None else None
            part: Part = {"type": "tool_call", "id": identity} if identity else {"type": "tool_call"}
            part["name"] = name
            arguments = attributes[arguments_key] if arguments_key is not None else None
            if arguments is not None:
                part["arguments"] = structure(arguments)
            parts.append(part)
        return True
