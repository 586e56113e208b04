"""Finds sensitive data in a text however it is encoded: escapes, look-alike letters, percent encoding, base64."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from processors.redaction.detection import encodings
from processors.redaction.detection.detector import Detector
from processors.redaction.detection.findings import Edit, Finding, merge, spliced, stand_in
from processors.redaction.detection.triggers import SEPARATOR
from processors.redaction.detection.windows import WINDOW_CHARS, lots_of, windows_of
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts import json_text
from processors.redaction.texts.base64_text import Blobs, blob_finder

_DEEPEST: Final = 10
_MOST_PASSES: Final = 8
_LONGEST_HIDING: Final = 10
_LONGEST_CHARACTER_BYTES: Final = 4
_LOOKS: Final = 40
_FREE_LOOKS: Final = 1 << 16
_LOOK_BACK: Final = 32
_QUERY_BEFORE: Final = re.compile(r"[?&][0-9A-Za-z_.-]{1,24}=$")

_DECODED_ONLY: Final = (
    (encodings.INVISIBLE, encodings.INVISIBLE_CHARACTERS),
    (encodings.HTML, encodings.ENTITIES),
)
# The first that a text shows signs of.
_ALSO_DECODED: Final = (
    (encodings.FORM, encodings.FORM_ENCODING),
    (encodings.PERCENT, encodings.PERCENT_ENCODING),
)


class TooMuch(Exception):  # noqa: N818 - a limit, not a mistake
    """A text is beyond what is looked at (hits, nested encodings): the caller replaces it whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the work for one text."""

    max_bytes: int = 16 << 20
    max_hits: int = 50_000


class Found(NamedTuple):
    """What is to be redacted in a text: disjoint, in order.

    Attributes:
        settled: the redacted text needs no second look: what replacing could uncover is among the findings.
    """

    findings: list[Finding]
    settled: bool


class Finder:
    """Looks through all layers of a text. Safe to use from several threads."""

    def __init__(self, detector: Detector, limits: Limits = Limits()) -> None:
        """Find with `detector`, within `limits`."""
        self._detector = detector
        self._limits = limits
        self._blobs = blob_finder()

    def touched(self, texts: Sequence[str]) -> Sequence[int]:
        """Indexes of the texts in which `find` may find something; in all others it finds nothing."""
        joined = SEPARATOR.join(texts)
        if len(joined) > WINDOW_CHARS:
            return self._touched_in_lots(texts)
        if not encodings.hides_characters(joined):
            return self._detector.touched(texts, joined)
        shown = [_without_escapes(text) if encodings.hides_characters(text) else text for text in texts]
        # What is nested too deep is for `find` to refuse.
        deep = [index for index, text in enumerate(shown) if text is None]
        plain = [text or "" for text in shown]
        return sorted({*deep, *self._detector.touched(plain, SEPARATOR.join(plain))})

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
        return self.search(text, treatment).findings

    def search(self, text: str, treatment: Treatment) -> Found:
        """As `find`, and whether a second look is of use.

        Raises:
            TooMuch: a limit is exceeded.
        """
        largest = self._limits.max_bytes
        if len(text) * _LONGEST_CHARACTER_BYTES > largest < len(text.encode("utf-8", "surrogatepass")):
            raise TooMuch
        search = _Search(self._detector, self._blobs, self._limits, treatment, len(text))
        findings = search.find(text, 0)
        return Found(findings, search.settled)


class _Search:
    """One look through a text; the work is bounded by its length.

    Attributes:
        settled: see Found.
    """

    def __init__(self, detector: Detector, blobs: Blobs, limits: Limits, treatment: Treatment, size: int) -> None:
        self._detector = detector
        self._blobs = blobs
        self._most_hits = limits.max_hits
        self._treatment = treatment
        self._left = _LOOKS * size + _FREE_LOOKS
        self._quoted = 0
        self.settled = True

    def find(self, text: str, depth: int) -> list[Finding]:
        """What is to be redacted: disjoint, in order."""
        self._left -= len(text)
        if depth > _DEEPEST or self._left < 0:
            raise TooMuch
        if encodings.has_escapes(text):
            return self._in_escapes(text, depth)
        hits, markers = self._detector.scan(text)
        if not hits:
            return []
        if len(hits) > self._most_hits:
            raise TooMuch
        if not markers:
            return self._plain(text, hits)
        found = self._in_look_alikes(text, markers, depth)
        if found is None:
            plain, encoded = self._plain(text, hits), self._encoded(text, markers, depth)
            # What the text as it stands shows, too, is replaced there as it is seen decoded.
            shown = {finding[:2] for finding in plain}
            self._unsettled([finding for finding in encoded if finding[:2] not in shown])
            found = merge([*plain, *encoded])
        return found

    # --- layers that are looked at decoded only

    def _in_escapes(self, text: str, depth: int) -> list[Finding]:
        decoded = encodings.Decoded(text, encodings.ESCAPES)
        found = self.find(decoded.text, depth + 1)
        mapped = []
        for finding in found:
            start, end = decoded.original(finding.start, finding.end)
            replacement = finding.replacement
            if replacement is not None:
                replacement = encodings.escape(replacement)
            mapped.append(
                finding._replace(
                    start=start,
                    end=end,
                    value=finding.shown_in(decoded.text),
                    replacement=replacement,
                    escapes=finding.escapes + 1,
                )
            )
        return mapped

    def _in_look_alikes(self, text: str, markers: frozenset[str], depth: int) -> list[Finding] | None:
        """Findings in the text as it looks to a reader; None where it looks as it is."""
        for marker, encoding in _DECODED_ONLY:
            if marker in markers:
                decoded = encodings.Decoded(text, encoding)
                if decoded.text != text:
                    found = self.find(decoded.text, depth + 1)
                    mapped = self._mapped(decoded, found, encoding)
                    # Entities are decoded wherever they stand, so that what is beside them may be replaced first.
                    if encoding is not encodings.ENTITIES or not _is_as_written(text, mapped, decoded.text, found):
                        self._unsettled(mapped)
                    return mapped
        if encodings.FULL_WIDTH in markers and (folded := encodings.fold_full_width(text)) != text:
            found = self.find(folded, depth + 1)
            return self._unsettled([finding._replace(value=finding.shown_in(folded)) for finding in found])
        return None

    def _unsettled(self, found: list[Finding]) -> list[Finding]:
        self.settled = self.settled and not found
        return found

    def _mapped(
        self, decoded: encodings.Decoded, found: Sequence[Finding], encoding: encodings.Encoding
    ) -> list[Finding]:
        """Findings of a decoded text as findings of the original, with what is to be written there."""
        if encoding.encode is None:
            edits = [Edit(finding.start, finding.end, "", finding) for finding in found]
        else:
            edits = json_text.edits(decoded.text, found, self._treatment)
        mapped = []
        for start, end, shown, finding in edits:
            span = decoded.original(start, end)
            written = finding.replacement if encoding.encode is None else encoding.encode(shown)
            mapped.append(
                finding._replace(start=span[0], end=span[1], value=finding.shown_in(decoded.text), replacement=written)
            )
        return mapped

    # --- layers beside the text as it stands

    def _encoded(self, text: str, markers: frozenset[str], depth: int) -> list[Finding]:
        found: list[Finding] = []
        encoding = next((encoding for marker, encoding in _ALSO_DECODED if marker in markers), None)
        if encoding is not None:
            decoded = encodings.Decoded(text, encoding)
            if decoded.text != text:
                self._quoted += 1
                found = self._mapped(decoded, self.find(decoded.text, depth + 1), encoding)
                self._quoted -= 1
        if encodings.BASE64 in markers:
            found += self._in_base64(text, depth)
        return found

    def _in_base64(self, text: str, depth: int) -> Iterator[Finding]:
        for blob in self._blobs(text):
            inner = self.find(blob.text, depth + 1)
            if inner:
                written = blob.encode(spliced(blob.text, json_text.edits(blob.text, inner, self._treatment)))
                if not self._quoted and _QUERY_BEFORE.search(text, max(0, blob.start - _LOOK_BACK), blob.start):
                    # There a plus is a blank.
                    written = written.replace("+", "%2B")
                yield Finding(blob.start, blob.end, inner[0].rule, replacement=written, inner=tuple(inner))

    # --- a text as it stands

    def _plain(self, text: str, hits: Sequence[tuple[int, int]]) -> list[Finding]:
        """Findings, and what replacing them uncovers: edges and words that were too far away before."""
        found = merge(self._verified(text, hits))
        for _ in range(_MOST_PASSES):
            more = self._uncovered(text, hits, found) if found else ()
            if not more:
                kept = self._treatment.kept
                return [finding for finding in found if finding.rule.entity.name not in kept] if kept else found
            found = more
        raise TooMuch

    def _verified(self, text: str, hits: Sequence[tuple[int, int]]) -> list[Finding]:
        found = self._detector.verify(text, hits, self._treatment.types)
        if (allows := self._treatment.allows) is not None:
            return [
                finding
                for finding in found
                if not allows(text[finding.start : finding.end], text[max(0, finding.start - 1) : finding.start])
            ]
        return found

    def _uncovered(self, text: str, hits: Sequence[tuple[int, int]], found: list[Finding]) -> list[Finding]:
        """The findings with those that only show once these are replaced; empty where there are none."""
        edits = [Edit(item.start, item.end, stand_in(text, item, self._treatment), item) for item in found]
        redacted = spliced(text, edits)
        self._left -= len(redacted)
        if self._left < 0:
            raise TooMuch
        places = _places(edits)
        replaced = [finding[:2] for finding in found]
        near = self._detector.around(self._detector.hits_after(hits, replaced, redacted, places), places)
        more = [
            finding
            for finding in merge(self._verified(redacted, near) if near else ())
            if not _is_inside(finding, places)
        ]
        return _united(found, more, places) if more else []


def _is_as_written(text: str, mapped: Sequence[Finding], decoded: str, found: Sequence[Finding]) -> bool:
    """Whether nothing in the findings of a decoded text is encoded in the original."""
    written = [text[finding.start : finding.end] for finding in mapped]
    return written == [decoded[finding.start : finding.end] for finding in found]


def _without_escapes(text: str) -> str | None:
    """The text as it is scanned when all its escapes are decoded; None where they are nested too deep."""
    for _ in range(_DEEPEST):
        if not encodings.has_escapes(text):
            return text
        text = encodings.unescaped(text)
    return None


def _places(edits: Sequence[Edit]) -> list[tuple[int, int]]:
    """Where the stand-ins are in the spliced text."""
    places = []
    shift = 0
    for start, end, shown, _ in edits:
        places.append((start + shift, start + shift + len(shown)))
        shift += len(shown) - (end - start)
    return places


def _is_inside(finding: Finding, places: Sequence[tuple[int, int]]) -> bool:
    index = bisect_right(places, finding.start, key=_start_of) - 1
    return index >= 0 and finding.end <= places[index][1]


def _united(found: Sequence[Finding], more: Sequence[Finding], places: Sequence[tuple[int, int]]) -> list[Finding]:
    """Findings of a text and of the spliced one, as findings of the text: one that touches others takes them in."""
    united = list(found)
    for finding in more:
        first = bisect_right(places, finding.start, key=_end_of)
        last = bisect_left(places, finding.end, key=_start_of)
        touched = found[first:last]
        moved = finding._replace(
            start=finding.start - _shift(found, places, first), end=finding.end - _shift(found, places, last)
        )
        if touched:
            start, end = min(moved.start, touched[0].start), max(moved.end, touched[-1].end)
            # What begins or ends inside a stand-in has no place of its own in the text.
            if finding.start >= places[first][0]:
                start = touched[0].start
            if finding.end <= places[last - 1][1]:
                end = touched[-1].end
            moved = moved._replace(start=start, end=end)
            united = [item for item in united if item not in touched]
        united.append(moved)
    return merge(united)


def _shift(found: Sequence[Finding], places: Sequence[tuple[int, int]], count: int) -> int:
    """How much further right a text stands in the spliced text behind so many stand-ins."""
    return places[count - 1][1] - found[count - 1].end if count else 0


def _start_of(place: tuple[int, int]) -> int:
    return place[0]


def _end_of(place: tuple[int, int]) -> int:
    return place[1]
