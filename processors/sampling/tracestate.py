"""The `ot` member of a W3C tracestate: threshold (`th`), explicit randomness (`rv`), and what others put beside them.

OpenTelemetry, "TraceState: Handling": `ot=` and a list of `key:value` with semicolons between, 256 characters at the
most; sub-keys that are not known are passed on. W3C Trace Context 3.3: members with commas between, 32 at the most,
and one that was changed moves to the front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from processors.sampling.thresholds import randomness_digits, randomness_from, threshold_digits, threshold_from

MAX_OT_CHARACTERS: Final = 256
MAX_MEMBERS: Final = 32
_OT: Final = "ot="
_TH: Final = "th"
_RV: Final = "rv"
_BLANKS: Final = " \t"


@dataclass(slots=True)
class TraceState:
    """A tracestate as samplers see it.

    Attributes:
        th: digits of the threshold; empty: none.
        rv: digits of the explicit randomness; empty: none, then R is that of the trace id.
        others: further sub-keys of `ot`, each `key:value`.
        members: of other vendors, each `key=value`.
    """

    th: str = ""
    rv: str = ""
    others: tuple[str, ...] = ()
    members: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> TraceState:
        """The tracestate of a header or span; of `ot`, what is malformed is left out, as if it were not there."""
        state = cls()
        members = [member for part in text.split(",") if (member := part.strip(_BLANKS))]
        own = next((member for member in members if member.startswith(_OT)), "")
        state.members = tuple(member for member in members if not member.startswith(_OT))
        if own and len(own) - len(_OT) <= MAX_OT_CHARACTERS:
            state._read_own(own[len(_OT) :])
        return state

    def _read_own(self, value: str) -> None:
        others = []
        for part in value.split(";"):
            key, _, digits = part.partition(":")
            if key == _TH:
                self.th = "" if threshold_from(digits) is None else digits
            elif key == _RV:
                self.rv = "" if randomness_from(digits) is None else digits
            elif key:
                others.append(part)
        self.others = tuple(others)

    @property
    def threshold(self) -> int | None:
        """T; None where there is none. Set None to erase it."""
        return threshold_from(self.th)

    @threshold.setter
    def threshold(self, threshold: int | None) -> None:
        self.th = "" if threshold is None else threshold_digits(threshold)

    @property
    def randomness(self) -> int | None:
        """The explicit R; None where there is none."""
        return randomness_from(self.rv)

    @randomness.setter
    def randomness(self, randomness: int | None) -> None:
        self.rv = "" if randomness is None else randomness_digits(randomness)

    def write(self) -> str:
        """The text; `ot` in front, `rv` and `th` before other sub-keys, as the Collector writes it.

        What would go beyond the bounds of the two standards is left out: the last sub-keys, the last members.
        """
        own = self._own()
        members = (f"{_OT}{own}", *self.members) if own else self.members
        return ",".join(members[:MAX_MEMBERS])

    def _own(self) -> str:
        parts = [f"{_RV}:{self.rv}"] if self.rv else []
        if self.th:
            parts.append(f"{_TH}:{self.th}")
        parts += self.others
        while len(own := ";".join(parts)) > MAX_OT_CHARACTERS:
            parts.pop()
        return own
