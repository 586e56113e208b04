"""Text in base64 (RFC 4648, either alphabet, with and without padding, wrapped or cut off) inside text."""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DATA_URL: Final = ";base64,"
_RUN: Final = re.compile(
    r"(?:(?<=;base64,)[0-9A-Za-z+/_-]{8,}|(?<![0-9A-Za-z+/_-])[0-9A-Za-z+/_-]{20,})"
    r"(?:\r?\n[0-9A-Za-z+/]{20,})*(?:\r?\n[0-9A-Za-z+/]{1,76}={1,2})?={0,2}"
)
_WORD: Final = re.compile(r"[0-9A-Za-z]{20,}={0,2}")
_SEPARATOR: Final = re.compile(r"[+/_-]")
_HEX: Final = re.compile(r"[0-9a-fA-F-]+")
_STANDARD: Final = str.maketrans("-_", "+/", "\r\n=")
_URL_SAFE: Final = str.maketrans("+/", "-_")

_MOST_PARTS: Final = 16
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
    """

    start: int
    end: int
    run: str
    text: str
    tail: bytes

    def encode(self, text: str) -> str:
        """Another text in the alphabet, with the padding habit and the line length of this one."""
        body = self.run.rstrip("=\r\n")
        encoded = binascii.b2a_base64(text.encode("utf-8", "surrogatepass") + self.tail, newline=False).decode()
        if "-" in body or "_" in body:
            encoded = encoded.translate(_URL_SAFE)
        if not self.run.endswith("=") and len(body.replace("\r", "").replace("\n", "")) % 4:
            encoded = encoded.rstrip("=")
        width = body.find("\n")
        if width < 0:
            return encoded
        line_end = "\r\n" if body[width - 1] == "\r" else "\n"
        width -= len(line_end) - 1
        return line_end.join(encoded[low : low + width] for low in range(0, len(encoded), width))


def blobs(text: str) -> Iterator[Blob]:
    """The runs of base64 in a text that hold readable text, in order, disjoint."""
    for match in _RUN.finditer(text):
        if blob := _blob(match.start(), match.group()):
            yield blob
        else:
            yield from _parts(match.start(), match.group())


def _parts(start: int, run: str) -> Iterator[Blob]:
    """Text behind or between words that only look like base64: `/files/<blob>/raw`."""
    done = tried = 0
    for separator in _SEPARATOR.finditer(run):
        if tried >= _MOST_PARTS:
            return
        low = separator.end()
        if low >= done and len(run) - low >= _HEAD_CHARS:
            tried += 1
            word = _WORD.match(run, low)
            blob = _blob(start + low, run[low:]) or (_blob(start + low, word.group()) if word else None)
            if blob:
                yield blob
                done = blob.end - start
    if not tried or done:
        return
    if (first := _WORD.match(run)) and (blob := _blob(start, first.group())):
        yield blob


def _blob(start: int, run: str) -> Blob | None:
    if _HEX.fullmatch(run):
        return None
    body = run.translate(_STANDARD)
    if not _may_be_text(body[:_HEAD_CHARS]):
        return None
    whole, rest = divmod(len(body), 4)
    # One character alone holds no byte: it is what is left where the text was cut off.
    data = binascii.a2b_base64(body[: whole * 4 + (rest if rest > 1 else 0)] + "=" * (4 - rest if rest > 1 else 0))
    try:
        text, used = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return None
    if not text or len(_CONTROL.findall(text)) > _CONTROL_SHARE * len(text):
        return None
    return Blob(start, start + len(run), run, text, data[used:])


def _may_be_text(head: str) -> bool:
    """Whether the first bytes are text: a cheap no for images and for words."""
    data = binascii.a2b_base64(head[: len(head) // 4 * 4])
    if len(data.translate(None, _CONTROL_BYTES)) != len(data):
        return False
    try:
        codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return False
    return True
