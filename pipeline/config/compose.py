"""YAML text -> tree with positions. Everything wrong with the YAML itself is found here."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import yaml

from pipeline.config.scalars import resolve
from pipeline.config.tree import Mapping, Node, Position, Scalar, ScalarValue, Sequence
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # pragma: no cover - PyYAML built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]  # same interface, ten times slower

_MAX_DEPTH: Final = 100
_MAX_NODES: Final = 200_000
"""No configuration comes near; aliases that multiply (a "billion laughs" file) pass it at once."""
_TAG: Final = "tag:yaml.org,2002:"


def compose(text: str, file: str) -> Node | None:
    """Parse one YAML document; None when the text holds none.

    Raises:
        ConfigError: no valid YAML; each problem has its line and column.
    """
    composer = _Composer(file)
    try:
        node = composer.document(yaml.parse(text, Loader=Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = composer.place(mark) if mark else Position(file)
        words = [part for part in (error.context, error.problem) if part]
        raise ConfigError(place.problem(f"invalid YAML: {': '.join(words)}")) from None
    except yaml.reader.ReaderError as error:
        raise ConfigError(_unreadable(text, error, file)) from None
    if composer.problems:
        raise ConfigError(*composer.problems)
    return node


def _unreadable(text: str, error: yaml.reader.ReaderError, file: str) -> Problem:
    before = text[: error.position]
    place = Position(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
    code = error.character if isinstance(error.character, int) else ord(error.character[:1] or "\0")
    return place.problem(f"invalid YAML: character U+{code:04X} is not allowed")


class _Composer:
    """Builds nodes from the parser's events, one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._sizes: dict[str, int] = {}
        self._nodes = 0

    def place(self, mark: Any) -> Position:
        return Position(self.file, mark.line + 1, mark.column + 1)

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                node = self._node(event, events, 0)
                if root is not None and not _is_empty(node):
                    raise ConfigError(node.position.problem("a file holds one YAML document; this is a second one"))
                root = node if root is None else root
        return root

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
        place = self.place(event.start_mark)
        if depth > _MAX_DEPTH:
            raise ConfigError(place.problem(f"nested deeper than {_MAX_DEPTH} levels"))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        before = self._nodes
        self._count(1, place)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(self._scalar(event, place), place)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Sequence(tuple(self._children(events, depth, yaml.SequenceEndEvent)), place)
        else:
            node = self._mapping(events, depth, place)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = node
            self._sizes[anchor] = self._nodes - before
        return node

    def _count(self, nodes: int, place: Position) -> None:
        self._nodes += nodes
        if self._nodes > _MAX_NODES:
            raise ConfigError(place.problem(f"more than {_MAX_NODES} values; are there aliases inside aliases?"))

    def _alias(self, event: yaml.AliasEvent, place: Position) -> Node:
        if event.anchor not in self._anchors:
            # Its name may be a password that begins with an asterisk.
            raise ConfigError(
                place.problem(
                    "unknown anchor; anchors stand before their aliases, and a text that begins with * in quotes"
                )
            )
        self._count(self._sizes[event.anchor], place)
        return self._anchors[event.anchor]

    def _children(self, events: Iterator[yaml.Event], depth: int, end: type[yaml.Event]) -> Iterator[Node]:
        for event in events:
            if isinstance(event, end):
                return
            yield self._node(event, events, depth + 1)

    def _mapping(self, events: Iterator[yaml.Event], depth: int, place: Position) -> Mapping:
        result = Mapping({}, {}, place)
        merged: list[Node] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            is_merge = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key_node = self._node(event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if is_merge:
                merged.extend(value.items if isinstance(value, Sequence) else [value])
            else:
                self._put(result, key_node, value, event)
        return self._with_merged(result, merged)

    def _put(self, result: Mapping, key_node: Node, value: Node, event: yaml.Event) -> None:
        if not isinstance(key_node, Scalar) or key_node.value is None:
            self.problems.append(key_node.position.problem("a key must be text"))
            return
        key = event.value if isinstance(event, yaml.ScalarEvent) else str(key_node.value)
        if key in result.items:
            first = result.keys[key].line
            self.problems.append(key_node.position.problem(f'key "{key}" is already defined at line {first}'))
        result.items[key] = value
        result.keys[key] = key_node.position

    def _with_merged(self, result: Mapping, merged: list[Node]) -> Mapping:
        for node in merged:
            if not isinstance(node, Mapping):
                self.problems.append(node.position.problem("<< takes a mapping or a list of mappings"))
                continue
            for key, value in node.items.items():
                if key not in result.items:
                    result.items[key] = value
                    result.keys[key] = node.keys[key]
        return result

    def _scalar(self, event: yaml.ScalarEvent, place: Position) -> ScalarValue:
        tag = event.tag or ""
        if tag in ("", "!") or not tag.startswith(_TAG):
            is_plain = event.implicit[0] and not tag
            return resolve(event.value) if is_plain else str(event.value)
        try:
            return _tagged(tag.removeprefix(_TAG), event.value)
        except ValueError as error:
            self.problems.append(place.problem(str(error)))
            return None


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _tagged(tag: str, text: str) -> ScalarValue:
    """The value of a scalar with an explicit tag of YAML's core schema."""
    if tag == "str":
        return text
    if tag == "binary":
        try:
            return base64.b64decode(text).decode()
        except ValueError:
            raise ValueError("!!binary value is not base64 of UTF-8 text") from None
    value = resolve(text)
    if tag == "float" and type(value) is int:
        return float(value)
    names = {"bool": bool, "int": int, "float": float, "null": type(None)}
    if tag not in names or type(value) is not names[tag]:
        raise ValueError(f"cannot read this value as !!{tag}")
    return value
