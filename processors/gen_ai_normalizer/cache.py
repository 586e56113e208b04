"""Programs by shape of record, compiled when a shape is first seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.beside import Beside
from processors.gen_ai_normalizer.compiler import Compiler
from processors.gen_ai_normalizer.program import Program
from processors.gen_ai_normalizer.recognition import ScopeId
from processors.gen_ai_normalizer.rules import NAME_KEY
from processors.gen_ai_normalizer.shape import Shape

_MAX_KEYS: Final = 200_000
"""Attribute keys held by all shapes together, some 20 MiB; applications have some dozens of shapes of some dozens of
keys, an attacker any number."""
_MAX_KINDS: Final = 256
"""Programs of one shape; the words that rules look at are few, but whoever sends them may make up others."""
_MAX_NAMES: Final = 4096
_LONGEST_WORD: Final = 128


class _Shapes:
    """Programs of all records with the same scope and keys."""

    __slots__ = ("kind_keys", "programs")

    def __init__(self, kind_keys: tuple[str, ...]) -> None:
        self.kind_keys = kind_keys
        self.programs: dict[tuple[object, ...], Program | None] = {}


class ProgramCache:
    """Finds the program for a record; forgets all when there are too many shapes."""

    def __init__(self, compiler: Compiler) -> None:
        """Start empty."""
        self._compiler = compiler
        self._shapes: dict[tuple[ScopeId, tuple[str, ...]], _Shapes] = {}
        self._keys = 0
        self._names: dict[str, str] = {}

    def find(
        self, scope: ScopeId, attributes: Attributes, span_name: str, beside: Beside | None = None
    ) -> Program | None:
        """The program for a record; None for one that is not about generative AI."""
        values: Mapping[str, Any] = attributes if beside is None else {**attributes, **beside.values}
        keys = tuple(values)
        shapes = self._shapes.get((scope, keys))
        if shapes is None:
            shapes = self._add(scope, keys)
        name = self._names.get(span_name)
        if name is None:
            name = self._known(span_name)
        kind = (name, *[values[key] for key in shapes.kind_keys])
        try:
            return shapes.programs[kind]
        except (KeyError, TypeError):
            # TypeError: an array or map where a rule looks for a word.
            return self._compile(shapes, scope, keys, (name, *map(_word, kind[1:])))

    def _add(self, scope: ScopeId, keys: tuple[str, ...]) -> _Shapes:
        if self._keys > _MAX_KEYS:
            self._shapes.clear()
            self._keys = 0
        self._keys += len(keys)
        wanted = self._compiler.kind_keys
        shapes = self._shapes[(scope, keys)] = _Shapes(tuple(key for key in keys if key in wanted))
        return shapes

    def _compile(self, shapes: _Shapes, scope: ScopeId, keys: tuple[str, ...], kind: tuple[str, ...]) -> Program | None:
        programs = shapes.programs
        if kind not in programs:
            if len(programs) >= _MAX_KINDS:
                programs.clear()
            words = dict(zip((NAME_KEY, *shapes.kind_keys), kind, strict=True))
            kinds = {key: word for key, word in words.items() if word}
            programs[kind] = self._compiler.program(Shape(scope, keys, kinds))
        return programs[kind]

    def _known(self, span_name: str) -> str:
        """The span's name as rules may ask for it: whole, `*.` and its end behind a dot, or its first word and ` *`."""
        if len(self._names) >= _MAX_NAMES:
            self._names.clear()
        names = self._compiler.names
        spellings = (span_name, f"*.{span_name.rpartition('.')[2]}", f"{span_name.partition(' ')[0]} *")
        found = next((spelling for spelling in spellings if spelling in names), "")
        if len(span_name) <= _LONGEST_WORD:
            self._names[span_name] = found
        return found


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_WORD else ""
