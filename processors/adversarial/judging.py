"""Scores texts that were not seen before, many at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from pipeline.lots import lots
from processors.adversarial.alarms import admitted, counts
from processors.adversarial.lanes import Known, Lane
from processors.adversarial.telemetry import Series, Telemetry
from processors.adversarial.verdict import Label, Origin, Part, Verdict

LOT_CHARS: Final = 64 << 10
"""So much is scored at once: a few milliseconds of work at most."""

Wanted = tuple[str, Lane, int, Known]
"""A text, its lane, its hash, and where the verdict goes."""

_PASSED: Final = Verdict(0.0, Label.PASS)


class Judge(Protocol):
    """What scores texts."""

    def judge(self, parts: Sequence[Part]) -> list[Verdict]:
        """A verdict for each part."""


class Gauges:
    """Where the texts of a lane are counted and measured.

    Attributes:
        alarms: whether the score of one that passes counts for its record.
    """

    __slots__ = ("alarms", "duration", "passed", "score")

    def __init__(
        self, passed: Series, score: Callable[[float], None], duration: Callable[[float], None], alarms: bool
    ) -> None:
        """Bind series."""
        self.passed = passed
        self.score = score
        self.duration = duration
        self.alarms = alarms


class Judging:
    """Asks the judge, and notes what it says."""

    def __init__(self, judge: Judge, telemetry: Telemetry, max_part_chars: int) -> None:
        """`max_part_chars`: so much of a text counts towards a lot."""
        self._judge = judge.judge
        self._telemetry = telemetry
        self._most = max_part_chars
        self._gauges: dict[Lane, Gauges] = {}

    def learn(self, wanted: Sequence[Wanted]) -> None:
        """Find the verdicts on texts; one that cannot be examined is marked as failed."""
        for lot in lots(wanted, self._size, LOT_CHARS):
            if not self._learn(lot) and len(lot) > 1:
                for one in lot:
                    self._learn([one])

    def _size(self, entry: Wanted) -> int:
        return min(len(entry[0]), self._most)

    def _learn(self, lot: Sequence[Wanted]) -> bool:
        """Score texts together; False where that failed."""
        began = time.perf_counter()
        try:
            verdicts = self._judge([Part(text, lane.origin) for text, lane, _, _ in lot])
        except Exception:  # noqa: BLE001 - whatever a hostile text makes it do wrong, the record passes
            if len(lot) == 1:
                lot[0][3].fail()
            return False
        each_s = (time.perf_counter() - began) / len(lot)
        spent_s: dict[Gauges, float] = {}
        for (_, lane, _, known), verdict in zip(lot, verdicts, strict=True):
            gauges = self._gauges.get(lane) or self._add_gauges(lane)
            gauges.score(verdict.score)
            spent_s[gauges] = spent_s.get(gauges, 0.0) + each_s
            if verdict.label is Label.PASS and not verdict.truncated:
                known.learn(verdict, gauges.passed, alarms=gauges.alarms)
            else:
                self._learn_one(lane.origin, known, verdict)
        for gauges, seconds in spent_s.items():
            gauges.duration(seconds)
        return True

    def _learn_one(self, origin: Origin, known: Known, verdict: Verdict) -> None:
        """Note a verdict that is not simply a pass."""
        telemetry = self._telemetry
        counted = admitted(verdict, origin)
        series = telemetry.parts(origin, counted.label, counted.category)
        known.learn(counted, series, alarms=counts(counted, origin))
        if verdict.truncated:
            telemetry.skipped("size").count += 1

    def _add_gauges(self, lane: Lane) -> Gauges:
        telemetry, origin = self._telemetry, lane.origin
        passed = telemetry.parts(origin, Label.PASS, "")
        score, duration = telemetry.histograms(origin)
        gauges = self._gauges[lane] = Gauges(passed, score, duration, counts(_PASSED, origin))
        return gauges
