"""The places that are worth a look in records whose JSON texts have certain fields.

Rules name every place where any library has a value; of dozens of fields that the JSON text of a request or response
may have, one library's has a handful, the same in call after call.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from pipeline.signals.attributes import Attributes
from processors.gen_ai_normalizer.programs.direct import DirectFills
from processors.gen_ai_normalizer.programs.fills import Candidate, Fill
from processors.gen_ai_normalizer.reading.documents import Documents

_MAX_SHAPES: Final = 16
"""Shapes that are remembered for one shape of record; applications have some, an attacker any number."""
_LONGEST_NAMES: Final = 2048
"""Characters of all names of a shape that is remembered."""
_MAX_FIELDS: Final = 64
_FEW: Final = 3

Fields = tuple[str, ...] | None
"""Names of the fields of a mapping; None for what is no mapping, or has very many."""


class LiveFills:
    """The fills of a program."""

    __slots__ = ("_count", "_direct", "_fills", "_known", "_read")

    def __init__(self, fills: tuple[Fill, ...], keys: frozenset[str] = frozenset()) -> None:
        """Find the JSON texts that are read in any case; `keys` are those of the attributes."""
        self._count = len(fills)
        self._direct = DirectFills(fills, keys)
        self._fills = fills = self._direct.others
        first = Counter(fill.candidates[0].source.key for fill in fills if _begins_inside(fill))
        # For some few places a look at each is cheaper than to parse a text for its shape.
        self._read = tuple(key for key, count in first.items() if count > _FEW)
        self._known: dict[tuple[Fields, ...], tuple[Fill, ...]] = {}

    def __len__(self) -> int:
        """How many there are for any shape."""
        return self._count

    def run(self, attributes: Attributes, documents: Documents) -> None:
        """Fill what can be filled."""
        self._direct.run(attributes, documents)
        for fill in self.of(documents):
            fill.run(attributes, documents)

    def of(self, documents: Documents) -> tuple[Fill, ...]:
        """The fills that can find something in JSON texts, without the places that cannot."""
        if not self._read:
            return self._fills
        shape = tuple([_fields(documents.parsed(key)) for key in self._read])
        found = self._known.get(shape)
        if found is None:
            found = self._select(dict(zip(self._read, shape, strict=True)))
            if sum(len(name) for fields in shape for name in fields or ()) <= _LONGEST_NAMES:
                if len(self._known) >= _MAX_SHAPES:
                    self._known.clear()
                self._known[shape] = found
        return found

    def _select(self, fields: dict[str, Fields]) -> tuple[Fill, ...]:
        selected = []
        for fill in self._fills:
            alive = tuple(place for place in fill.candidates if _is_alive(place, fields.get(place.source.key)))
            if alive or fill.may_take_out:
                selected.append(fill if len(alive) == len(fill.candidates) else fill.only(alive))
        return tuple(selected)


def _begins_inside(fill: Fill) -> bool:
    return bool(fill.candidates and fill.candidates[0].source.path)


def _fields(value: Any) -> Fields:
    return tuple(value) if value.__class__ is dict and len(value) <= _MAX_FIELDS else None


def _is_alive(place: Candidate, fields: Fields) -> bool:
    path = place.source.path
    return fields is None or not path or path[0] in fields
