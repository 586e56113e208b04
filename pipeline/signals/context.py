"""Where a batch came from: what travels beside the data and never inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Auth:
    """Who sent a batch, as an authenticator extension established it."""

    subject: str
    attributes: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Context:
    """Client metadata (lower-case keys, every value of a key), peer address, auth data and receiver of one request."""

    receiver: str = ""
    transport: str = ""
    peer: str = ""
    metadata: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    auth: Auth | None = None

    def lookup(self, source: str) -> str | None:
        """Value of `metadata.X`, `auth.X` or `client.address`; many values are joined by `;` as the Collector does."""
        area, _, key = source.partition(".")
        if area == "metadata":
            values = self.metadata.get(key.lower())
            return None if values is None else ";".join(values)
        if area == "auth" and self.auth is not None:
            value = (self.auth.subject or None) if key == "subject" else self.auth.attributes.get(key)
            if isinstance(value, list | tuple):
                return ";".join(map(str, value))
            return None if value is None else str(value)
        if source == "client.address":
            return self.peer or None
        return None


NO_CONTEXT: Final = Context()
