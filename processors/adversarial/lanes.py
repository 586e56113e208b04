"""What is known of texts that were seen before, by where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from processors.adversarial.telemetry import Series
from processors.adversarial.verdict import Label, Origin, Verdict

NOT_ALARMING: Final = -1.0
"""In place of a score: the text says nothing about its record."""
_PLAIN_BYTES: Final = 400
_MARKED_BYTES: Final = 900
"""An entry with its verdict and its share of a growing table, by the allocator; see the test."""
_EMPTY_HASH: Final = hash("")


class Known:
    """What is known of one text of one origin.

    Attributes:
        verdict: what was found; None while it was not examined, and where that failed or is not wanted.
        score: what it adds to its record's score.
        is_plain: it passed, and all of it was read.
        failed: it could not be examined.
        series: where it is counted.
    """

    __slots__ = ("failed", "is_plain", "score", "series", "verdict")

    def __init__(self, series: Series) -> None:
        """Nothing is known yet."""
        self.verdict: Verdict | None = None
        self.score = NOT_ALARMING
        self.is_plain = True
        self.failed = False
        self.series = series

    def learn(self, verdict: Verdict, series: Series, *, alarms: bool) -> None:
        """Note what was found; `alarms`: whether its score counts for the record."""
        self.verdict = verdict
        self.score = verdict.score if alarms else NOT_ALARMING
        self.is_plain = verdict.label is Label.PASS and not verdict.truncated
        self.series = series

    def fail(self) -> None:
        """Note that the text could not be examined."""
        self.failed = True
        self.is_plain = False


class _All:
    """A table that knows every text as one that is not wanted."""

    __slots__ = ("get",)

    def __init__(self, known: Known) -> None:
        self.get = lambda _key: known


class Lane:
    """The texts of one origin.

    Attributes:
        is_call: a tool call's arguments.
        is_past: they stand in the history of a conversation.
        young: what is known, by the hash of the text.
    """

    __slots__ = ("is_call", "is_past", "origin", "young")

    def __init__(self, origin: Origin, *, is_past: bool = False) -> None:
        """A lane that knows nothing."""
        self.origin = origin
        self.is_call = origin is Origin.TOOL_CALL
        self.is_past = is_past
        self.young: Any = {}


class Lanes:
    """One lane for each origin, and a second one for tool calls of the past; bounded in entries and bytes.

    There are two generations: what is asked for stays, what is not is gone when the next one is full.

    Attributes:
        size_bytes: of the younger generation.
    """

    def __init__(
        self, wanted: Iterable[Origin], *, max_entries: int, max_bytes: int, empty: Series, off: Series
    ) -> None:
        """`empty` and `off` count the texts in which nothing stands, and those that are not wanted."""
        chosen = frozenset(wanted)
        self._unwanted = _All(Known(off))
        self._empty = Known(empty)
        self._most_bytes = max_bytes // 2
        self._most = max_entries // 2
        self._old: dict[Origin, dict[int, Known]] = {origin: {} for origin in Origin}
        self.size_bytes = self._count = 0
        self.of: dict[Origin, Lane] = {origin: Lane(origin) for origin in Origin}
        self.past_calls = Lane(Origin.TOOL_CALL, is_past=True)
        self._wanted = [lane for lane in (*self.of.values(), self.past_calls) if lane.origin in chosen]
        for lane in (*self.of.values(), self.past_calls):
            lane.young = self._unwanted
        self._begin()

    def _begin(self) -> None:
        """Begin a generation."""
        tables: dict[Origin, dict[int, Known]] = {}
        for lane in self._wanted:
            lane.young = tables.setdefault(lane.origin, {_EMPTY_HASH: self._empty})
        self.size_bytes = self._count = 0

    def find(self, lane: Lane, key: int) -> Known | None:
        """What is known of a text that is not among the young."""
        known = self._old[lane.origin].get(key)
        if known is not None:
            self.put(lane, key, known)
        return known

    def put(self, lane: Lane, key: int, known: Known) -> None:
        """Remember what is known, or soon will be."""
        lane.young[key] = known
        self._count += 1
        self.size_bytes += _PLAIN_BYTES if known.is_plain else _MARKED_BYTES

    def settle(self, learned: Iterable[tuple[Lane, int, Known]]) -> None:
        """Account for what was learned since the last time, and make room: for once a batch."""
        for lane, key, known in learned:
            if known.failed:
                lane.young.pop(key, None)
            elif not known.is_plain:
                self.size_bytes += _MARKED_BYTES - _PLAIN_BYTES
        if self._count > self._most or self.size_bytes > self._most_bytes:
            for lane in self._wanted:
                self._old[lane.origin] = lane.young
            self._begin()
            if not (self._most and self._most_bytes):
                self._old = {origin: {} for origin in Origin}

    def __len__(self) -> int:
        """Texts that are remembered; one in both generations counts twice, as its bytes do."""
        return self._count + sum(map(len, self._old.values()))
