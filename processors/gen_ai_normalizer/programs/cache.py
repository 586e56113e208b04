"""Programs by shape of record, compiled when a shape is first seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, Final

from pipeline.signals import Span
from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.rules import NAME_KEY
from processors.gen_ai_normalizer.programs.compiler import Compiler, Words
from processors.gen_ai_normalizer.programs.program import Program
from processors.gen_ai_normalizer.programs.recognition import ScopeId
from processors.gen_ai_normalizer.programs.shape import Shape
from processors.gen_ai_normalizer.reading.beside import Beside

_MAX_BYTES: Final = 64 << 20
"""Memory of all shapes together. Applications have some dozens of shapes of some dozens of keys, an attacker any number
of any length."""
# As the allocator says, and some more.
_SHAPE_BYTES: Final = 1024
_KEY_BYTES: Final = 128
_PROGRAM_BYTES: Final = 16_384
_PROGRAM_KEY_BYTES: Final = 1024
_NAMES_BYTES: Final = 256 << 10
_MAX_KINDS: Final = 256
"""Programs of one shape; the words that rules look at are few, but whoever sends them may make up others."""
_MAX_NAMES: Final = 1024
_LONGEST_WORD: Final = 128


Getter = Callable[[Mapping[str, Any]], Any]


class _Names:
    """What the names of spans are to the rules of some dialects."""

    __slots__ = ("_asked", "_known")

    def __init__(self, asked: frozenset[str]) -> None:
        self._asked = asked
        self._known: dict[str, str] = {}

    def find(self, name: str) -> str:
        """A name as rules may ask for it: whole, `*.` and its end behind a dot, or its first word and ` *`."""
        known = self._known.get(name)
        return self._add(name) if known is None else known

    def _add(self, name: str) -> str:
        if len(self._known) >= _MAX_NAMES:
            self._known.clear()
        spellings = (name, f"*.{name.rpartition('.')[2]}", f"{name.partition(' ')[0]} *")
        found = next((spelling for spelling in spellings if spelling in self._asked), "")
        if len(name) <= _LONGEST_WORD:
            self._known[name] = found
        return found


class _Shapes:
    """Programs of all records with the same scope and keys."""

    __slots__ = ("dialects", "get", "keys", "last", "last_name", "last_words", "names", "programs", "words")

    def __init__(self, keys: tuple[str, ...], dialects: tuple[str, ...], words: Words, names: _Names | None) -> None:
        self.keys = keys
        self.dialects = dialects
        self.words = {key: words[key] for key in keys if key in words}
        self.names = names
        """The names of spans; None where rules ask for none."""
        self.get: Getter = itemgetter(*self.words) if self.words else _nothing
        """Reads the words: one as it is, several as a tuple."""
        self.programs: dict[tuple[object, ...], Program] = {}
        # Records of one kind come one after the other: comparing is cheaper than looking up.
        self.last_name = ""
        self.last_words: object = ...
        self.last: Program | None = None


class ProgramCache:
    """Finds the program for a record; forgets all when there are too many shapes."""

    def __init__(self, compiler: Compiler) -> None:
        """Start empty."""
        self._compiler = compiler
        self._shapes: dict[ScopeId, dict[tuple[str, ...], _Shapes]] = {}
        self._room = _MAX_BYTES
        self._names: dict[tuple[str, ...], _Names | None] = {}
        self._scope: ScopeId | None = None
        self._of_scope: dict[tuple[str, ...], _Shapes] = {}

    def find(
        self, scope: ScopeId, attributes: Attributes, span: Span | None = None, beside: Beside | None = None
    ) -> Program | None:
        """The program for a record; None for one that is not about generative AI."""
        values: Mapping[str, Any] = attributes if beside is None else {**attributes, **beside.values}
        if scope is not self._scope:
            self._scope = scope
            self._of_scope = self._shapes.setdefault(scope, {})
        keys = tuple(values)
        shapes = self._of_scope.get(keys) or self._add(scope, keys)
        if not shapes.dialects:
            return None
        names = shapes.names
        name = "" if names is None or span is None else names.find(span.pb.name)
        words = shapes.get(values)
        if words == shapes.last_words and name == shapes.last_name:
            return shapes.last
        return self._look_up(shapes, scope, name, (words,) if len(shapes.words) == 1 else words)

    def _add(self, scope: ScopeId, keys: tuple[str, ...]) -> _Shapes:
        if self._room < 0:
            self._forget(scope)
        self._room -= _SHAPE_BYTES + _KEY_BYTES * len(keys) + sum(map(len, (*scope, *keys)))
        dialects = self._compiler.dialects(scope, keys)
        words = self._compiler.words(dialects) if dialects else {}
        shapes = self._of_scope[keys] = _Shapes(keys, dialects, words, self._names_of(dialects))
        return shapes

    def _forget(self, scope: ScopeId) -> None:
        self._room = _MAX_BYTES
        self._names.clear()
        self._shapes.clear()
        self._of_scope = self._shapes[scope] = {}

    def _names_of(self, dialects: tuple[str, ...]) -> _Names | None:
        if dialects not in self._names:
            self._room -= _NAMES_BYTES
            asked = self._compiler.names(dialects)
            self._names[dialects] = _Names(asked) if asked else None
        return self._names[dialects]

    def _look_up(self, shapes: _Shapes, scope: ScopeId, name: str, values: tuple[object, ...]) -> Program:
        programs = shapes.programs
        # Nothing is kept but words: there may be arrays or maps in their place, and texts of any length.
        words = tuple(map(_word, values))
        kind = (name, *words)
        program = programs.get(kind)
        if program is None:
            if len(programs) >= _MAX_KINDS:
                programs.clear()
            program = programs[kind] = self._compile(shapes, scope, name, words)
        shapes.last, shapes.last_name, shapes.last_words = program, name, words[0] if len(words) == 1 else words
        return program

    def _compile(self, shapes: _Shapes, scope: ScopeId, name: str, words: tuple[str, ...]) -> Program:
        """Words that no rule looks for make no program of their own: whoever sends them may make up any number."""
        kinds = {NAME_KEY: name} if name else {}
        for (key, wanted), word in zip(shapes.words.items(), words, strict=True):
            if word and (wanted is None or word in wanted):
                kinds[key] = word
        known = (*kinds.items(),)
        program = shapes.programs.get(known)
        if program is None:
            if self._room < 0:
                self._forget(scope)
            self._room -= _PROGRAM_BYTES + _PROGRAM_KEY_BYTES * len(shapes.keys)
            program = self._compiler.program(Shape(scope, shapes.keys, kinds), shapes.dialects)
            shapes.programs[known] = program
        return program


def _word(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= _LONGEST_WORD else ""


def _nothing(_values: Mapping[str, Any]) -> tuple[()]:
    return ()
