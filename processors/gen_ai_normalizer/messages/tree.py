"""Flattened attributes (`gen_ai.prompt.0.content`) back into lists and mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

_WRAPPERS: Final = frozenset({"message", "message_content", "tool_call", "prompt", "completion", "tool"})
"""Names that OpenInference puts between an index and the fields of the element."""
_MAX_INDEX: Final = 4096
"""Indices are positions in a conversation; a larger one is an attack on the memory of whoever builds a list of it."""
_MAX_DEPTH: Final = 24
"""Deeper than any message; builders and readers of nested lists recurse."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FlatKeys:
    """The flattened keys of one shape of record, with their paths; as a key of a cache, itself alone."""

    paths: tuple[tuple[str, Path], ...]

    @classmethod
    def under(cls, prefix: str, keys: Iterable[str], *, unwrap: bool) -> FlatKeys:
        """The keys below a prefix that begin with an index."""
        found = []
        for key in keys:
            if key.startswith(prefix):
                path = _path(key[len(prefix) :], unwrap=unwrap)
                if path and isinstance(path[0], int) and len(path) <= _MAX_DEPTH:
                    found.append((key, path))
        return cls(tuple(found))

    def build(self, attributes: Mapping[str, Any]) -> list[Any]:
        """The list that was flattened, in the order of its indices."""
        root: dict[str | int, Any] = {}
        for key, path in self.paths:
            _insert(root, path, attributes[key])
        listed = _listed(root)
        return listed if isinstance(listed, list) else []


def _path(text: str, *, unwrap: bool) -> Path:
    path: list[str | int] = []
    for step in text.split("."):
        if step.isascii() and step.isdigit() and int(step[:9]) <= _MAX_INDEX:
            path.append(int(step[:9]))
        elif not (unwrap and step in _WRAPPERS and path and isinstance(path[-1], int)):
            path.append(step)
    return tuple(path)


def _insert(root: dict[str | int, Any], path: Path, value: Any) -> None:
    node = root
    for step in path[:-1]:
        below = node.get(step)
        if not isinstance(below, dict):
            below = node[step] = {}
        node = below
    node.setdefault(path[-1], value)


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(isinstance(key, int) for key in node):
        return [_listed(node[index]) for index in sorted(node)]
    return {str(key): _listed(value) for key, value in node.items()}
