"""Text inside text: JSON escapes, full-width letters, percent encoding, base64.

Each decoder gives a `Decoded`: the text as a reader sees it, and a way back from its offsets to those of the original,
so that what is found in it can be replaced in the original without touching the rest.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Marker(NamedTuple):
    """An encoding that a text may use, and the expression that shows it."""

    name: str
    expression: str


FULL_WIDTH: Final = "full_width"
PERCENT: Final = "percent"
BASE64: Final = "base64"

# What a text is scanned for beside the triggers of rules. JSON escapes are no marker: a text full of them is scanned
# decoded only, which is ten times cheaper.
MARKERS: Final = (
    # Spelled out: the engines work on bytes, where a class of wide characters has no meaning.
    Marker(FULL_WIDTH, "|".join(map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF20, 0xFF3B), *range(0xFF41, 0xFF5B))))),
    Marker(PERCENT, r"%[0-9a-fA-F]{2}"),
    # `+`, `/` and their like are rare in base64 of text, and common between the words of paths.
    Marker(BASE64, "[0-9A-Za-z]{24}"),
)

# Each expression begins with a literal, which `re` looks for at the speed of memchr.
_HIDING: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|/)")
_ESCAPE: Final = re.compile(r"""\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|["\\/bfnrt'])""")
_SIMPLE: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATE: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_PERCENT_RUN: Final = re.compile(r"%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2})*")
_BASE64_RUN: Final = re.compile(r"(?<![0-9A-Za-z+/_-])[0-9A-Za-z+/_-]{24,}={0,2}")
_WORD_RUN: Final = re.compile(r"[0-9A-Za-z]{24,}={0,2}")
_HEX_RUN: Final = re.compile(r"[0-9a-fA-F-]+")
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x2212: 0x2D, 0x3000: 0x20}
_PRINTABLE_SHARE: Final = 0.9


@dataclass(slots=True)
class Decoded:
    """A decoded text and its map: `origins[i]` is where the decoded offset `starts[i]` stands in the original."""

    text: str = ""
    starts: list[int] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Characters of the original for one decoded character in the stretch that begins there."""

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a decoded span stands for; escapes are never cut."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, offset: int) -> tuple[int, int]:
        index = bisect_right(self.starts, offset) - 1
        step = self.steps[index]
        begin = self.origins[index] + (offset - self.starts[index]) * step
        return begin, begin + step


def hides_characters(text: str) -> bool:
    """Whether escapes may hide what a trigger looks for, so that the text has to be decoded before it is scanned."""
    # One character is looked for several times faster than two.
    return "\\" in text and ("\\u" in text or "\\/" in text) and _HIDING.search(text) is not None


def has_json_escapes(text: str) -> bool:
    """Whether decoding JSON escapes would change the text."""
    return "\\" in text and _ESCAPE.search(text) is not None


def decode_json_escapes(text: str) -> Decoded:
    """Undo one level of JSON string escapes (RFC 8259 section 7, and of quotes); other backslashes stay."""
    return _decode(text, _ESCAPE, _unescape)


def decode_percent(text: str) -> Decoded:
    """Undo percent encoding (RFC 3986 section 2.1) where it gives UTF-8."""
    return _decode(text, _PERCENT_RUN, _unquote)


def fold_full_width(text: str) -> str:
    """Full-width ASCII as ASCII, character by character: offsets stay."""
    return text.translate(_WIDE)


def base64_texts(text: str) -> Iterator[tuple[int, int, str]]:
    """Runs of base64 (either alphabet) that hold readable text: (start, end, the text)."""
    for match in _BASE64_RUN.finditer(text):
        if decoded := _readable(match.group()):
            yield match.start(), match.end(), decoded
            continue
        for part in _WORD_RUN.finditer(text, match.start(), match.end()):
            if part.group() != match.group() and (decoded := _readable(part.group())):
                yield part.start(), part.end(), decoded


def encode_base64_like(original: str, text: str) -> str:
    """Encode text with the alphabet and the padding habit of `original`."""
    url_safe = "-" in original or "_" in original
    encoded = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(text.encode()).decode()
    return encoded if original.endswith("=") or len(original) % 4 == 0 else encoded.rstrip("=")


def _readable(run: str) -> str | None:
    if _HEX_RUN.fullmatch(run):
        return None
    padded = run.rstrip("=").replace("-", "+").replace("_", "/")
    if len(padded) % 4 == 1:
        return None
    try:
        text = base64.b64decode(padded + "=" * (-len(padded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    readable = sum(character.isprintable() or character.isspace() for character in text)
    return text if readable >= _PRINTABLE_SHARE * len(text) else None


def _decode(text: str, pattern: re.Pattern[str], decode: Callable[[str], list[tuple[str, int]]]) -> Decoded:
    decoded = Decoded()
    pieces: list[str] = []
    length = position = 0

    def add(piece: str, origin: int, step: int) -> None:
        nonlocal length
        decoded.starts.append(length)
        decoded.origins.append(origin)
        decoded.steps.append(step)
        pieces.append(piece)
        length += len(piece)

    for match in pattern.finditer(text):
        if match.start() > position:
            add(text[position : match.start()], position, 1)
        position = match.start()
        for piece, step in decode(match.group()):
            add(piece, position, step)
            position += len(piece) * step
        position = match.end()
    add(text[position:], position, 1)
    decoded.text = "".join(pieces)
    return decoded


def _unescape(run: str) -> list[tuple[str, int]]:
    if run[1] != "u":
        return [(_SIMPLE.get(run[1], run[1]), 2)]
    if not _SURROGATE.search(run):
        return [(_utf16(run), 6)]
    pieces = []
    position = 0
    while position < len(run):
        pair = _SURROGATE.match(run, position)
        step = 12 if pair else 6
        pieces.append((_utf16(run[position : position + step]), step))
        position += step
    return pieces


def _utf16(escapes: str) -> str:
    return bytes.fromhex(escapes.replace("\\u", "")).decode("utf-16-be", "surrogatepass")


def _unquote(run: str) -> list[tuple[str, int]]:
    data = bytes.fromhex(run.replace("%", ""))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return [(data.decode("latin-1"), 3)]
    return [(character, 3 * len(character.encode())) for character in text]
