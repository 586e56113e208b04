"""Text in base64 (RFC 4648, either alphabet, with and without padding, wrapped or cut off) inside text."""

from __future__ import annotations

import binascii
import codecs
import re
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from processors.redaction.detection.triggers import Trigger, build_engine
from processors.redaction.detection.windows import windows_of

_ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_ANY: Final = "[0-9A-Za-z+/_-]"
_QUANTUM: Final = 4
_QUANTA: Final = 5
_QUANTA_IN_DATA_URL: Final = 2

# Kinds of bytes in text (of UTF-8: ASCII, leading, continuing; zero: every second one of ASCII in UTF-16), and how the
# first two and the last of three bytes may follow one another.
_KINDS: Final = {
    "a": (9, 10, 13, *range(0x20, 0x7F)),
    "c": tuple(range(0x80, 0xC0)),
    "l": tuple(range(0xC2, 0xF5)),
    "z": (0,),
}
_FIRST: Final = ("aa:al", "al:c", "lc:acl")
_NEXT: Final = (*_FIRST, "cc:acl", "ca:al", "cl:c")
_UTF_16: Final = ("az:a", "za:z")

# The end of a line with what indents the next.
_BREAK: Final = r"\r?\n[ \t]{0,32}"
_RUN: Final = re.compile(
    rf"[0-9A-Za-z+/_-]{{8,}}(?:{_BREAK}[0-9A-Za-z+/]{{20,}})*"
    rf"(?:{_BREAK}[0-9A-Za-z+/]{{1,76}}(?:={{1,2}}|(?=\r?\n|[\"']|\Z)))?={{0,2}}"
)
_FIRST_BREAK: Final = re.compile(_BREAK)
_WORD: Final = re.compile(r"[0-9A-Za-z]{20,}={0,2}")
_DECODERS: Final = {"utf-8": codecs.utf_8_decode, "utf-16-le": codecs.utf_16_le_decode}
_HEX: Final = re.compile(r"[0-9a-fA-F-]+")
_STANDARD: Final = str.maketrans("-_", "+/", "\r\n\t =")
_URL_SAFE: Final = str.maketrans("+/", "-_")

_MOST_TRIED: Final = 16
_MOST_CUTS: Final = 4
_HEAD_CHARS: Final = 20
_CONTROL_BYTES: Final = bytes({*range(32), 127} - set(b"\t\n\r\f\x1b"))
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_CONTROL_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Blob:
    """A run of base64 that holds readable text.

    Attributes:
        text: what it says.
        tail: bytes of a character that was cut off at its end.
        charset: how it says it.
    """

    start: int
    end: int
    run: str
    text: str
    tail: bytes
    charset: str = "utf-8"

    def encode(self, text: str) -> str:
        """Another text in the alphabet, with the padding habit and the line length of this one."""
        body = self.run.rstrip("=\r\n")
        encoded = binascii.b2a_base64(text.encode(self.charset, "surrogatepass") + self.tail, newline=False).decode()
        if "-" in body or "_" in body:
            encoded = encoded.translate(_URL_SAFE)
        if not self.run.endswith("=") and len(self.run.translate(_STANDARD)) % _QUANTUM:
            encoded = encoded.rstrip("=")
        line_end = _FIRST_BREAK.search(body)
        if line_end is None:
            return encoded
        width = line_end.start()
        return line_end.group().join(encoded[low : low + width] for low in range(0, len(encoded), width))


def _class(values: Iterable[int]) -> str:
    letters = "".join(sorted({_ALPHABET[value] for value in values}))
    return f"[{re.escape(letters.replace('/', '/_'))}{'-' if '+' in letters else ''}]"


def _quantum(kinds: str) -> str:
    """Four letters that may stand for three bytes of such kinds; bits of neighbours are not compared."""
    first, second = _KINDS[kinds[0]], _KINDS[kinds[1]]
    thirds = [byte for kind in kinds[3:] for byte in _KINDS[kind]]
    return (
        _class({byte >> 2 for byte in first})
        + _class({(left & 3) << 4 | right >> 4 for left in first for right in second})
        + _class({(left & 15) << 2 | right >> 6 for left in second for right in thirds})
        + _ANY
    )


