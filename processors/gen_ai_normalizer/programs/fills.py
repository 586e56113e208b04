"""Filling an attribute of the conventions from the places where its value may stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.knowledge.matching import mapped
from processors.gen_ai_normalizer.reading.documents import Documents, Source
from processors.gen_ai_normalizer.reading.values import Reader, never


@dataclass(frozen=True, slots=True)
class Candidate:
    """One place where a value may stand, and how to read it there."""

    source: Source
    read: Reader
    map: dict[str, str | None] | None = None
    given: tuple[Source, ...] = ()
    """Places of which one must have a value."""
    unless_given: tuple[Source, ...] = ()
    """Places of which none may have a value."""

    @property
    def is_plain(self) -> bool:
        """Whether the value is that of an attribute, under no condition."""
        return self.source.path is None and self.map is None and not self.given and not self.unless_given

    def find(self, documents: Documents) -> Any:
        """The value in the conventions' form, None where there is none."""
        value = documents.read(self.source)
        if value is None or ((self.given or self.unless_given) and not self._holds(documents)):
            return None
        if self.map is not None and not isinstance(value, list | dict):
            word = str(value)
            found = mapped(word, self.map)
            value = value if found is word else found
            if value is None:
                return None
        return self.read(value)

    def _holds(self, documents: Documents) -> bool:
        if self.given and all(documents.read(source) is None for source in self.given):
            return False
        return all(documents.read(source) is None for source in self.unless_given)


class Fill:
    """Fills one target from the first candidate that has a value."""

    __slots__ = ("_goes", "_places", "candidates", "target")

    def __init__(self, target: str, candidates: tuple[Candidate, ...], goes: Callable[[Any], bool] = never) -> None:
        """`goes`: whether a value that none of the candidates accepts must not stay in the target."""
        self.target = target
        self.candidates = candidates
        self._goes = goes
        # Most places are attributes that are read as they are: they need no Candidate at run time.
        self._places = tuple((each.source.key if each.is_plain else None, each.read, each.find) for each in candidates)

    def find(self, documents: Documents) -> Any:
        """The value, None where no candidate has one."""
        values = documents.attributes
        for key, read, find in self._places:
            if key is None:
                value = find(documents)
            else:
                value = values.get(key)
                if value is not None:
                    value = read(value)
            if value is not None:
                return value
        return None

    def run(self, attributes: Attributes, documents: Documents) -> None:
        """Write the value where it differs from what stands there."""
        value = self.find(documents)
        if value is not None:
            old = attributes.get(self.target)
            if old != value or type(old) is not type(value):
                attributes[self.target] = value
        elif self.target in attributes and self._goes(attributes[self.target]):
            del attributes[self.target]

    @property
    def may_take_out(self) -> bool:
        """Whether a value in the target may have to go."""
        return self._goes is not never

    def only(self, candidates: tuple[Candidate, ...]) -> Fill:
        """The same with fewer candidates."""
        return Fill(self.target, candidates, self._goes)
