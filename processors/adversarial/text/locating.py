"""Where in the original a stretch of a view stands."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

from processors.adversarial.text.code_points import classes, without_marks
from processors.adversarial.text.plain import fold, plain
from processors.adversarial.text.view import PLAIN, SIGN_COUNT, Reading, View

_BLOCK: Final = 512
_VOICED: Final = "\uff9e\uff9f"
"""Voicing marks of half-width kana."""
_SPACE: Final = re.compile("[ \n]")


class Places:
    """Places in a text before and after a change.

    The change may drop, join or widen characters, but keeps their order: the beginning of a text becomes the
    beginning of the changed one. So a place is found by changing the text in blocks, and by bisection within one.
    """

    def __init__(self, text: str, after: str, changed: Callable[[str], str]) -> None:
        """Remember; nothing is computed before the first question."""
        self._text, self._after, self._changed = text, after, changed
        # Where blocks begin, before and after the change, and where the last one ends.
        self._before, self._behind = [0], [0]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original for a range after the change; both in code points."""
        if len(self._text) == len(self._after):
            return start, end
        first = self._reach(start)
        return first, max(first, self._reach(end))

    def _extend(self, place: int) -> None:
        """Change more blocks, until one ends behind a place."""
        before, after = self._before, self._behind
        while before[-1] < len(self._text) and after[-1] <= place:
            end = _boundary(self._text, before[-1] + _BLOCK)
            after.append(after[-1] + len(self._changed(self._text[before[-1] : end])))
            before.append(end)

    def _reach(self, place: int) -> int:
        """How much of the original becomes no longer than so much."""
        self._extend(place)
        before, after = self._before, self._behind
        block = max(0, min(bisect_right(after, place), len(before) - 1) - 1)
        start, end = before[block], before[min(block + 1, len(before) - 1)]
        longer = bisect_right(
            range(end - start + 1),
            place - after[block],
            key=lambda length: len(self._changed(self._text[start : start + length])),
        )
        return start + max(0, longer - 1)


def _boundary(text: str, end: int) -> int:
    """A place from `end` on, not far from it, where nothing is joined with what is before it."""
    match = _SPACE.search(text, end, end + _BLOCK)
    if match:
        return match.end()
    for place in range(end, min(end + _BLOCK, len(text))):
        if not (unicodedata.combining(text[place]) or text[place] in _VOICED):
            return place
    return min(len(text), end + _BLOCK)


def shown(text: str) -> str:
    """A text without what hides it, before case-folding."""
    return plain(text, [0] * SIGN_COUNT).text


def locate(reading: Reading, view: View, start: int, end: int) -> tuple[int, int]:
    """Where a stretch of a view's text stands in the original.

    Args:
        reading: of the original.
        view: one of its views.
        start: first character of the stretch, in the text of the view.
        end: behind its last one.

    Returns:
        Offset and length in the UTF-8 form of the original, in bytes; of a decoded view those of all it was read from.
    """
    first, last = view.start, view.end
    if view.name == PLAIN:
        has_marks = b"m" in classes(view.text)
        changed = fold if has_marks else _without_marks
        first, last = Places(reading.text, view.text, changed).original(start, end)
    offset = _byte_count(reading.text[:first])
    return offset, _byte_count(reading.text[first:last])


def _without_marks(text: str) -> str:
    """The plain view of a beginning of a text, of the whole of which nothing keeps a mark."""
    return without_marks(fold(text))


def _byte_count(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


__all__ = ["Places", "locate", "shown"]
