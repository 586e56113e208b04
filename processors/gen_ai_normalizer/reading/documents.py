"""Values inside JSON text, parsed once per record."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from processors.gen_ai_normalizer.reading.beside import Beside
from processors.gen_ai_normalizer.reading.json_text import parse_text
from processors.gen_ai_normalizer.reading.literals import read_literal

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Source:
    """An attribute (or a key of `beside`), or a place inside the JSON text that it holds."""

    key: str
    path: tuple[str | int, ...] | None = None
    field: str = dataclasses.field(init=False, compare=False, repr=False)
    """A name that stands in every text in which there is something at the path; empty where there is no path."""

    def __post_init__(self) -> None:
        """Find the longest name in the path."""
        names = [step for step in self.path or () if isinstance(step, str)]
        object.__setattr__(self, "field", max(names, key=len, default=""))

    @classmethod
    def parse(cls, text: str) -> Source:
        """Read `key` or `key#a.b.0`; a path that is empty means the JSON value itself."""
        key, mark, path = text.partition("#")
        if not mark:
            return cls(key)
        return cls(key, steps(path))


def steps(path: str) -> tuple[str | int, ...]:
    """The names and positions of a dotted path."""
    return tuple(int(step) if step.isdigit() else step for step in path.split(".") if step)


class Documents:
    """What one record says, with the JSON texts in it parsed on demand."""

    __slots__ = ("_inner", "_parsed", "attributes", "beside")

    def __init__(self, attributes: MutableMapping[str, Any], beside: Beside | None = None) -> None:
        """Look at the attributes of a record, and at its events and body where rules ask for them."""
        self.attributes: Mapping[str, Any] = attributes if beside is None else ChainMap(attributes, beside.values)
        self.beside = beside
        self._parsed: dict[str, Any] = {}
        self._inner: dict[str, Any] = {}

    def read(self, source: Source) -> Any:
        """The value at a source; None where there is nothing."""
        path = source.path
        if path is None:
            return self.attributes.get(source.key)
        value = self._parsed.get(source.key, _MISSING)
        if value is _MISSING:
            # To look for a name in a text is cheaper by far than to parse it for nothing.
            text = self.attributes.get(source.key)
            if text.__class__ is str and source.field not in text:
                return None
            value = self.parsed(source.key)
        for step in path:
            # Straight where it is a mapping, as most are; a position is no key of JSON, so that none is found there.
            value = value.get(step) if value.__class__ is dict else self._step(value, step)
            if value is None:
                return None
        return value

    def parsed(self, key: str) -> Any:
        """The value of JSON text (or of a Python literal, as some libraries write); other values as they are."""
        value = self._parsed.get(key, _MISSING)
        if value is _MISSING:
            value = self._parsed[key] = parse_text(self.attributes.get(key))
        return value

    def _step(self, value: Any, step: str | int) -> Any:
        """What stands at a step of a path, also in JSON, or an object as Python writes it, that is text in JSON."""
        return step_into(self._opened(value) if isinstance(value, str) else value, step)

    def _opened(self, text: str) -> Any:
        found = self._inner.get(text, _MISSING)
        if found is _MISSING:
            found = self._inner[text] = read_literal(text) if text[-1:] == ")" else parse_text(text)
        return found


def differ(one: Any, other: Any) -> bool:
    """Whether two structures are not equal; those that are nested too deep to be compared are taken for different."""
    try:
        return bool(one != other)
    except RecursionError:
        return True


def field_of(value: Any, name: str) -> Any:
    """A field of a mapping by its name, or by a dotted path of names and positions; None where there is none."""
    if not isinstance(value, Mapping):
        return None
    found = value.get(name)
    return found if found is not None or "." not in name else _walk(value, steps(name))


def _walk(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = step_into(value, step)
        if value is None:
            return None
    return value


def step_into(value: Any, step: str | int) -> Any:
    """What a mapping has under a name, or a list at a position; None where there is nothing."""
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    return value[step] if isinstance(value, list) and step < len(value) else None
