"""How credentials look, as opposed to the words, identifiers and stand-ins that are written in their place."""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Final

_STAND_IN: Final = re.compile(
    r"([^A/+=])\1{5}|\byour\b|your[_-]|[_-]here\b|placeholder|change.?me|redacted|\$\{|\$\(|\{\{|\}\}|%\(|^<|>$|^%[a-z]$"
    r"|\*{3}|\.\.\.|…|#\{|\\x1b|\\033|\\u001b|^\[.*\]$|^x+$|^ENC\[|^\{cipher\}|^\$ANSIBLE_VAULT",
    re.IGNORECASE,
)
# In small letters: without one of these, or a run, there is no stand-in.
_STAND_IN_HINT: Final = re.compile(
    r"(?:[$<>{}%*\\\[\u2026]|\.\.\.|your|here|place|chang|redac|xx|enc\[|x\Z)|(.)\1\1\1\1\1", re.DOTALL
)
# Names of algorithms and of widths: digits in them say nothing.
_TECHNICAL: Final = re.compile(
    r"sha[-_]?(?:1|2|3|224|256|384|512)|md[245]|base(?:16|32|58|64|85)|u?int(?:8|16|32|64|128)|float(?:16|32|64)"
    r"|utf[-_]?(?:8|16|32)|ipv[46]|x86|x64|amd64|arm64|win(?:32|64)|oauth[12]?|http[123]|x509|pkcs[0-9]{1,2}|ed25519"
    r"|curve25519|secp256[kr]1|aes[-_]?(?:128|192|256)|rsa[-_]?[0-9]{4}|es256|rs256|hs256|mp[34]|h26[45]|log4j|[ijk]18n"
    r"|(?<![0-9A-Za-z])v[0-9]{1,2}(?![0-9A-Za-z])|[0-9]{4}[-_/][0-9]{2}[-_/][0-9]{2}",
    re.IGNORECASE,
)
# In small letters: without one of these there is no such name.
_TECHNICAL_HINT: Final = re.compile(
    r"a(?:md6|rm6|es)|b(?:ase[1-8])|c(?:urve)|e(?:d2|s2)|f(?:loat)|h(?:ttp[123]|26|s2)|i(?:nt|pv|18n)|j(?:18n)|k(?:18n)"
    r"|l(?:og4)|m(?:d[245]|p[34])|o(?:auth)|p(?:kcs)|r(?:s[a2])|s(?:ha|ecp)|u(?:tf)|v(?:[0-9])|w(?:in[36])|x(?:[856])"
    r"|-(?:[0-9]{2}[-_/])|_(?:[0-9]{2}[-_/])|/(?:[0-9]{2}[-_/])"
)
_HEX: Final = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOT_ALNUM: Final = re.compile(r"[^0-9A-Za-z]+")
# Words between separators: `db-credentials-x7k2p` is a name with a random end.
_WORDS: Final = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]?(?=[a-z]{0,9}[aeiou])[a-z]{2,16}(?![0-9A-Za-z])|[^0-9A-Za-z]")
_SHORTEST_REST: Final = 8
_LETTERS_APART: Final = re.compile(r"[A-Za-z]+")
_DIGIT: Final = re.compile(r"[0-9]")
_CONSONANTS: Final = re.compile(r"[bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ]{5}")
_MIXED: Final = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_DISTINCT: Final = 8
_DISTINCT_AT_END: Final = 5
_SHORT: Final = 16
_HEX_LENGTH: Final = 16
# So many characters show what a long text is like.
_ENOUGH: Final = 96
_FEW_DIGITS: Final = 2
_CHANGES: Final = 0.18
_CHANGES_FEW_DIGITS: Final = 0.22
_CHANGES_SHORT: Final = 0.25
_CHANGES_NO_DIGIT: Final = 0.12
_CAPITALS: Final = 0.3
_SHORT_MIXED: Final = 8
_CHANGES_MIXED: Final = 0.18
_CHANGES_UNBROKEN: Final = 0.12
_DIGITS_UNBROKEN: Final = 3
_CONSONANTS_WEIGH: Final = 2
_CAMEL: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_PIECES: Final = 3
_CAPITAL_WORD: Final = re.compile(r"[A-Z](?=[a-z]{0,9}[aeiouy])[a-z]{2,16}")
_FEW_WORDS: Final = 2
_LONG_WORD: Final = 5
_DIGITS_OF_NAME: Final = 5
_SHARE_OF_WORDS: Final = 0.7
_IN_PIECES: Final = 10
_LETTERS_A_PIECE: Final = 3
_CAPITALS_AT_ONCE: Final = 7

# Characters by kind: digits, small letters, capitals, all others.
_KINDS: Final = dict.fromkeys(range(128), " ") | {
    ord(character): kind
    for characters, kind in ((ascii_lowercase, "l"), (ascii_uppercase, "U"), (digits, "d"))
    for character in characters
}
_CASE_CHANGES: Final = ("dl", "dU", "ld", "lU", "Ud")


