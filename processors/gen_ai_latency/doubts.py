"""Why a time is not believed, whatever wrote it; known lies have reasons of their own, in the data."""

from __future__ import annotations

from enum import StrEnum


class Doubt(StrEnum):
    """A reason, as `penstock_latency_refused` counts it."""

    NOT_A_NUMBER = "not_a_number"
    NEGATIVE = "negative"
    TOO_SHORT = "too_short"
    LONGER_THAN_SPAN = "longer_than_span"
    OUTSIDE_SPAN = "outside_span"
    OUT_OF_ORDER = "out_of_order"
    ENDS_BEFORE_START = "ends_before_start"
    NOT_STREAMED = "not_streamed"
    ABSURD = "absurd"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
