"""Consistent probability sampling in numbers: 56 bits of randomness, and the threshold it must reach.

OpenTelemetry, "TraceState: Probability Sampling" (status Development): a trace is kept where R >= T, so that whoever
keeps at a small probability keeps what others with the same randomness keep at a larger one, too.
"""

from __future__ import annotations

import math
from typing import Final

BITS: Final = 56
ALWAYS: Final = 0
"""The threshold of probability one."""
NEVER: Final = 1 << BITS
"""No randomness reaches it; not a probability of the specification, which knows no zero."""
_BITS_PER_DIGIT: Final = 4
_HEX_DIGITS: Final = BITS // _BITS_PER_DIGIT


def randomness_of(trace_id: bytes) -> int:
    """R of a trace without an explicit `rv`: the last seven bytes of its id."""
    return int.from_bytes(trace_id[-7:], "big")


def threshold_of(probability: float) -> int:
    """T = (1 - p) * 2^56; NEVER for 0 and less, ALWAYS for 1 and more."""
    return min(NEVER, max(ALWAYS, NEVER - round(probability * NEVER)))


def rounded_threshold_of(probability: float, digits: int) -> int | None:
    """T of a probability with few hexadecimal digits, which is what fits into small headers; None out of range.

    Near 0 and 1 there are more digits by the number of leading `0` or `f`, so that the relative error stays small
    (OpenTelemetry, "TraceState: Probability Sampling", on the precision of thresholds).
    """
    if not 1 / NEVER <= probability <= 1:
        return None
    if probability == 1:
        return ALWAYS
    leading = max(-math.frexp(part)[1] // _BITS_PER_DIGIT for part in (probability, 1 - probability))
    scaled = probability * NEVER
    threshold = NEVER - int(scaled) - (scaled % 1 >= 0.5)
    cut = _BITS_PER_DIGIT * (_HEX_DIGITS - digits - leading)
    return threshold if cut <= 0 else (threshold + (1 << cut - 1)) >> cut << cut


def probability_of(threshold: int) -> float:
    """How likely R reaches the threshold."""
    return (NEVER - threshold) / NEVER


def adjusted_count_of(threshold: int) -> float:
    """How many traces one that was kept at this threshold stands for. Raises ZeroDivisionError for NEVER."""
    return NEVER / (NEVER - threshold)


def threshold_digits(threshold: int) -> str:
    """The value of `th`: hexadecimal digits without trailing zeros, `0` for ALWAYS."""
    return f"{threshold:014x}".rstrip("0") or "0"


def threshold_from(digits: str) -> int | None:
    """T of the value of `th`; None where it is not 1 to 14 lower-case hexadecimal digits."""
    if not 1 <= len(digits) <= _HEX_DIGITS or not _is_hex(digits):
        return None
    return int(digits.ljust(_HEX_DIGITS, "0"), 16)


def randomness_digits(randomness: int) -> str:
    """The value of `rv`."""
    return f"{randomness:014x}"


def randomness_from(digits: str) -> int | None:
    """R of the value of `rv`; None where it is not exactly 14 lower-case hexadecimal digits."""
    return int(digits, 16) if len(digits) == _HEX_DIGITS and _is_hex(digits) else None


def _is_hex(digits: str) -> bool:
    return not digits.strip("0123456789abcdef")
