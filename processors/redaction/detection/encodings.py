"""Text inside text: escapes of JSON and Python, percent encoding, HTML entities, invisible and full-width characters.

Each encoding gives a `Decoded`: the text as a reader sees it, and a way back from its offsets to those of the original,
so that what is found in it can be replaced in the original without touching the rest.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

import orjson

from processors.redaction.detection.windows import WINDOW_CHARS, join


class Marker(NamedTuple):
    """An encoding that a text may use, and the expression that shows it."""

    name: str
    expression: str


FULL_WIDTH: Final = "full_width"
INVISIBLE: Final = "invisible"
HTML: Final = "html"
PERCENT: Final = "percent"
FORM: Final = "form"
BASE64: Final = "base64"

# Unicode's default ignorable characters that turn up in text, the frame of a key cap, and the zero bytes of UTF-16.
_INVISIBLE_CHARACTERS: Final = "\u00ad\u034f\u061c\u180e\u20e3\ufeff" + "".join(
    map(chr, (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)))
)
_TAGS: Final = "".join(map(chr, range(0xE0020, 0xE0080)))
_COLOUR: Final = r"\x1b\[[0-9;]{0,16}[mK]"
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u30fc\uff70"
_SPACES: Final = "\u00a0\u2007\u2009\u202f\u3000"
_MINUS: Final = "\u2212"
_WIDE_ALPHANUMERIC: Final = "".join(map(chr, (*range(0xFF10, 0xFF1A), *range(0xFF20, 0xFF3B), *range(0xFF41, 0xFF5B))))
# Digits of Arabic, Persian, Hindi, Bengali and Thai, and the letters and digits of mathematics.
_DIGITS: Final = "".join(chr(zero + digit) for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xE50) for digit in range(10))
_MATHEMATICAL: Final = {
    code: plain
    for code in range(0x1D400, 0x1D800)
    if (plain := unicodedata.normalize("NFKC", chr(code))).isascii() and len(plain) == 1
}
_ENTITY_NAMES: Final = (
    "amp|lt|gt|quot|apos|nbsp|shy|commat|period|colon|semi|num|lowbar|hyphen|dash|equals|plus|percnt|sol|bsol|lpar|rpar"
)


def _any_of(characters: Iterable[str]) -> str:
    """Spelled out: the engines work on bytes, where a class of wide characters has no meaning."""
    return f"(?:{'|'.join(characters)})"


# What a text is scanned for beside the triggers of rules. JSON escapes are no marker: a text full of them is scanned
# decoded only, which is ten times cheaper.
MARKERS: Final = (
    Marker(
        FULL_WIDTH,
        f"{_any_of(_WIDE_ALPHANUMERIC)}|[0-9]{_any_of(_DASHES + _MINUS + _SPACES + chr(0xFF0D) + chr(0xFF0E))}[0-9]"
        f"|{_any_of(chr(0xFF09) + chr(0xFF0B))}[0-9]|{_any_of(_DIGITS)}|{_any_of(map(chr, _MATHEMATICAL))}",
    ),
    # What stands behind is not asked for: it would take the scan a fifth longer.
    Marker(INVISIBLE, rf"[0-9A-Za-z@._-](?:\x00|{_any_of(_INVISIBLE_CHARACTERS + _TAGS)})|{_COLOUR}"),
    Marker(HTML, f"&(?:#[0-9]{{2,7}}|#[xX][0-9a-fA-F]{{2,6}}|{_ENTITY_NAMES});"),
    Marker(PERCENT, r"%[0-9a-fA-F]{2}"),
    Marker(FORM, r"[?&][0-9A-Za-z_.-]{1,24}=[0-9A-Za-z%._-]{1,48}\+[0-9A-Za-z%(]"),
    # `+`, `/` and their like are rare in base64 of text, and common between the words of paths.
    Marker(BASE64, ";base64,|[0-9A-Za-z]{20}"),
)


_LONGEST_ESCAPE: Final = 24


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way to write characters as others.

    Attributes:
        run: encoded characters in a row, as the one group of the expression.
        decode: what such a run says.
        sizes: for each character of what a run says, how many characters stand for it.
        encode: writes a stand-in so that a reader who decodes the text sees it; None where it needs nothing.
    """

    run: re.Pattern[str]
    decode: Callable[[str], str]
    sizes: Callable[[str], Sequence[int]]
    encode: Callable[[str], str] | None = None


