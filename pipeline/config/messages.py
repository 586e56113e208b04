"""Pydantic's findings in our words, at the place in the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.config.model import InvalidKey, RefusedKey
from pipeline.config.tree import Mapping, Node, Path, Position, Scalar, Sequence, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from pipeline.errors import Problem

_LONGEST_QUOTE = 40
_OF_TYPES = ("_type", "_parsing")
"""Findings that a value is no member of a union are of no interest beside what is wrong inside it."""


def describe(node: Node) -> str:
    """What stands there, for a message. Expanded values are not shown: they may be secrets."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "nothing"
    kind = "true or false" if isinstance(node.value, bool) else "text" if isinstance(node.value, str) else "a number"
    if node.text is not None or len(str(node.value)) > _LONGEST_QUOTE:
        return kind
    shown = f'"{node.value}"' if isinstance(node.value, str) else str(node.value).lower()
    return {"text": f"text {shown}", "a number": f"the number {shown}"}.get(kind, shown)


def translate(
    error: ValidationError, node: Node, path: Path, place: Position, reported: AbstractSet[Path]
) -> Iterator[Problem]:
    """A problem for each finding of pydantic below the block at `path`, save those at paths already reported."""
    seen: set[tuple[Path, str]] = set()
    for detail in error.errors(include_url=False, include_input=False):
        cause = detail.get("ctx", {}).get("error")
        wanted = (*detail["loc"], *(cause.path if isinstance(cause, InvalidKey) else ()))
        found, position, there = locate(node, wanted)
        if not found:
            position = place
        is_about_key = isinstance(cause, RefusedKey) or detail["type"] == "extra_forbidden"
        if isinstance(there, Scalar) and there.value is not None and not is_about_key:
            position = there.position
        if any((*path, *found[:length]) in reported for length in range(len(found) + 1)):
            continue
        if detail["type"].endswith(_OF_TYPES) and any(_is_below(known, (*path, *found)) for known in reported):
            continue
        text = _message(detail, wanted)
        if (found, text) not in seen:
            seen.add((found, text))
            yield position.problem(text, (*path, *found))


def _is_below(path: Path, other: Path) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _message(detail: ErrorDetails, path: Path) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f'"{path[-1]}" is required'
    if kind == "extra_forbidden":
        return f'unknown key "{path[-1]}"'
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind == "too_short":
        return f"expected at least {context['min_length']} of them, got {context['actual_length']}"
    return re.sub(r"^Input should be", "must be", detail["msg"])
