"""One text in several pieces: joined to be examined, replaced in the pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from processors.redaction.findings import Finding, stand_in
from processors.redaction.treatment import Treatment


def splice_pieces(
    pieces: Sequence[str], findings: Sequence[Finding], treatment: Treatment, separator: str = ""
) -> list[str]:
    """The pieces of a text with its findings replaced: the first piece touched gets the placeholder.

    `separator` stood between the pieces in the text in which the findings are.
    """
    joined = separator.join(pieces)
    ends = list(accumulate(len(piece) + len(separator) for piece in pieces))
    spliced = []
    first = 0
    for piece, end in zip(pieces, ends, strict=True):
        high = end - len(separator)
        low = high - len(piece)
        while first < len(findings) and findings[first].end <= low:
            first += 1
        spliced.append(_spliced(piece, low, joined, findings[first:], treatment))
    return spliced


def _spliced(piece: str, low: int, joined: str, findings: Sequence[Finding], treatment: Treatment) -> str:
    high = low + len(piece)
    kept = []
    position = low
    for finding in findings:
        if finding.start >= high:
            break
        kept.append(piece[position - low : max(finding.start, low) - low])
        if finding.start >= low:
            kept.append(stand_in(joined, finding, treatment))
        position = min(finding.end, high)
    kept.append(piece[position - low :])
    return "".join(kept)