class Decoded:
    """A decoded text with the way from its offsets to those of the original and back."""

    __slots__ = ("_decoded_ends", "_encoding", "_ends", "_parts", "_pieces", "_runs", "text")

    def __init__(self, text: str, encoding: Encoding) -> None:
        """Decode; the way back is only laid out when it is asked for."""
        self._encoding = encoding
        # Plain and encoded pieces in turn.
        self._parts = encoding.run.split(text) if len(text) <= WINDOW_CHARS else _split_in_windows(encoding.run, text)
        self._pieces = self._parts.copy()
        self._pieces[1::2] = [encoding.decode(run) if run else "" for run in self._parts[1::2]]
        self.text = join(self._pieces)
        self._ends: list[int] | None = None
        self._decoded_ends: list[int] = []
        self._runs: dict[int, list[int]] = {}

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a decoded span stands for; what stands for one character is never cut."""
        return self._place(start)[0], self._place(end - 1)[1]

    def offset(self, original: int) -> int:
        """The decoded offset of the character that an offset of the original stands in."""
        ends = self._lay_out()
        index = min(bisect_right(ends, original), len(ends) - 1)
        within = original - (ends[index - 1] if index else 0)
        before = self._decoded_ends[index - 1] if index else 0
        if index % 2 == 0:
            return before + min(within, len(self._parts[index]))
        return before + bisect_right(self._run(index), within)

    def _place(self, offset: int) -> tuple[int, int]:
        ends = self._lay_out()
        index = bisect_right(self._decoded_ends, offset)
        within = offset - (self._decoded_ends[index - 1] if index else 0)
        begin = ends[index - 1] if index else 0
        if index % 2 == 0:
            return begin + within, begin + within + 1
        run = self._run(index)
        return begin + (run[within - 1] if within else 0), begin + run[within]

    def _lay_out(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate(map(len, self._parts)))
            self._decoded_ends = list(accumulate(map(len, self._pieces)))
        return self._ends

    def _run(self, index: int) -> list[int]:
        """Where each character of an encoded piece ends in it."""
        ends = self._runs.get(index)
        if ends is None:
            ends = self._runs[index] = list(accumulate(self._encoding.sizes(self._parts[index])))
        return ends


def _split_in_windows(run: re.Pattern[str], text: str) -> list[str]:
    """Plain and encoded pieces in turn, from windows of a large text; an encoded piece between two may be empty."""
    parts: list[str] = []
    position = 0
    while position < len(text):
        window = text[position : position + WINDOW_CHARS]
        pieces = run.split(window)
        size = len(window)
        if position + size < len(text):
            # What stands at the end may go on behind it.
            kept = pieces[-1][:-_LONGEST_ESCAPE] if len(pieces[-1]) > _LONGEST_ESCAPE else ""
            held = len(pieces[-1]) - len(kept) if kept or len(pieces) == 1 else len(pieces[-1]) + len(pieces[-2])
            if held < size:
                pieces = [*pieces[:-1], kept] if kept else pieces[:-2]
                size -= held
        parts += ["", *pieces] if parts else pieces
        position += size
    return parts


# --- escapes of JSON (RFC 8259 section 7), of JavaScript and of Python

_HIDING: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|/|x[0-9a-fA-F]{2}|U00[01][0-9a-fA-F]{5})")
# Runs are bounded, so that windows of large texts can be cut between them.
_ESCAPE: Final = re.compile(
    r"""(\\(?:["/bfnrt']|u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4}){0,9999}+|\\(?:\\\\){0,9999}+"""
    r"""|x[0-9a-fA-F]{2}(?:\\x[0-9a-fA-F]{2}){0,9999}+|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))"""
)
_ONE_ESCAPE: Final = re.compile(
    r"""\\(?:["/\\bfnrt']|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})"""
)
_SIMPLE: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_TWO: Final = 2
_ESCAPED_QUOTE: Final = '\\"'
# In place of a quote, which would end the string.
_QUOTE: Final = "\x7f"
_SURROGATE: Final = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_HEX_ESCAPE_SIZE: Final = 4
_SHORT_ESCAPE_SIZE: Final = 6
_LONG_ESCAPE_SIZE: Final = 10


def hides_characters(text: str) -> bool:
    """Whether escapes may hide what a trigger looks for, so that the text has to be decoded before it is scanned."""
    # One character is looked for several times faster than two.
    return "\\" in text and _HIDING.search(text) is not None


def has_escapes(text: str) -> bool:
    """Whether decoding escapes would change the text."""
    return "\\" in text and _ONE_ESCAPE.search(text) is not None


def unescaped(text: str) -> str:
    """The text with its escapes decoded once, as `Decoded` does it, for those who need no way back."""
    if "\\\\" not in text and "\\u007" not in text and _QUOTE not in text:
        with suppress(orjson.JSONDecodeError):
            shown = orjson.loads(f'"{text.replace(_ESCAPED_QUOTE, _QUOTE).replace(chr(0x22), _QUOTE)}"')
            return str(shown).replace(_QUOTE, '"')
    return Decoded(text, ESCAPES).text


def _unescape(run: str) -> str:
    kind = run[1]
    if kind == "\\":
        return run[: len(run) // 2]
    if len(run) == _TWO:
        return _SIMPLE.get(kind, kind)
    if kind == "u":
        try:
            return str(orjson.loads(f'"{run}"'))
        except orjson.JSONDecodeError:
            # A surrogate that stands alone.
            return bytes.fromhex(run.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
    if kind == "U":
        return bytes.fromhex(run[2:]).decode("utf-32-be", "surrogatepass")
    return _text_of(bytes.fromhex(run.replace("\\x", "")))


def _escape_sizes(run: str) -> Sequence[int]:
    kind = run[1]
    if kind == "x":
        data = bytes.fromhex(run.replace("\\x", ""))
        return [_HEX_ESCAPE_SIZE * size for size in _byte_sizes(data)]
    if kind == "U":
        return [_LONG_ESCAPE_SIZE]
    if kind != "u":
        return [2] * (len(run) // 2)
    sizes = []
    position = 0
    while position < len(run):
        sizes.append(2 * _SHORT_ESCAPE_SIZE if _SURROGATE.match(run, position) else _SHORT_ESCAPE_SIZE)
        position += sizes[-1]
    return sizes


def _text_of(data: bytes) -> str:
    """Bytes of a Python literal: UTF-8 in those of `bytes`, single characters below 256 in those of `str`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _byte_sizes(data: bytes) -> Sequence[int]:
    try:
        return [len(character.encode()) for character in data.decode()]
    except UnicodeDecodeError:
        return [1] * len(data)


def escape(text: str) -> str:
    """A text as it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


ESCAPES: Final = Encoding(_ESCAPE, _unescape, _escape_sizes)

# --- percent encoding (RFC 3986 section 2.1), and of forms, where `+` stands for a space

_PERCENT_RUN: Final = r"(?:%[0-9a-fA-F]{2}){1,9999}+"
_NOT_IN_URLS: Final = re.compile(r"[^0-9A-Za-z<>:*@~_.-]+")


def _unquote(run: str) -> str:
    return " " if run == "+" else bytes.fromhex(run.replace("%", "")).decode("utf-8", "surrogateescape")


def _quoted_sizes(run: str) -> Sequence[int]:
    if run == "+":
        return [1]
    return [3 * len(character.encode("utf-8", "surrogateescape")) for character in _unquote(run)]


def _quote(text: str) -> str:
    def quoted(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match.group().encode("utf-8", "surrogatepass"))

    return _NOT_IN_URLS.sub(quoted, text)


PERCENT_ENCODING: Final = Encoding(re.compile(f"({_PERCENT_RUN})"), _unquote, _quoted_sizes, _quote)
FORM_ENCODING: Final = Encoding(re.compile(rf"({_PERCENT_RUN}|\+(?=[0-9A-Za-z%(]))"), _unquote, _quoted_sizes, _quote)

# --- HTML entities

_NOT_IN_HTML: Final = {"&": "&amp;", '"': "&quot;", "'": "&#39;", "\\": "&#92;"}


def _entity_sizes(run: str) -> Sequence[int]:
    return [len(run), *[0] * (len(html.unescape(run)) - 1)]


def _to_html(text: str) -> str:
    return "".join([_NOT_IN_HTML.get(character, character) for character in text])


ENTITIES: Final = Encoding(
    re.compile(f"(&(?:#[0-9]{{2,7}}|#[xX][0-9a-fA-F]{{2,6}}|{_ENTITY_NAMES});)"), html.unescape, _entity_sizes, _to_html
)

# --- characters that look like others, or like nothing

INVISIBLE_CHARACTERS: Final = Encoding(
    re.compile(rf"([\x00{_INVISIBLE_CHARACTERS}{_TAGS}]{{1,9999}}|{_COLOUR})"), lambda _run: "", lambda _run: []
)

_WIDE: Final = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {ord(_MINUS): "-"}
    | dict.fromkeys(map(ord, _SPACES), " ")
    | {ord(digit): str(unicodedata.digit(digit)) for digit in _DIGITS}
    | _MATHEMATICAL
)
_WIDE_RUN: Final = re.compile(f"[\uff01-\uff5e\U0001d400-\U0001d7ff{_MINUS}{_SPACES}{_DIGITS}]+")
_DASH: Final = re.compile(f"(?<=[0-9])[{_DASHES}](?=[0-9])")


def fold_full_width(text: str) -> str:
    """Full-width ASCII, and digits, spaces and dashes of other kinds, as ASCII, one for one: offsets stay."""
    if len(text) <= WINDOW_CHARS:
        return _folded(text)
    pieces = []
    for start in range(0, len(text), WINDOW_CHARS):
        # A dash is told by the characters on both sides.
        low = max(0, start - 1)
        pieces.append(_folded(text[low : start + WINDOW_CHARS + 1])[start - low : start - low + WINDOW_CHARS])
    return join(pieces)


def _folded(text: str) -> str:
    return _DASH.sub("-", _WIDE_RUN.sub(lambda match: match.group().translate(_WIDE), text))
