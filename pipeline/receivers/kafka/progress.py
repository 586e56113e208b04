"""Which offset of a partition may be committed: everything below it has been delivered, dropped or given up."""

from __future__ import annotations

from collections import deque


class Stretch:
    """Offsets in a row that were handed on together; `open` parts of it have not ended."""

    __slots__ = ("first", "next", "open")

    def __init__(self, first: int, after: int, parts: int) -> None:
        """From `first` up to but not including `after`."""
        self.first = first
        self.next = after
        self.open = parts


class Progress:
    """The low watermark of one partition while it is ours.

    Stretches begin in the order of their offsets and end in any order. Offsets between two of them (compacted records,
    marks of transactions) hold nothing and end with the stretch behind them.
    """

    __slots__ = ("_stretches", "_watermark", "committed")

    def __init__(self) -> None:
        """Nothing has begun."""
        self._stretches: deque[Stretch] = deque()
        self._watermark: int | None = None
        self.committed: int | None = None
        """What is committed of the partition as far as we know, by us or whoever had it before."""

    def begin(self, first: int, after: int, parts: int) -> Stretch:
        """Offsets from `first` to `after` (exclusive) are handed on as so many parts; none: they hold nothing."""
        stretch = Stretch(first, after, parts)
        self._stretches.append(stretch)
        if not parts:
            self._advance()
        return stretch

    def split(self, stretch: Stretch, more: int) -> None:
        """A part that is still open goes on as `more` parts beside itself."""
        stretch.open += more

    def end(self, stretch: Stretch) -> None:
        """One part has ended. Raises RuntimeError for one too many."""
        if stretch.open <= 0:
            raise RuntimeError("progress: a part ended twice")
        stretch.open -= 1
        if not stretch.open:
            self._advance()

    def _advance(self) -> None:
        stretches = self._stretches
        while stretches and not stretches[0].open:
            self._watermark = stretches.popleft().next

    def to_commit(self) -> int | None:
        """The offset to commit (the next one to read for whoever comes after us), None when there is nothing new."""
        return None if self._watermark == self.committed else self._watermark

    def reaches(self, committed: int | None) -> bool:
        """Whether an offset that is committed is of our own doing: nobody has gone further, or back.

        It lies between the last one of which we know and what we have reached: of a commit the answer may be lost.
        """
        if committed == self.committed:
            return True
        ours, reached = self.committed, self._watermark
        return committed is not None and ours is not None and reached is not None and ours <= committed <= reached

    @property
    def is_idle(self) -> bool:
        """Whether all that has begun has ended."""
        return not self._stretches
