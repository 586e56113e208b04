"""Where in the original a stretch of a view stands."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

from processors.adversarial.text.plain import fold, plain
from processors.adversarial.text.view import PLAIN, SIGN_COUNT, Reading, View


class Places:
    """Places in a text before and after a change.

    The change may drop, join or widen characters, but keeps their order: the beginning of a text becomes the
    beginning of the changed one. So the place is found by bisection, in some 16 changes of a text of 64 KB.
    """

    __slots__ = ("_after", "_changed", "_text")

    def __init__(self, text: str, after: str, changed: Callable[[str], str]) -> None:
        """Remember; nothing is computed before the first question."""
        self._text, self._after, self._changed = text, after, changed

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The range of the original for a range after the change; both in code points."""
        if self._text is self._after or self._text.isascii():
            return start, end
        everywhere = range(len(self._text) + 1)
        first = bisect_right(everywhere, start, key=self._length) - 1
        last = bisect_left(everywhere, end, lo=first, key=self._length)
        return max(0, first), min(last, len(self._text))

    def _length(self, end: int) -> int:
        return len(self._changed(self._text[:end]))


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
        first, last = Places(reading.text, view.text, fold).original(start, end)
    offset = _byte_count(reading.text[:first])
    return offset, _byte_count(reading.text[first:last])


def _byte_count(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


__all__ = ["Places", "locate", "shown"]
