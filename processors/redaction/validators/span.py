"""What every validator needs: the redacted span of a match and its neighbourhood."""

from __future__ import annotations

import re


def value_span(match: re.Match[str]) -> tuple[int, int]:
    """The span of the group `value` where the pattern has one that took part, else of the whole match."""
    if "value" in match.re.groupindex and match.start("value") >= 0:
        return match.span("value")
    return match.span()


def value_text(match: re.Match[str]) -> str:
    """The text of `value_span`."""
    start, end = value_span(match)
    return match.string[start:end]


def text_before(match: re.Match[str], length: int) -> str:
    """Up to `length` characters before the redacted span."""
    start = value_span(match)[0]
    return match.string[max(0, start - length) : start]


def digits_of(text: str) -> str:
    """The ASCII digits of a text."""
    return "".join([character for character in text if "0" <= character <= "9"])
