"""Scores texts that were not seen before, many at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from processors.adversarial.alarms import admitted, counts
from processors.adversarial.lanes import Known, Lane
from processors.adversarial.telemetry import Telemetry
from processors.adversarial.verdict import Part, Verdict

LOT_CHARS: Final = 64 << 10
"""So much is scored at once: a few milliseconds of work at most."""

Wanted = tuple[str, Lane, int, Known]
"""A text, its lane, its hash, and where the verdict goes."""


class Judge(Protocol):
    """What scores texts."""

    def judge(self, parts: Sequence[Part]) -> list[Verdict]:
        """A verdict for each part."""


class Judging:
    """Asks the judge, and notes what it says."""

    def __init__(self, judge: Judge, telemetry: Telemetry, max_part_chars: int) -> None:
        """`max_part_chars`: so much of a text counts towards a lot."""
        self._judge = judge.judge
        self._telemetry = telemetry
        self._most = max_part_chars

    def learn(self, wanted: Sequence[Wanted]) -> None:
        """Find the verdicts on texts; one that cannot be examined is marked as failed."""
        for lot in self._lots(wanted):
            if not self._learn(lot) and len(lot) > 1:
                for one in lot:
                    self._learn([one])

    def _lots(self, wanted: Sequence[Wanted]) -> Iterator[list[Wanted]]:
        lot: list[Wanted] = []
        size = 0
        for entry in wanted:
            length = min(len(entry[0]), self._most)
            if lot and size + length > LOT_CHARS:
                yield lot
                lot, size = [], 0
            lot.append(entry)
            size += length
        if lot:
            yield lot

    def _learn(self, lot: Sequence[Wanted]) -> bool:
        """Score texts together; False where that failed."""
        telemetry = self._telemetry
        began = time.perf_counter()
        try:
            verdicts = self._judge([Part(text, lane.origin) for text, lane, _, _ in lot])
        except Exception:  # noqa: BLE001 - whatever a hostile text makes it do wrong, the record passes
            if len(lot) == 1:
                lot[0][3].fail()
            return False
        each_s = (time.perf_counter() - began) / max(1, sum(len(text) for text, _, _, _ in lot))
        examined = []
        for (text, lane, _, known), verdict in zip(lot, verdicts, strict=True):
            origin = lane.origin
            counted = admitted(verdict, origin)
            series = telemetry.parts(origin, counted.label, counted.category)
            known.learn(counted, series, alarms=counts(counted, origin))
            examined.append((origin, verdict, each_s * len(text)))
            if verdict.truncated:
                telemetry.skipped("size").count += 1
        telemetry.examined(examined)
        return True
