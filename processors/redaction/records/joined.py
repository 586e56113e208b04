"""One text in several pieces: joined to be examined, replaced in the pieces."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from processors.redaction.detection.findings import Finding, stand_in
from processors.redaction.knowledge.treatment import Treatment


def splice_pieces(
    pieces: Sequence[str], findings: Sequence[Finding], treatment: Treatment, separator: str = ""
) -> list[str]:
    """The pieces of a text with its findings replaced: the first piece touched gets the placeholder.

    `separator` stood between the pieces in the text in which the findings are.
    """
    joined = separator.join(pieces)
    spliced = []
    first = 0
    for piece, low in zip(pieces, _starts(pieces, separator), strict=True):
        while first < len(findings) and findings[first].end <= low:
            first += 1
        spliced.append(_spliced(piece, low, joined, findings[first:], treatment))
    return spliced


def across_pieces(pieces: Sequence[str], findings: Sequence[Finding], separator: str = "") -> list[Finding]:
    """Those of the findings that no piece holds alone."""
    starts = _starts(pieces, separator)

    def piece_at(offset: int) -> int:
        return bisect_right(starts, offset)

    return [finding for finding in findings if piece_at(finding.start) != piece_at(finding.end - 1)]


def _starts(pieces: Sequence[str], separator: str) -> list[int]:
    return list(accumulate((len(piece) + len(separator) for piece in pieces[:-1]), initial=0))


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
