"""Expansion of `${env:VAR}`, `${VAR}`, `${env:VAR:-default}`, `${file:path}` and `${yaml:text}`; `$$` is `$`.

A value that is one expansion takes the YAML type of what it expands to and keeps the original text, which a field of
text uses; an expansion inside longer text is put in as text. Source: the Collector's confmap/expand.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipeline.config.sources import Retrieved, retrieve, split
from pipeline.config.tree import DELIMITER, Mapping, Node, Path, Position, Scalar, Sequence
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ

_MAX_STEPS: Final = 1000
"""The Collector's cap for one value."""
_MAX_DEPTH: Final = 50
_MAX_RETRIEVALS: Final = 10_000
_MAX_TEXT: Final = 4 * 1024 * 1024


class Expander:
    """Expands a tree. `problems` and `warnings` collect what went wrong; a value in error stays as it was written."""

    def __init__(self, environ: Environ[str, str]) -> None:
        """Use these environment variables."""
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self._environ = environ
        self._retrieved: dict[str, Retrieved] = {}
        self._left = _MAX_RETRIEVALS
        self._path: Path = ()

    def expand(self, node: Node, path: Path = (), depth: int = 0) -> Node:
        """The tree with every expansion and every `$$` replaced; `path` is where it stands, for problems."""
        if isinstance(node, Mapping):
            items = {key: self.expand(item, (*path, *key.split(DELIMITER)), depth) for key, item in node.items.items()}
            return replace(node, items=items)
        if isinstance(node, Sequence):
            values = (self.expand(item, (*path, index), depth) for index, item in enumerate(node.items))
            return replace(node, items=tuple(values))
        if not isinstance(node.value, str) or "$" not in node.value or self._left < 0:
            return node
        self._path = path
        try:
            return self._scalar(node, node.value, depth)
        except ConfigError as error:
            found = [replace(problem, path=problem.path or path) for problem in error.problems]
            self.problems.extend(problem for problem in found if problem not in self.problems)
            return node

    def _scalar(self, node: Scalar, text: str, depth: int) -> Node:
        """Expand one text until nothing is left to expand."""
        original, is_given = node.text, node.is_given
        for _ in range(_MAX_STEPS):
            start, uri = find_uri(text)
            if not uri:
                value = text.replace("$$", "$")
                return Scalar(value, node.position, None if original is None else value, is_given)
            retrieved = self._retrieve(uri, node.position)
            is_given = is_given or retrieved.is_given
            if uri != text:
                text = _bounded(text[:start] + retrieved.text + text[start + len(uri) :], node.position)
            elif isinstance(retrieved.node, Scalar) and isinstance(retrieved.node.value, str):
                text = original = retrieved.text
            else:
                found = self._structure(retrieved, node.position, depth)
                return _given(found) if is_given else found
        raise _too_deep(node.position)

    def _structure(self, retrieved: Retrieved, at: Position, depth: int) -> Node:
        """What stands alone and is no text: a number, a list, a mapping; its own values are expanded in turn."""
        if depth >= _MAX_DEPTH:
            raise _too_deep(at)
        expanded = self.expand(retrieved.node, self._path, depth + 1)
        text = self._original(retrieved.text, at)
        if isinstance(expanded, Scalar):
            return Scalar(expanded.value, at, text, expanded.is_given)
        return replace(expanded, text=text)

    def _original(self, text: str, at: Position) -> str:
        """The original text of a structure, itself expanded where it can be: fields of text take it."""
        try:
            expanded = self._scalar(Scalar(text, at), text, _MAX_DEPTH)
        except ConfigError:
            return text
        return expanded.value if isinstance(expanded, Scalar) and isinstance(expanded.value, str) else text

    def _retrieve(self, uri: str, at: Position) -> Retrieved:
        self._left -= 1
        if self._left < 0:
            raise _too_deep(at)
        inner = uri[2:-1]
        scheme, rest = split(inner, default_scheme="env") if ":" in inner else ("env", inner)
        if "$" in rest:
            raise ConfigError(at.problem(f"the uri \"{inner}\" contains unsupported characters ('$')"))
        retrieved = self._retrieved.get(uri)
        if retrieved is None or (scheme != "file" and not isinstance(retrieved.node, Scalar)):
            retrieved = self._retrieved[uri] = retrieve(scheme, rest, self._environ, at)
        if retrieved.unset:
            message = f'environment variable "{retrieved.unset}" is not set; its value is empty'
            warning = at.problem(message, self._path)
            if warning not in self.warnings:
                self.warnings.append(warning)
        return retrieved


def _given(node: Node) -> Node:
    """The same tree, all of which came from the environment or a file."""
    if isinstance(node, Scalar):
        return replace(node, is_given=True)
    if isinstance(node, Sequence):
        return replace(node, items=tuple(map(_given, node.items)))
    return replace(node, items={key: _given(item) for key, item in node.items.items()})


def find_uri(text: str) -> tuple[int, str]:
    """Where the first innermost `${...}` that no `$` escapes begins, and its text; the text is empty without one."""
    start = 0
    while (close := text.find("}", start)) >= 0:
        opened = text.rfind("${", start, close + 1)
        if opened >= 0 and not _is_escaped(text, opened, start):
            return opened, text[opened : close + 1]
        start = close + 1
    return 0, ""


def _is_escaped(text: str, opened: int, start: int) -> bool:
    """An odd run of `$` directly before `${` escapes it."""
    before = text[start:opened]
    return (len(before) - len(before.rstrip("$"))) % 2 == 1


def _bounded(text: str, at: Position) -> str:
    if len(text) > _MAX_TEXT:
        raise _too_deep(at)
    return text


def _too_deep(at: Position) -> ConfigError:
    return ConfigError(at.problem("too many recursive expansions; does the value expand to itself?"))
