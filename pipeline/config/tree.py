"""A configuration as a tree that remembers where every key and value was written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from pipeline.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

DELIMITER = "::"
"""Separates the parts of a key that nests: `processors::batch::timeout`."""

Path: TypeAlias = tuple[str | int, ...]
ScalarValue: TypeAlias = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def problem(self, message: str, path: Path = ()) -> Problem:
        """A problem at this place."""
        return Problem(message, path, self.file, self.line, self.column)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `text` is the original spelling of a value that an expansion gave, None for one that was written."""

    value: ScalarValue
    position: Position
    text: str | None = None
    is_given: bool = False
    """Whether any of it came from the environment or from a file that an expansion names."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    position: Position
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with their values; `keys` has the place of each key."""

    items: dict[str, Node]
    keys: dict[str, Position]
    position: Position
    text: str | None = None


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:
    """The values alone, as YAML types them."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(item) for key, item in node.items.items()}


def is_null(node: Node) -> bool:
    """Whether the node is YAML's null."""
    return isinstance(node, Scalar) and node.value is None


def merge(base: Node, over: Node) -> Node:
    """Lay `over` on `base`: mappings merge deeply, everything else replaces, an explicit null too."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    items = dict(base.items)
    for key, node in over.items.items():
        items[key] = merge(items[key], node) if key in items else node
    return replace(over, items=items, keys=base.keys | over.keys, text=None)


def nest(node: Node) -> Node:
    """Spread keys that hold `::` over nested mappings; mappings inside lists stay as they are, as in the Collector."""
    if not isinstance(node, Mapping):
        return node
    result = Mapping({}, {}, node.position, node.text)
    for key, item in node.items.items():
        position = node.keys[key]
        first, *rest = key.split(DELIMITER)
        nested = nest(item)
        for part in reversed(rest):
            nested = Mapping({part: nested}, {part: position}, position)
        result.items[first] = merge(result.items[first], nested) if first in result.items else nested
        result.keys.setdefault(first, position)
    return result


def locate(root: Node, path: Path) -> tuple[Path, Position, Node]:
    """The deepest part of `path` that exists: its path, the place of its key (a list item's own place), its node.

    Parts that name no key are skipped, so that paths of a validation library, which hold words of its own, can be
    looked up.
    """
    node, found, position = root, [], root.position
    for part in path:
        if isinstance(node, Mapping) and part in node.items:
            position, node = node.keys[str(part)], node.items[str(part)]
        elif isinstance(node, Sequence) and isinstance(part, int) and 0 <= part < len(node.items):
            node = node.items[part]
            position = node.position
        else:
            continue
        found.append(part)
    return tuple(found), position, node


def child(node: Node, *path: str) -> Node | None:
    """The node under the keys of `path`, None where there is none."""
    current: Node | None = node
    for key in path:
        current = current.items.get(key) if isinstance(current, Mapping) else None
    return current


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node, Position]]:
    """Every node below `node` with its path and the place of its key, in the order of the file."""
    children: Iterator[tuple[str | int, Node, Position]]
    if isinstance(node, Mapping):
        children = ((key, item, node.keys[key]) for key, item in node.items.items())
    elif isinstance(node, Sequence):
        children = ((index, item, item.position) for index, item in enumerate(node.items))
    else:
        return
    for part, item, place in children:
        yield (*path, part), item, place
        yield from walk(item, (*path, part))
