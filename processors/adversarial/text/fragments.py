"""Stretches of a text that are another text, encoded: base64, base32, hexadecimal, binary, decimal, Morse."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from processors.adversarial.tables import read_table
from processors.adversarial.text.acceptance import decoded, is_language
from processors.adversarial.text.gates import Look
from processors.adversarial.text.view import Sign

MOST_BYTES: Final = 8192
_RUN: Final = b"a" * 20
_MOST_CHARACTERS: Final = 16_384
_MOST_RUNS: Final = 64
_PROBE: Final = 64

_BASE64: Final = re.compile(
    r"[A-Za-z0-9+/_-]{16,}={0,2}"
    r"(?:[\"'+,\\ \t]{0,4}\n[\"'> \t]{0,8}[A-Za-z0-9+/_-]{4,}={0,2}(?![^\s\"'`,+])|[ ][A-Za-z0-9+/_-]{20,}={0,2})*"
)
_SPACE: Final = re.compile(r"\s")
_ANY64: Final = re.compile("[A-Za-z0-9+/_-]*")
_ALPHABET64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_NO_ALPHABET64: Final = re.compile(r"[^A-Za-z0-9+/]")
_PART: Final = re.compile(r"[A-Za-z0-9+]{20,}={0,2}")
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}={0,6}|[a-z2-7]{16,}={0,6}")
_HEX: Final = re.compile(r"(?:(?:0[xX]|\\x)?[0-9A-Fa-f]{2}[\s:,;_|./+\"'-]{0,3}){12,}")
_HEX_PAIR: Final = re.compile(r"[0-9A-Fa-f]{2}")
_HEX_PREFIX: Final = re.compile(r"0[xX]|\\x")
_HEX_GATES: Final = (
    b"aa.aa.aa.aa.aa.aa.aa",
    b"aaaa.aaaa.aaaa.aaaa.aaaa",
    b"aaaa..aaaa..aaaa..aaaa",
    b"aa..aa..aa..aa..aa",
)
_NO_HEX: Final = re.compile(r"[^0-9A-Fa-fxX\s:,;_|./+\"'\\-]")
_BINARY: Final = re.compile(r"(?:[01]{8}[\s,_|-]{0,3}){6,}")
_BITS: Final = re.compile("[01]+")
_BINARY_GATES: Final = (b"00000000.00000000.00000000.00000000", b"0" * 48, b"00000000..00000000..00000000")
_NO_BINARY: Final = re.compile(r"[^01\s,_|-]")
_DECIMAL: Final = re.compile(r"(?:[0-9]{2,3}[\s,;|.-]{1,3}){9,}[0-9]{2,3}")
_DECIMAL_GATES: Final = (b"000.000.000.", b"000..000..000..")
_NO_DECIMAL: Final = re.compile(r"[^0-9\s,;|.-]")
_INTEGER: Final = re.compile("[0-9]+")
_MARKS: Final = b"." * 20
_MORSE: Final = re.compile(
    r"(?:[.\u00b7\u2022*_\u2013\u2014\u2212-]{1,7}(?:[ \t]{0,3}[/|\n][ \t]{0,3}|[ \t]{1,8})){7,}"
    r"[.\u00b7\u2022*_\u2013\u2014\u2212-]{0,7}"
)
_NO_MARK: Final = re.compile(rb"[^.]")
_DOT_DASH: Final = re.compile(r"[.\u00b7\u2022*][-_\u2013\u2014\u2212]|[-_\u2013\u2014\u2212][.\u00b7\u2022*]")
_LEAST_LETTERS: Final = 6
_LEAST_SORTS: Final = 5
_MORSE_SIGNS: Final = str.maketrans("\u00b7\u2022*_\u2013\u2014\u2212", "...----")
_MORSE_WORD: Final = re.compile(r"\s*[/|\n]\s*|[ \t]{3,}")


class Fragment(NamedTuple):
    """A stretch of a text, and what it says decoded."""

    name: str
    sign: Sign
    text: str
    start: int
    end: int


def fragments(text: str, look: Look) -> Iterator[Fragment]:
    """What is encoded in a text, as far as it is text when decoded.

    Args:
        text: before case-folding.
        look: of it.
    """
    if look.has_runs:
        yield from _runs(text, look.shape.replace(b"0", b"a"))
    for start, end in look.digits:
        yield from _numbers(text, look, start, end)
    if look.has_marks:
        yield from _morse(text, look.shape)


def _runs(text: str, words: bytes) -> Iterator[Fragment]:
    done = 0
    for _ in range(_MOST_RUNS):
        at = words.find(_RUN, done)
        if at < 0:
            return
        start = at
        while start > done and text[start - 1] in _ALPHABET64:
            start -= 1
        match = _BASE64.match(text, start, start + _MOST_CHARACTERS)
        if match is None:
            done = at + len(_RUN)
            continue
        behind = _ANY64.match(text, match.end())
        done = behind.end() if behind else match.end()
        run = match.group()
        found = _said(run, start) or (_said(run.split(maxsplit=1)[0], start) if _SPACE.search(run) else None)
        if found is not None:
            yield found


def _said(run: str, start: int) -> Fragment | None:
    return _hex(run, start) or _run(run, start)


def _run(run: str, start: int) -> Fragment | None:
    """What a run of letters and digits says, if it says something."""
    end = start + len(run)
    if not run.isascii():
        return None
    if not set(run) - set("01 \n"):
        return None
    said = _from_base32(run)
    if said is not None:
        return Fragment("base32", Sign.BASE32, said, start, end)
    said = _from_base64(run)
    if said is not None:
        return Fragment("base64", Sign.BASE64, said, start, end)
    for part in _PART.finditer(run):
        said = _from_base64(part.group()) if len(part.group()) < len(run) else None
        if said is not None:
            return Fragment("base64", Sign.BASE64, said, start + part.start(), start + part.end())
    return None


def _from_base32(run: str) -> str | None:
    match = _BASE32.match(run)
    if match is None or match.end() < len(run.rstrip()):
        return None
    letters = match.group().rstrip("=").upper()[: MOST_BYTES * 8 // 5 // 8 * 8]
    return _bytes32(letters) if _bytes32(letters[:_PROBE]) is not None else None


def _bytes32(letters: str) -> str | None:
    letters = letters[:-1] if len(letters) % 8 in (1, 3, 6) else letters
    try:
        return decoded(base64.b32decode(letters + "=" * (-len(letters) % 8)))
    except binascii.Error:
        return None


def _from_base64(run: str) -> str | None:
    letters = _NO_ALPHABET64.sub("", run.replace("-", "+").replace("_", "/"))[: MOST_BYTES * 4 // 3 // 4 * 4]
    for shift in range(4):
        if _bytes64(letters[shift : shift + _PROBE], 0) is None:
            continue
        said = _bytes64(letters[shift:], 0) or _bytes64(letters[shift:], -1)
        if said is not None:
            return said
    return None


def _bytes64(letters: str, cut: int) -> str | None:
    length = (len(letters) // 4 + cut) * 4 if cut else len(letters)
    letters = letters[:length]
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    return decoded(base64.b64decode(letters + "=" * (-len(letters) % 4)))


def _hex(run: str, start: int) -> Fragment | None:
    match = _HEX.match(run)
    if match is None or match.end() < len(run) - 1:
        return None
    return _pairs(match.group(), start)


def _pairs(run: str, start: int) -> Fragment | None:
    if not any(map(str.isdigit, run)) or not set(run) - set("01 ,\n"):
        return None
    pairs = "".join(_HEX_PAIR.findall(_HEX_PREFIX.sub(" ", run)))
    said = decoded(bytes.fromhex(pairs[: 2 * MOST_BYTES]))
    return None if said is None else Fragment("hex", Sign.HEX, said, start, start + len(run))


def _numbers(text: str, look: Look, start: int, end: int) -> Iterator[Fragment]:
    """Hexadecimal pairs, octets and decimals that stand apart; runs of octets, too."""
    for match in _matches(_HEX, _HEX_GATES, _NO_HEX, text, look.words, start, end):
        found = _pairs(match.group(), match.start()) if _stands_apart(text, match.start()) else None
        if found is not None:
            yield found
    for match in _matches(_BINARY, _BINARY_GATES, _NO_BINARY, text, look.shape, start, end):
        bits = "".join(_BITS.findall(match.group()))[: MOST_BYTES * 8]
        said = decoded(int(bits, 2).to_bytes(len(bits) // 8, "big"))
        if said is not None:
            yield Fragment("binary", Sign.BINARY, said, *match.span())
    for match in _matches(_DECIMAL, _DECIMAL_GATES, _NO_DECIMAL, text, look.shape, start, end):
        values = [int(value) for value in _INTEGER.findall(match.group())][:MOST_BYTES]
        said = decoded(bytes(values)) if max(values) < 256 else None
        if said is not None and (not said.isascii() or is_language(said.lower())):
            yield Fragment("decimal", Sign.DECIMAL, said, *match.span())


def _matches(
    pattern: re.Pattern[str],
    gates: tuple[bytes, ...],
    other: re.Pattern[str],
    text: str,
    look: bytes,
    start: int,
    end: int,
) -> Iterator[re.Match[str]]:
    """Matches from a gate to where `other` matches."""
    for gate in gates:
        at, done = look.find(gate, start, end), start
        for _ in range(_MOST_RUNS):
            if at < 0:
                break
            while at > done and not other.match(text[at - 1]):
                at -= 1
            behind = other.search(text, at)
            done = end if behind is None else behind.start()
            yield from pattern.finditer(text, at, min(done, at + _MOST_CHARACTERS))
            done = max(done, at + len(gate))
            at = look.find(gate, done, end)
        if done > start:
            return


def _stands_apart(text: str, start: int) -> bool:
    return start == 0 or not text[start - 1].isalnum()


@cache
def _letters() -> dict[str, str]:
    return {code: letter for letter, code in read_table("spelling.yaml")["morse"].items()}


def _morse(text: str, shape: bytes) -> Iterator[Fragment]:
    at = shape.find(_MARKS)
    for _ in range(_MOST_RUNS):
        if at < 0:
            return
        behind = _NO_MARK.search(shape, at)
        end = len(text) if behind is None else behind.start()
        if _DOT_DASH.search(text, at, end):
            yield from _from_morse(text, at, end)
        at = shape.find(_MARKS, end)


def _from_morse(text: str, start: int, end: int) -> Iterator[Fragment]:
    table = _letters()
    for match in _MORSE.finditer(text, start, min(end, start + _MOST_CHARACTERS)):
        codes = match.group()[: MOST_BYTES * 4].translate(_MORSE_SIGNS)
        said = " ".join(
            "".join(table.get(code, "\ufffd") for code in word.split()) for word in _MORSE_WORD.split(codes.strip())
        ).strip()
        letters = sum(map(str.isalpha, said))
        if letters >= _LEAST_LETTERS and len(set(said)) >= _LEAST_SORTS and said.count("\ufffd") * 20 <= letters:
            yield Fragment("morse", Sign.MORSE, said, *match.span())


__all__ = ["MOST_BYTES", "Fragment", "fragments"]
