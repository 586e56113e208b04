"""The words of `data/messages.yaml`, inverted for look-up."""

from __future__ import annotations

from typing import Any, Final

from processors.gen_ai_normalizer.knowledge.rules import load_table

_TABLE: Final[dict[str, Any]] = load_table("messages")


def _inverted(table: dict[str, list[str]]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in (name, *words)}


ROLES: Final = _inverted(_TABLE["roles"])
"""Roles of the conventions by their words in lower case."""
NO_ROLES: Final = frozenset(_TABLE["no_roles"])
"""Words in the place of a role that name none."""
REASONING_ROLES: Final = frozenset(_TABLE["reasoning_roles"])
"""Words in the place of a role that say that the message is reasoning."""
ITEM_ROLES: Final = {kind: role for role, kinds in _TABLE["items"].items() for kind in kinds}
"""Roles of the items of OpenAI's Responses API that stand where a message stands."""
KINDS: Final = _inverted(_TABLE["types"])
"""Kinds of content by the words that items of content have for them, in lower case."""
KIND_KEYS: Final[tuple[str, ...]] = tuple(_TABLE["kind_keys"])
KINDS_BY_KEY: Final[dict[str, str]] = _TABLE["keys"]
SERVER_TOOLS: Final[dict[str, str]] = _TABLE["server_tools"]
SERVER_OUTCOMES: Final = frozenset(_TABLE["server_outcomes"])
MEDIA_CONTAINERS: Final = frozenset(_TABLE["media"]["containers"])
MEDIA_FIELDS: Final[dict[str, str]] = {
    key: field for field, keys in _TABLE["media"].items() if field != "containers" for key in keys
}
METADATA: Final = frozenset(_TABLE["metadata"])
"""What is said of a message that is not its content."""
ENVELOPES: Final[dict[str, str | None]] = _TABLE["envelopes"]
INSTRUCTIONS: Final = tuple(tuple(path.split(".")) for path in _TABLE["instructions"])
FINISH_REASON: Final[tuple[str, ...]] = tuple(_TABLE["finish_reason"])
FINISH_REASON_IN: Final[tuple[str, ...]] = tuple(_TABLE["finish_reason_in"])

_ROLE_ENUMS: Final = ("role.", "messagerole.", "chatrole.", "authorrole.")


def role_of(word: str) -> str:
    """The conventions' word for a role; a word of its own stays as it is."""
    found = ROLES.get(word)
    if found is not None:
        return found
    lowered = word.lower()
    for start in _ROLE_ENUMS:
        lowered = lowered.removeprefix(start)
    known = ROLES.get(lowered) or ROLES.get(lowered.removesuffix("message"))
    return known or (lowered if lowered != word.lower() else word)


def is_role(word: Any) -> bool:
    """Whether a word names a role that is known."""
    return isinstance(word, str) and role_of(word) in _KNOWN


_KNOWN: Final = frozenset({"user", "assistant", "system", "developer", "tool"})
