"""Finds sensitive data in a text however it is encoded: escapes, full-width letters, percent encoding, base64."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from processors.redaction import encodings
from processors.redaction.detector import Detector
from processors.redaction.findings import Finding, merge, splice
from processors.redaction.treatment import Treatment
from processors.redaction.triggers import SEPARATOR
from processors.redaction.windows import WINDOW_CHARS, lots_of, windows_of

_DEEPEST: Final = 10
_LONGEST_HIDING: Final = 6
_LONGEST_CHARACTER_BYTES: Final = 4

# Long words look like base64 often enough to be worth a look before anything else is decoded.
_ONLY_BASE64: Final = frozenset({encodings.BASE64})


class TooMuch(Exception):  # noqa: N818 - a limit, not a mistake
    """A text is beyond what is looked at (hits, nested encodings): the caller replaces it whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work for one text."""

    max_bytes: int = 16 << 20
    max_hits: int = 200_000


class Finder:
    """Looks through all layers of a text. Safe to use from several threads."""

    def __init__(self, detector: Detector, limits: Limits = Limits()) -> None:
        """Find with `detector`, within `limits`."""
        self._detector = detector
        self._limits = limits

    def touched(self, texts: Sequence[str]) -> Sequence[int]:
        """Indexes of the texts in which `find` may find something; in all others it finds nothing."""
        joined = SEPARATOR.join(texts)
        if len(joined) > WINDOW_CHARS:
            return self._touched_in_lots(texts)
        if not encodings.hides_characters(joined):
            return self._detector.touched(texts, joined)
        hidden = [index for index, text in enumerate(texts) if encodings.hides_characters(text)]
        # What is written in escapes is looked at by itself, decoded.
        shown = ["" if encodings.hides_characters(text) else text for text in texts]
        return sorted({*hidden, *self._detector.touched(shown, SEPARATOR.join(shown))})

    def _touched_in_lots(self, texts: Sequence[str]) -> Sequence[int]:
        found: list[int] = []
        for lot in lots_of(texts):
            some = texts[lot.start : lot.stop]
            if len(lot) > 1 or len(some[0]) < WINDOW_CHARS:
                found += [lot.start + index for index in self.touched(some)]
            elif self._touches(some[0]):
                found.append(lot.start)
        return found

    def _touches(self, text: str) -> bool:
        """Whether there may be something in a text of any size."""
        pieces = windows_of(text, _LONGEST_HIDING)
        return any(encodings.hides_characters(piece) for _, piece in pieces) or self._detector.touches(text)

    def is_context(self, text: str) -> bool:
        """Whether words of a text, such as a key, decide what a value beside it is."""
        return self._detector.is_context(text)

    def find(self, text: str, treatment: Treatment) -> list[Finding]:
        """What is to be redacted in a text: disjoint, in order.

        Raises:
            TooMuch: a limit is exceeded.
        """
        largest = self._limits.max_bytes
        if len(text) * _LONGEST_CHARACTER_BYTES > largest < len(text.encode("utf-8", "surrogatepass")):
            raise TooMuch
        return merge(self._find(text, treatment, 0))

    def _find(self, text: str, treatment: Treatment, depth: int) -> list[Finding]:
        if depth > _DEEPEST:
            raise TooMuch
        if encodings.hides_characters(text):
            return self._find_decoded(encodings.decode_json_escapes(text), treatment, depth)
        hits, markers = self._detector.scan(text)
        if not hits:
            return []
        if len(hits) > self._limits.max_hits:
            raise TooMuch
        if len(markers) == len(hits) and markers == _ONLY_BASE64 and next(encodings.base64_texts(text), None) is None:
            return []
        if encodings.has_json_escapes(text):
            return self._find_decoded(encodings.decode_json_escapes(text), treatment, depth)
        if encodings.FULL_WIDTH in markers:
            return self._find(encodings.fold_full_width(text), treatment, depth + 1)
        found = list(self._detector.verify(text, hits, treatment.types))
        if (allows := treatment.allows) is not None:
            found = [finding for finding in found if not allows(text[finding.start : finding.end])]
        if encodings.PERCENT in markers:
            found += self._find_decoded(encodings.decode_percent(text), treatment, depth)
        if encodings.BASE64 in markers:
            found += self._find_base64(text, treatment, depth)
        return found

    def _find_decoded(self, decoded: encodings.Decoded, treatment: Treatment, depth: int) -> list[Finding]:
        found = []
        for finding in self._find(decoded.text, treatment, depth + 1):
            start, end = decoded.original(finding.start, finding.end)
            value = decoded.text[finding.start : finding.end] if finding.value is None else finding.value
            found.append(replace(finding, start=start, end=end, value=value))
        return found

    def _find_base64(self, text: str, treatment: Treatment, depth: int) -> Iterator[Finding]:
        for start, end, decoded in encodings.base64_texts(text):
            inner = merge(self._find(decoded, treatment, depth + 1))
            if inner:
                redacted = encodings.encode_base64_like(text[start:end], splice(decoded, inner, treatment))
                yield Finding(start, end, inner[0].rule, replacement=redacted, inner=tuple(inner))
