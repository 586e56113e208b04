"""Which records need no more than a glance: from a program to what must hold for nothing of it to have work."""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any, Final

from processors.gen_ai_normalizer.programs.fills import Candidate, Fill
from processors.gen_ai_normalizer.programs.program import Program
from processors.gen_ai_normalizer.programs.quick import Fits, Quick
from processors.gen_ai_normalizer.programs.structures import has_work
from processors.gen_ai_normalizer.reading.beside import BODY
from processors.gen_ai_normalizer.reading.values import NEEDED

NOT_NEGATIVE: Final = range(1 << 63)
"""The values of counts, for a check of a program."""


def glance_at(program: Program, fills: tuple[Fill, ...], keys: tuple[str, ...]) -> Quick | None:
    """The glance for records with these attributes; None where a program always has work to do."""
    always = (program.accounting, program.echoes, program.texts_of_its_own, program.evaluations, program.event_mappings)
    names = (program.provider_names, program.copies, program.originals)
    derived = program.derivation is None or program.derivation.is_done(keys)
    if any(always) or any(names) or not derived or any(map(has_work, program.builds)):
        return None
    places = [place for fill in fills for place in fill.candidates]
    if not all(_is_inside(place) for place in places) or any(fill.may_take_out for fill in fills):
        return None
    checks = program.checks
    fits = {key: check.fits for key, kind, _, check in checks if kind is EllipsisType and check.fits is not None}
    if any(kind is EllipsisType and key not in fits for key, kind, _, _ in checks):
        return None
    kinds = {key: kind for key, kind, _, _ in checks if kind is not EllipsisType}
    counts = frozenset(key for key, _, words, _ in checks if words is NOT_NEGATIVE)
    limited = {key: words for key, _, words, _ in checks if words is not None and key not in counts}
    return Quick(keys, kinds, limited, counts, [*fits.items(), *program.texts, *_absent(places)])


def _is_inside(place: Candidate) -> bool:
    """Whether a place is inside the JSON text of an attribute of the record itself."""
    return bool(_needed(place)) and not place.source.key.startswith((BODY, "event("))


def _absent(places: list[Candidate]) -> Iterator[tuple[str, Fits]]:
    """That there is nothing at these places inside JSON texts."""
    for key, name in dict.fromkeys((place.source.key, _needed(place)) for place in places):
        yield key, _lacks(name)


def _needed(place: Candidate) -> str:
    """A name that stands in every text in which this place has a value; empty where there is none such."""
    return place.source.field or NEEDED.get(place.read, "")


def _lacks(name: str) -> Fits:
    def lacks(value: Any) -> bool:
        return type(value) is str and name not in value

    return lacks
