"""Where configuration text comes from: `file:`, `env:`, `yaml:` and bare paths."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.config.compose import compose
from pipeline.config.suggest import hint
from pipeline.config.tree import Node, Position, Scalar, Sequence
from pipeline.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ

# RFC 3986 schemes of two characters or more: a single letter is a drive, as in the Collector.
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>.*)", re.DOTALL)
_ENV_NAME: Final = "^[a-zA-Z_][a-zA-Z0-9_]*$"
_SCHEMES: Final = ("env", "file", "yaml")
_MAX_FILE_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What a URI gave: its text, and the same read as YAML (null when there is none)."""

    text: str
    node: Node
    unset: str | None = None
    """Name of the environment variable that is not set and has no default."""
    is_given: bool = False
    """Whether it came from the environment or a file, and not from the text of the URI itself."""


def split(uri: str, *, default_scheme: str) -> tuple[str, str]:
    """Scheme and rest of a URI; text without a scheme gets the default one."""
    match = _URI.fullmatch(uri)
    return (match["scheme"], match["rest"]) if match else (default_scheme, uri)


def retrieve(scheme: str, rest: str, environ: Environ[str, str], at: Position | None = None) -> Retrieved:
    """Get the value of a URI. `at` is the place of the expansion that asks; None for a source of the command line.

    Raises:
        ConfigError: no such file, bad name, unknown scheme; or a source of the command line is no valid YAML.
    """
    if scheme == "file":
        return replace(_read(_read_file(rest, at), rest, at, own_places=True), is_given=True)
    if scheme == "env":
        return _environment(rest, environ, at)
    if scheme == "yaml":
        return _read(rest, "yaml:", at)
    if scheme in ("http", "https"):
        raise _error(f"{scheme}: is not supported: configuration is read from files and the environment only", at)
    # What follows it may be a secret: ${TOKEN:-...}, as in a shell.
    raise _error(f'scheme "{scheme}" is not supported{_scheme_hint(scheme, rest)}', at)


def _scheme_hint(scheme: str, rest: str) -> str:
    if rest.startswith("-"):
        return f"; to give a default write ${{env:{scheme}:-...}}"
    return hint(scheme, _SCHEMES)


def _error(message: str, at: Position | None) -> ConfigError:
    return ConfigError(at.problem(message) if at else Problem(message))


def _read(text: str, name: str, at: Position | None, *, own_places: bool = False) -> Retrieved:
    """Read text as YAML. An expansion that is no valid YAML is taken word for word, as in the Collector."""
    try:
        node = compose(text, name)
    except ConfigError:
        if at is None:
            raise
        return Retrieved(text, Scalar(text, at))
    start = at or Position(name)
    if node is None:
        return Retrieved(text, Scalar(None, start))
    if isinstance(node, Scalar):
        value = text if isinstance(node.value, str) else node.value
        return Retrieved(text, Scalar(value, start))
    return Retrieved(text, node if own_places or at is None else _placed(node, at))


def _placed(node: Node, at: Position) -> Node:
    """The same tree with every place set to that of the expansion, which is what a person can edit."""
    if isinstance(node, Scalar):
        return replace(node, position=at)
    if isinstance(node, Sequence):
        return replace(node, items=tuple(_placed(item, at) for item in node.items), position=at)
    items = {key: _placed(item, at) for key, item in node.items.items()}
    return replace(node, items=items, keys=dict.fromkeys(items, at), position=at)


def _read_file(name: str, at: Position | None) -> str:
    try:
        with Path(name).open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _error(f'cannot read the file "{name}": {reason}', at) from None
    if len(content) > _MAX_FILE_BYTES:
        raise _error(f'the file "{name}" is larger than {_MAX_FILE_BYTES} bytes', at)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ConfigError(Position(name, line, column).problem("not UTF-8 text")) from None


def _environment(rest: str, environ: Environ[str, str], at: Position | None) -> Retrieved:
    name, has_default, default = rest.partition(":-")
    if not re.fullmatch(_ENV_NAME, name):
        raise _error(f'environment variable "{name}" has invalid name: must match regex {_ENV_NAME}', at)
    value = environ.get(name)
    if value is not None:
        return replace(_read(value, f"env:{name}", at), is_given=True)
    if has_default:
        return _read(default, f"env:{name}", at)
    return Retrieved("", Scalar(None, at or Position(f"env:{name}")), unset=name)