def _beginning(quanta: int) -> str:
    """How base64 of text begins: one word in two hundred of that length does."""
    return f"(?:{'|'.join(map(_quantum, _FIRST))})(?:{'|'.join(map(_quantum, _NEXT))}){{{quanta - 1}}}"


_BEGINNINGS: Final = (
    # The letter of an escape such as `\\n` may stand right before.
    (rf"(?:^|\\[bfnrt]|[^0-9A-Za-z]){_beginning(_QUANTA)}", _QUANTA * _QUANTUM),
    (f";base64,{_beginning(_QUANTA_IN_DATA_URL)}", _QUANTA_IN_DATA_URL * _QUANTUM),
    # What PowerShell runs as an encoded command.
    (
        rf"(?:^|\\[bfnrt]|[^0-9A-Za-z])(?:{''.join(map(_quantum, _UTF_16))}){{2}}{_quantum(_UTF_16[0])}",
        _QUANTA * _QUANTUM,
    ),
)
_LONGEST_BEGINNING: Final = 32


@cache
def blob_finder() -> Blobs:
    """The one that all share: it takes a while to compile."""
    return Blobs()


class Blobs:
    """Finds base64 of text. Safe to use from several threads."""

    def __init__(self) -> None:
        """Compile what finds the beginnings."""
        self._engine = build_engine([Trigger(expression) for expression, _ in _BEGINNINGS])

    def __call__(self, text: str) -> Iterator[Blob]:
        """The runs of base64 in a text that hold readable text, in order, disjoint."""
        done = run_end = tried = 0
        for start in self._starts(text):
            if start < done:
                continue
            if start >= run_end:
                match = _RUN.match(text, start)
                tried, run_end = 0, match.end() if match else start
            tried += 1
            if tried > _MOST_TRIED or run_end == start:
                continue
            if _may_be_text(text[start : start + _HEAD_CHARS]) and (blob := _longest(start, text[start:run_end])):
                yield blob
                done = blob.end

    def _starts(self, text: str) -> list[int]:
        starts = {
            low + end - _BEGINNINGS[number][1]
            for low, piece in windows_of(text, _LONGEST_BEGINNING)
            for number, end in self._engine.hits(piece)
        }
        return sorted(starts)


def _longest(start: int, run: str) -> Blob | None:
    """The text that a run begins with. Other words of a path may follow it: `/files/<blob>/raw`."""
    shorter = run
    for _ in range(_MOST_CUTS):
        if blob := _blob(start, shorter):
            return blob
        shorter = shorter[: max(0, *map(shorter.rfind, "\n/-_+"))].rstrip()
        if len(shorter) < _HEAD_CHARS:
            break
    word = _WORD.match(run)
    return _blob(start, word.group()) if word else None


def _blob(start: int, run: str) -> Blob | None:
    if _HEX.fullmatch(run):
        return None
    body = run.translate(_STANDARD)
    whole, rest = divmod(len(body), 4)
    # One character alone holds no byte: it is what is left where the text was cut off.
    data = binascii.a2b_base64(body[: whole * 4 + (rest if rest > 1 else 0)] + "=" * (4 - rest if rest > 1 else 0))
    charset = "utf-16-le" if _is_utf_16(data[:_HEAD_CHARS]) else "utf-8"
    try:
        text, used = _DECODERS[charset](data, "strict", False)
    except UnicodeDecodeError:
        return None
    if not text or len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
        return None
    return Blob(start, start + len(run), run, text, data[used:], charset)


def _is_utf_16(data: bytes) -> bool:
    """Whether bytes are ASCII in UTF-16."""
    return not any(data[1::2]) and all(data[::2])


def _may_be_text(head: str) -> bool:
    """Whether the first bytes are text: a cheap no for images and for words."""
    letters = head.translate(_STANDARD)
    data = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    if _is_utf_16(data):
        data = data[::2]
    if len(data.translate(None, _CONTROL_BYTES)) != len(data):
        return False
    try:
        codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return False
    return True