def is_stand_in(text: str) -> bool:
    """Whether a text only shows where a value goes: `xxxxxx`, `your-key-here`, `${NAME}`, `<TOKEN>`."""
    return _STAND_IN_HINT.search(text.lower()) is not None and _STAND_IN.search(text) is not None


def is_varied(text: str) -> bool:
    """Whether a text in the form of a provider's key holds a real one: no stand-in, many different characters."""
    return not is_stand_in(text) and len(set(text)) >= _DISTINCT and len(set(text[-_SHORT:])) >= _DISTINCT_AT_END


def is_hex(text: str) -> bool:
    """Whether all of a text is hexadecimal, in one case."""
    return _HEX.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID (RFC 9562)."""
    return _UUID.fullmatch(text) is not None


def is_random(text: str, shortest: int = _SHORT) -> bool:
    """Whether a text of `shortest` characters or more is made of chance, not of words.

    Words keep to one kind of character for long; a random text changes between capitals, small letters and digits
    every other character.
    """
    size = len(text)
    if size < shortest or is_stand_in(text[:_ENOUGH]):
        return False
    body = text[:_ENOUGH].rstrip("=")
    if is_hex(body):
        letters = _letters(body)
        return size >= _HEX_LENGTH and len(set(body)) >= _DISTINCT and 0 < letters < len(body)
    if "-" in body and _UUID.search(body) and "/" not in body:
        return len(set(body)) >= _DISTINCT
    plain = _TECHNICAL.sub(" ", body) if _TECHNICAL_HINT.search(body.lower()) else body
    return len(_WORDS.sub("", plain)) >= min(shortest, _SHORTEST_REST) and _changes_often(plain)


def is_mixed(text: str) -> bool:
    """Whether a short text changes between capitals and small letters as no name does."""
    text = text[:_ENOUGH]
    letters = _letters(text)
    if letters < _SHORT_MIXED:
        return False
    return _changes(text) / letters >= _CHANGES_MIXED or (text.isalpha() and _is_in_small_pieces(text))


def is_identifier(text: str) -> bool:
    """Whether a text is words in one, each with its capital, and few digits: `x25519PublicKeySize`, `NewLabelKey2`."""
    text = text[:_ENOUGH].strip("_")
    words = _CAPITAL_WORD.findall(text)
    numerals = _digits(text)
    return (
        len(words) >= _FEW_WORDS
        and max(map(len, words)) >= _LONG_WORD
        and text.isalnum()
        and numerals <= _DIGITS_OF_NAME
        and sum(map(len, words)) >= _SHARE_OF_WORDS * (len(text) - numerals)
    )


def _is_in_small_pieces(text: str) -> bool:
    """Capitals and small letters in pieces of three letters or fewer on average, or many capitals at once."""
    pieces = _CAMEL.findall(text)
    if len(pieces) < _PIECES or len(text) < _IN_PIECES:
        return False
    return (
        len(pieces) * _LETTERS_A_PIECE >= len(text)
        or max(map(len, filter(str.isupper, pieces)), default=0) >= _CAPITALS_AT_ONCE
    )


def without_technical(text: str) -> str:
    """The text without names of algorithms and widths (`sha256`, `utf-8`), whose digits say nothing."""
    return _TECHNICAL.sub("", text[:_ENOUGH]) if _DIGIT.search(text) else text


def _changes_often(text: str) -> bool:
    numerals, letters = _digits(text), _letters(text)
    size = numerals + letters
    if not letters or len(set(text)) < min(_DISTINCT, size * 0.6):
        return False
    share = _changes(text) / size
    if not numerals:
        return _letters_by_chance(text, size)
    if size < _SHORT:
        return numerals >= 1 and share >= _CHANGES_SHORT
    if numerals >= _DIGITS_UNBROKEN and text.isalnum():
        return share >= _CHANGES_UNBROKEN
    return share >= (_CHANGES if numerals >= _FEW_DIGITS else _CHANGES_FEW_DIGITS)


def _letters_by_chance(text: str, size: int) -> bool:
    """Letters alone: half of them capitals, which in the names of programs begin words only."""
    capitals = sum(map(str.isupper, text)) / size
    often = size >= _SHORT and _case_changes(text) >= _CHANGES_NO_DIGIT * size
    return often and _CAPITALS < capitals < 1 - _CAPITALS


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _changes(text: str) -> int:
    """How often the kind of character changes inside words, a capital at the start of a word apart."""
    count = _case_changes(text)
    if not _CONSONANTS.search(text):
        return count
    for word in _LETTERS_APART.findall(text):
        if _MIXED.search(word) or word.islower() or _DIGIT.search(text):
            count += _CONSONANTS_WEIGH * len(_CONSONANTS.findall(word))
    return count


def _case_changes(text: str) -> int:
    kinds = text.translate(_KINDS)
    return sum([kinds.count(change) for change in _CASE_CHANGES])
