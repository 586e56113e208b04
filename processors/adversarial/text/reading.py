"""From a text to the ways it can be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processors.adversarial.text.code_points import shapes
from processors.adversarial.text.escapes import has_escapes, regions
from processors.adversarial.text.fragments import MOST_BYTES, fragments
from processors.adversarial.text.gates import Look
from processors.adversarial.text.locating import Places, shown
from processors.adversarial.text.plain import Plain, fold
from processors.adversarial.text.plain import plain as plain_of
from processors.adversarial.text.respelling import Respelled, respelled
from processors.adversarial.text.signs import count_shape_signs, count_signs
from processors.adversarial.text.view import PLAIN, SIGN_COUNT, Reading, View

_DEPTH: Final = 2
_MOST_VIEWS: Final = 8


def read(text: str) -> Reading:
    """The views of a text and the signs met on the way.

    Takes time in proportion to the length. At most 8 views beside the plain one, and 8 KB decoded.

    Args:
        text: as it came; lone surrogates are fine.
    """
    reader = _Reader(text)
    reader.read()
    return Reading(text, reader.views, reader.signs)


class _Reader:
    """Reads one text."""

    __slots__ = ("_left_bytes", "_text", "signs", "views")

    def __init__(self, text: str) -> None:
        self._text = text
        self._left_bytes = MOST_BYTES
        self.views: list[View] = []
        self.signs: list[int] = [0] * SIGN_COUNT

    def read(self) -> None:
        """Fill in views and signs."""
        text = self._text
        plain = plain_of(text, self.signs)
        self.views.append(View(PLAIN, plain.folded, 0, len(text)))
        count_signs(plain.folded, self.signs)
        count_shape_signs(text, self.signs)
        look = Look(shapes(plain.text, plain.kinds))
        for name, said, start, end in plain.hidden:
            self._view(name, said, start, end, 1)
        places: Places | None = None
        for name, said, start, end in self._found(plain, look):
            if len(self.views) > _MOST_VIEWS:
                return
            places = places or Places(text, plain.text, shown)
            self._view(name, said, *places.original(start, end), 1)
        places = None
        for found in self._respelled(plain, look):
            places = places or Places(text, plain.folded, fold)
            self._add(View(found.name, found.text, *places.original(found.start, found.end)))

    def _found(self, plain: Plain, look: Look) -> Iterator[tuple[str, str, int, int]]:
        if look.has_runs or look.digits or look.has_marks:
            for found in fragments(plain.text, look):
                self.signs[found.sign] += 1
                yield found.name, found.text, found.start, found.end
        if has_escapes(plain.text):
            for region in regions(plain.text):
                self.signs[region.sign] += 1
                yield region.name, region.text, region.start, region.end

    def _respelled(self, plain: Plain, look: Look) -> Iterator[Respelled]:
        if len(plain.folded) != len(plain.text):
            look = Look(shapes(plain.folded))
        for found in respelled(plain.folded, look, plain.kinds, plain.turned):
            if found.sign is not None:
                self.signs[found.sign] += 1
            yield found

    def _view(self, name: str, said: str, start: int, end: int, depth: int) -> None:
        """Add what a stretch of the text says decoded, and what that hides."""
        said = said[: self._left_bytes]
        if len(self.views) > _MOST_VIEWS or not said:
            return
        self._left_bytes -= len(said.encode("utf-8", "surrogatepass"))
        plain = plain_of(said, self.signs)
        look = Look(shapes(plain.text, plain.kinds))
        self._add(View(name, plain.folded, start, end))
        count_signs(plain.folded, self.signs)
        for found in self._respelled(plain, look):
            self._add(View(f"{name}+{found.name}", found.text, start, end))
        for hidden in plain.hidden:
            self._view(f"{name}+{hidden.name}", hidden.text, start, end, _DEPTH)
        if depth < _DEPTH:
            for inner, deeper, _, _ in self._found(plain, look):
                self._view(f"{name}+{inner}", deeper, start, end, depth + 1)

    def _add(self, view: View) -> None:
        if len(self.views) <= _MOST_VIEWS:
            self.views.append(view)


__all__ = ["read"]
