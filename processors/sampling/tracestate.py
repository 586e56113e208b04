"""The `ot` member of a W3C tracestate: threshold (`th`), explicit randomness (`rv`), and what others put beside them.

OpenTelemetry, "TraceState: Handling": `ot=` and a list of `key:value` with semicolons between, 256 characters at the
most; sub-keys that are not known are passed on. W3C Trace Context 3.3: members with commas between, 32 at the most,
and one that was changed moves to the front.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from processors.sampling.thresholds import randomness_digits, randomness_from, threshold_digits, threshold_from

MAX_CHARACTERS: Final = 1024
"""What the Collector reads; W3C wants 512 at the least."""
MAX_OT_CHARACTERS: Final = 256
MAX_MEMBERS: Final = 32
_OT: Final = "ot="
_TH: Final = "th"
_RV: Final = "rv"
_BLANKS: Final = " \t"

_KEY_REST: Final = r"[a-z0-9_\-*/]"
_MEMBER: Final = re.compile(
    rf"(?:[a-z]{_KEY_REST}{{0,255}}|[a-z0-9]{_KEY_REST}{{0,240}}@[a-z]{_KEY_REST}{{0,13}})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_SUB_KEY: Final = r"(?:th:[0-9a-f]{1,14}|rv:[0-9a-f]{14}|(?!th:|rv:)[a-z][a-z0-9]*:[a-zA-Z0-9._\-]*)"
_OWN: Final = re.compile(rf"ot={_SUB_KEY}(?:;{_SUB_KEY})*")


class MalformedTraceState(ValueError):  # noqa: N818 - it says what it is
    """A tracestate that breaks the standard."""


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
    def parse(cls, text: str) -> TraceState:
        """The tracestate of a span, for who must not go on with a malformed one.

        Raises:
            MalformedTraceState: the text breaks a rule of W3C, or its `ot` one of OpenTelemetry.
        """
        if not _is_well_formed(text):
            raise MalformedTraceState
        return cls(*_fields_of(text))

    @classmethod
    def read(cls, text: str) -> TraceState:
        """The tracestate of a header or span; of `ot`, what is malformed is left out, as if it were not there."""
        return cls(*_fields_of(text))

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


# Spans of a trace mostly have the same.
@lru_cache(maxsize=1024)
def _fields_of(text: str) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    members = _members(text)
    own = next((member for member in members if member.startswith(_OT)), "")
    rest = tuple(member for member in members if not member.startswith(_OT))
    th = rv = ""
    others = []
    for part in own[len(_OT) :].split(";") if len(own) <= len(_OT) + MAX_OT_CHARACTERS else ():
        key, _, digits = part.partition(":")
        if key == _TH:
            th = "" if threshold_from(digits) is None else digits
        elif key == _RV:
            rv = "" if randomness_from(digits) is None else digits
        elif key:
            others.append(part)
    return th, rv, tuple(others), rest


def _members(text: str) -> list[str]:
    return [member for part in text.split(",") if (member := part.strip(_BLANKS))]


@lru_cache(maxsize=1024)
def _is_well_formed(text: str) -> bool:
    members = _members(text)
    return (
        len(text) <= MAX_CHARACTERS
        and len(members) <= MAX_MEMBERS
        and all(_MEMBER.fullmatch(member) for member in members)
        and all(_is_own(member) for member in members if member.startswith(_OT))
    )


def _is_own(member: str) -> bool:
    return len(member) <= len(_OT) + MAX_OT_CHARACTERS and _OWN.fullmatch(member) is not None
