"""What stands in a text and is not seen: tag characters, variation selectors, invisible and bidirectional controls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Final, NamedTuple

import numpy as np

from processors.adversarial.text.acceptance import accepted, decoded
from processors.adversarial.text.code_points import points, shown, with_spaces
from processors.adversarial.text.view import Sign

_TAGS: Final = re.compile(rb"t+")
_UNPRINTABLE: Final = bytes({*range(32), 127} - {*b"\t\n"})
_SELECTORS: Final = re.compile(rb"[vw]{4,}")
_LONE_SELECTOR: Final = re.compile(rb"(?<=[^kvw])w{1,3}")
_LEAST_LONE: Final = 12
_BETWEEN_LETTERS: Final = re.compile(rb"(?<=[alckf])[zjv]*j[zjv]*(?=[alckf])")
_JOINED: Final = re.compile(rb"[alcgko0]{1,24}(?:[zj]{1,4}[alcgko0]{1,24}){2,}")
_JOINTS: Final = re.compile(rb"[zj][alcgko0]{1,24}[zj]")
_LEAST_MEAN: Final = 3
_MOST: Final = 4096
"""Characters of what is hidden that are read."""
_MOST_JOINED: Final = 1000
_BITS: Final = re.compile(rb"[zj]{48,}")
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_FLAG: Final = "\U0001f3f4"
_CANCEL_TAG: Final = "\U000e007f"
_MOST_FLAG_TAGS: Final = 6
"""UTS 51, subdivision flags: a black flag, up to 6 tags, and the cancel tag."""
_DIRECTION_MARKS: Final = re.compile("[\u200e\u200f\u061c\u202a-\u202c\u2066-\u2069]")


class Hidden(NamedTuple):
    """A text that was not to be seen, and where its characters stand."""

    name: str
    text: str
    start: int
    end: int


class Seen(NamedTuple):
    """A text without what is hidden in it.

    Attributes:
        turned: there are overrides of the direction.
    """

    text: str
    kinds: bytes
    hidden: list[Hidden]
    turned: bool = False


def uncovered(text: str, kinds: bytes, signs: list[int]) -> Seen:
    """Take out and read what is hidden; counts it in `signs`."""
    hidden: list[Hidden] = []
    if b"t" in kinds:
        hidden += _tags(text, kinds, signs)
    if b"v" in kinds or b"w" in kinds:
        hidden += _variation_selectors(text, kinds, signs)
    turned = _invisible(text, kinds, signs)
    if b"z" in kinds or b"j" in kinds:
        hidden += _bits(text, kinds)
        hidden += _as_spaces(text, kinds)
    return Seen(*shown(text, kinds), hidden, turned)


def _tags(text: str, kinds: bytes, signs: list[int]) -> Iterator[Hidden]:
    """Text in tag characters, if there is any; runs apart from each other are one text."""
    spans = [match.span() for match in islice(_TAGS.finditer(kinds), _MOST)]
    if _FLAG in text:
        spans = [span for span in spans if not _is_flag(text, *span)]
    if not spans:
        return
    signs[Sign.TAG_CHARACTERS] += sum(end - start for start, end in spans)
    tags = points("".join([text[start : min(end, start + _MOST)] for start, end in spans]))
    said = (tags & 0x7F).astype(np.uint8).tobytes().translate(None, _UNPRINTABLE).decode("ascii")
    if accepted(said, least=4):
        signs[Sign.TAG_TEXT] += 1
        yield Hidden("tag", said, spans[0][0], spans[-1][1])


def _is_flag(text: str, start: int, end: int) -> bool:
    is_short = end - start <= _MOST_FLAG_TAGS + 1
    return is_short and start > 0 and text[start - 1] == _FLAG and text[end - 1] == _CANCEL_TAG


def _byte(selector: str) -> int:
    point = ord(selector)
    return point - 0xFE00 if point < 0x10000 else point - 0xE0100 + 16


def _variation_selectors(text: str, kinds: bytes, signs: list[int]) -> Iterator[Hidden]:
    """Bytes written as runs of selectors, or as one behind every letter."""
    spans = [match.span() for match in _SELECTORS.finditer(kinds)]
    spans = [(start, end) for start, end in spans if len(set(text[start:end])) > 1]
    if not spans and b"w" in kinds:
        alone = [match.span() for match in islice(_LONE_SELECTOR.finditer(kinds), _MOST)]
        spans = alone if len(alone) >= _LEAST_LONE else []
    if not spans:
        return
    signs[Sign.VARIATION_BYTES] += sum(end - start for start, end in spans)
    said = decoded(
        bytes(map(_byte, islice(chain.from_iterable(text[start:end] for start, end in spans), _MOST))), least=4
    )
    if said is not None:
        signs[Sign.VARIATION_TEXT] += 1
        yield Hidden("variation_selector", said, spans[0][0], spans[-1][1])


def _invisible(text: str, kinds: bytes, signs: list[int]) -> bool:
    """Count controls that have no business there; whether the direction is overridden."""
    count = kinds.count(b"z") - text.startswith("\ufeff")
    if b"j" in kinds:
        count += b"".join(_BETWEEN_LETTERS.findall(kinds)).count(b"j")
    overrides = kinds.count(b"b")
    if (count or overrides) and _RIGHT_TO_LEFT.search(text):
        count, overrides = count - len(_DIRECTION_MARKS.findall(text)), 0
    signs[Sign.INVISIBLE] += max(0, count)
    signs[Sign.BIDI_OVERRIDE] += overrides
    return overrides > 0


def _reads_as_words(kinds: bytes) -> bool:
    """Whether the pieces are as long as words, not single letters."""
    return len(kinds.translate(None, b"zj")) >= _LEAST_MEAN * len(re.findall(rb"[zj]+", kinds))


def _as_spaces(text: str, kinds: bytes) -> Iterator[Hidden]:
    """Words that only something invisible keeps apart."""
    if not _JOINTS.search(kinds):
        return
    matches = list(islice(_JOINED.finditer(kinds), _MOST_JOINED))
    if matches and _reads_as_words(b" ".join(match.group() for match in matches)):
        start, end = matches[0].start(), min(matches[-1].end(), matches[0].start() + _MOST)
        apart = with_spaces(text[start:end], kinds[start:end])
        yield Hidden("invisible_space", apart, start, end)


def _bits(text: str, kinds: bytes) -> Iterator[Hidden]:
    """Octets written as two invisible characters."""
    for match in _BITS.finditer(kinds):
        start, end = match.span()
        run = text[start : min(end, start + 8 * _MOST)]
        symbols = sorted(set(run))
        if len(symbols) > 3 or len(symbols) < 2:
            continue
        zero, one = symbols[:2]
        bits = run.replace(zero, "0").replace(one, "1").replace(symbols[-1], "") if len(symbols) == 3 else run
        bits = bits.replace(zero, "0").replace(one, "1")
        bits = bits[: len(bits) // 8 * 8]
        for way in (bits, bits.translate({48: 49, 49: 48})):
            said = decoded(int(way, 2).to_bytes(len(way) // 8, "big"))
            if said is not None:
                yield Hidden("zero_width", said, start, end)
                return


__all__ = ["Hidden", "Seen", "uncovered"]
