"""What encloses spans on the wire: held once, however many traces have spans under it."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakValueDictionary

# Beside its bytes: the object, three bytes objects, the key and the entry of the table, what scanners note.
OVERHEAD_BYTES: Final = 640


class Head:
    """A resource and a scope as they came, without their spans.

    Attributes:
        rest: fields of the request beside its resources (unknown ones; nearly always empty).
        resource: fields of ResourceSpans beside its scopes: resource, schema URL, unknown fields.
        scope: fields of ScopeSpans beside its spans.
        size_bytes: of all of them.
        notes: what its reader remembers of it.
    """

    __slots__ = ("__weakref__", "_owner", "notes", "resource", "rest", "scope", "size_bytes")

    def __init__(self, owner: Heads, rest: bytes, resource: bytes, scope: bytes) -> None:
        """Made by `Heads` alone, so that equal heads are one."""
        self._owner = owner
        self.rest = rest
        self.resource = resource
        self.scope = scope
        self.size_bytes = len(rest) + len(resource) + len(scope)
        self.notes: Any = None

    def __del__(self) -> None:
        """Leave the sum of its table."""
        self._owner.held_bytes -= self.size_bytes + OVERHEAD_BYTES


class Heads:
    """All heads that some piece refers to.

    Attributes:
        held_bytes: memory they take.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.held_bytes = 0
        self._heads: WeakValueDictionary[tuple[bytes, bytes, bytes], Head] = WeakValueDictionary()

    def __len__(self) -> int:
        """How many different ones are held."""
        return len(self._heads)

    def get(self, rest: bytes, resource: bytes, scope: bytes) -> Head:
        """The one head of these bytes."""
        key = rest, resource, scope
        head = self._heads.get(key)
        if head is None:
            head = self._heads[key] = Head(self, rest, resource, scope)
            self.held_bytes += head.size_bytes + OVERHEAD_BYTES
        return head


__all__ = ["OVERHEAD_BYTES", "Head", "Heads"]
